"""Reading values of options: ``--set OPTION=BOOL``, whole numbers with a least value, and ``--out`` of a page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from degradekit.errors import DegradekitError, RecipeError

if TYPE_CHECKING:
    from degradekit.page import Page

__all__ = ["add_out", "at_least", "recipe_options", "write_page"]

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def at_least(least: int) -> Callable[[str], int]:
    """The ``type`` of an argument that is a whole number from ``least`` on.

    Example:
        >>> at_least(1)("32")
        32
    """

    def whole(text: str) -> int:
        if not text.strip().lstrip("+-").isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return whole


def recipe_options(settings: Sequence[str]) -> dict[str, bool]:
    """Turn ``["gt_usm=true"]`` into ``{"gt_usm": True}``.

    Raises:
        RecipeError: Not of this form.

    Example:
        >>> recipe_options(["gt_usm=true"])
        {'gt_usm': True}
    """
    out = {}
    for setting in settings:
        name, equals, word = setting.partition("=")
        if not name or not equals or word.lower() not in _WORDS:
            raise RecipeError(f"--set {setting}: write --set option=true or --set option=false")
        out[name] = _WORDS[word.lower()]
    return out


def add_out(parser: argparse.ArgumentParser) -> None:
    """Declare ``--out`` of a verb that draws a page."""
    parser.add_argument(
        "--out",
        action="append",
        metavar="FILE",
        help="write this file, .html or .png; may be given twice (default: both, in the working folder)",
    )


def write_page(page: Page, out: Sequence[str] | None, *, default: str) -> None:
    """Write a page as the files that were asked for, and print their names and sizes.

    Args:
        page: The page.
        out: Files ending in ``.html`` or ``.png``; without any, both under the name ``default``.
        default: Stem of the files in the working folder.

    Raises:
        DegradekitError: Another ending, or a file that cannot be written.
    """
    from degradekit.page import render_html, render_png

    paths = [Path(name) for name in out or (f"{default}.html", f"{default}.png")]
    for path in paths:
        if path.suffix.lower() not in (".html", ".png"):
            raise DegradekitError(f"--out {path}: a page is written as .html or .png; choose one of these endings")
    for path in paths:
        try:
            if path.suffix.lower() == ".html":
                path.write_text(render_html(page), encoding="utf-8")
            else:
                render_png(page).save(path, format="PNG")
        except OSError as error:
            remedy = "choose a file that can be written"
            raise DegradekitError(f"--out {path}: {error.strerror or error}; {remedy}") from error
        print(f"{path}, {path.stat().st_size / 1e6:.1f} MB")
