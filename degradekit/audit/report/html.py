"""From contents to text: the templates and their filters."""

from __future__ import annotations

import math
from typing import Any

from degradekit.audit.report import charts
from degradekit.audit.report.contents import Contents
from degradekit.audit.result import Audit, Curves, Histogram, Scatter, Words
from degradekit.page import environment

__all__ = ["render"]


def render(audit: Audit, shown: Contents) -> str:
    """The page as text.

    Args:
        audit: What was found.
        shown: What of it is shown.
    """
    made = environment("degradekit.audit.report")
    made.filters |= {
        "histogram_shape": charts.histogram,
        "word_shares": charts.words,
        "scatter_shape": charts.scatter,
        "curve_shape": charts.curves,
        "heat_shape": charts.heat,
    }
    made.tests |= {
        "histogram_evidence": lambda item: isinstance(item, Histogram),
        "words_evidence": lambda item: isinstance(item, Words),
        "scatter_evidence": lambda item: isinstance(item, Scatter),
        "curves_evidence": lambda item: isinstance(item, Curves),
    }
    made.globals["report_number"] = _number
    return made.get_template("audit.html.j2").render(
        audit=audit, report=shown, tiles=list(shown.tiles.values()), shown=shown
    )


def _number(value: Any) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"
