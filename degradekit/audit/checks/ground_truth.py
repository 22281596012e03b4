"""Is the GT true: as sharp as its size says, and never a JPEG?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, not_run, worst
from degradekit.audit.measure import JPEG_GAIN
from degradekit.audit.result import CheckResult, Finding, Histogram
from degradekit.audit.statistics import clopper_pearson

__all__ = ["CHECK"]

NAME = ("ground_truth", "Upscaled, soft or JPEG-dirty GTs")
DETAIL = -5.0
"""ln of a GT's power near half the sampling rate over that an octave lower; photographs have -4.3 to -1.8 (1 to 99 %),
the same enlarged twice -6.9 to -4.7 (cubic) or -9.4 to -5.6 (Lanczos), blurred by 1.5 px below -8.8."""
RATE, LEAST = 0.05, 0.02


def _run(facts: Facts) -> CheckResult:
    examined = len(facts.pairs)
    if not examined:
        return not_run(NAME, "no pair could be looked at")
    detail, gain = facts.value("gt_detail"), np.nan_to_num(facts.value("gt_jpeg"), nan=-1)
    structured = facts.value("gt_flat") < 0.9
    findings = []
    soft, dirty = (detail < DETAIL) & structured, gain > JPEG_GAIN
    for bad, size, limit, words in (
        (soft, -detail, -DETAIL, "have no detail at their own resolution: they were enlarged, or are out of focus"),
        (dirty, gain, JPEG_GAIN, "were JPEGs, and a network would learn to draw their blocks"),
    ):
        count = int(bad.sum())
        if count / examined > RATE and clopper_pearson(count, examined)[0] > LEAST:
            found = Finding("warning", f"{count} of {examined} GTs {words}", count / examined, RATE)
            pairs = facts.names(worst(size, bad), size if limit > 0 else None)
            findings.append(Finding(found.severity, found.message, found.value, RATE, pairs=pairs, affected=count))
    return judged(
        NAME,
        findings,
        value=f"{soft.mean():.1%} without detail, {dirty.mean():.1%} were JPEGs",
        threshold=f"{RATE:.0%} below {DETAIL:g} in ln(detail), or above {JPEG_GAIN:g} nats of JPEG",
        examined=examined,
        of=facts.total,
        per_pair=False,
        evidence=[
            _histogram("gt_detail", detail),
            _histogram("gt_jpeg", gain),
            _histogram("gt_noise_floor", facts.value("gt_noise_floor")),
        ],
    )


def _histogram(name: str, values: np.ndarray) -> Histogram:
    counts, edges = np.histogram(values[~np.isnan(values)], 40)
    return Histogram(name, edges, counts)


CHECK = Check(*NAME, _run)
