"""The audit as a page: one HTML file with its pictures, charts and inspector inside, and nothing fetched."""

from __future__ import annotations

from pathlib import Path

from degradekit.audit.report.contents import contents, recipe_sections
from degradekit.audit.report.html import render
from degradekit.audit.result import Audit
from degradekit.errors import DegradekitError
from degradekit.shards.dataset import Dataset

__all__ = ["DEFAULT_MB", "write_report"]

DEFAULT_MB = 8.0
"""Size that a report stays below; a browser opens 8 MB at once, 80 MB crash it."""

STEPS = ((128, 48, 8), (96, 48, 8), (64, 48, 6), (64, 24, 4), (32, 12, 2))
"""Side of a crop in px, covering pairs, offenders of each check: tried in this order until the page is small enough."""


def write_report(audit: Audit, dataset: Dataset, out: str | Path, *, max_mb: float = DEFAULT_MB) -> int:
    """Write the page of an audit.

    Args:
        audit: What was found.
        dataset: What was audited; pictures are read from it.
        out: The HTML file; it is replaced when the page is complete.
        max_mb: Size that it may have; smaller and fewer pictures are taken to stay below.

    Returns:
        Its size in bytes.

    Raises:
        DegradekitError: Not even the smallest page fits, or the file cannot be written.
    """
    out = Path(out)
    page = ""
    sections = recipe_sections(audit, dataset)
    for side, spread, worst in STEPS:
        page = render(audit, contents(audit, dataset, sections, side=side, spread=spread, worst=worst))
        if len(page.encode()) <= max_mb * 1e6:
            break
    else:
        size = len(page.encode()) / 1e6
        raise DegradekitError(f"the smallest report takes {size:.1f} MB, more than --max-report-mb {max_mb:g}.")
    beside = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(page, encoding="utf-8")
        beside.replace(out)
    except OSError as error:
        raise DegradekitError(f"the report cannot be written to {out}: {error.strerror}") from error
    return out.stat().st_size
