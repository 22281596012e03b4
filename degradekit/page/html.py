"""A page as one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from degradekit.page.encode import data_uri, first_frame
from degradekit.page.figures import Histogram, Page, Picture, Shares, percent

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["bar_path", "environment", "render_html"]

PLOT = (240, 72)
"""Width and height of a histogram's bars in units of its view box."""
LABEL = 28
"""Letters of a label."""


def render_html(page: Page) -> str:
    """Draw a page.

    Args:
        page: What to show.

    Returns:
        A complete document: styles, pictures and charts are inside, nothing is fetched and nothing is run.
    """
    return environment().get_template("page.html.j2").render(page=page)


def environment(*packages: str) -> Environment:
    """Jinja2 with the base page, the styles and the macros of this package, and templates of other packages.

    Args:
        packages: Packages with a folder ``templates``, looked into first; theirs begin with
            ``{% extends "base.html.j2" %}``.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    loaders = [PackageLoader(package) for package in (*packages, "degradekit.page")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"data_uri": data_uri, "first_frame": first_frame, "bar_path": bar_path}
    made.filters |= {"short": _short, "percent": percent, "breakable": _breakable, "middle": _middle}
    made.tests |= {
        "picture": lambda figure: isinstance(figure, Picture),
        "histogram": lambda figure: isinstance(figure, Histogram),
        "shares": lambda figure: isinstance(figure, Shares),
    }
    made.globals |= {"plot_width": PLOT[0], "plot_height": PLOT[1]}
    return made


def bar_path(counts: Sequence[float]) -> str:
    """The outline of bars side by side, as an SVG path on a plot of 240 by 72.

    Example:
        >>> bar_path([1, 2])
        'M0 72V36H120V0H240V72Z'
    """
    width, height = PLOT
    top = max(*counts, 1e-12)
    step = width / len(counts)
    moves = "".join(f"V{height * (1 - count / top):.4g}H{step * (i + 1):.4g}" for i, count in enumerate(counts))
    return f"M0 {height}{moves}V{height}Z"


def _breakable(text: str) -> Markup:
    """A path that may be broken over lines after its separators."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"(?<=[/:.])", "<wbr>", str(escape(text))))


def _middle(text: str) -> str:
    """A label that leaves room for a number beside it; of a longer one the middle is left out."""
    return text if len(text) <= LABEL else f"{text[: LABEL // 2]}…{text[-LABEL // 2 :]}"


def _short(value: float) -> str:
    return f"{value:.3g}"
