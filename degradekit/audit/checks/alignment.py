"""Does the LQ look where it should in the GT, to a fraction of a pixel?"""

from __future__ import annotations

import math

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, not_run, worst
from degradekit.audit.look import MOVED, REMADE
from degradekit.audit.result import CheckResult, Finding, Scatter
from degradekit.audit.statistics import robust_sigma
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("alignment", "Sub-pixel alignment of LQ and GT")
WARN, FAIL = 0.25, 0.5
"""Median shift of the dataset in GT px; what stride sampling does at x4 is 1.5."""
CERTAIN = 4.0
"""Standard errors that a median has to be away from zero."""
TAIL_SIGMAS = 8.0
"""A single pair is shifted from MOVED px on, if that is so many of its own standard errors, and if GT and plan do not
make its LQ: of 10,000 right pairs (Real-ESRGAN) 107 seem to be that far off, nearly all by less than 5.5 of theirs."""
FIT = 0.7
"""Correlation after alignment that a shift must have to be believed."""
FEWEST = 8


def _run(facts: Facts) -> CheckResult:
    facts = facts.twins
    x, y = facts.value("shift_x"), facts.value("shift_y")
    fit = np.nan_to_num(facts.value("shift_fit"))
    known = (fit > FIT) & ~np.isnan(x)
    if known.sum() < FEWEST:
        return not_run(NAME, f"only {int(known.sum())} pairs have enough structure to be aligned")
    scale = facts.dataset.scale
    centre, error = _median(x[known], y[known])
    size = float(np.hypot(*centre))
    findings = []
    stride = (scale - 1) / 2
    if size > WARN and size > CERTAIN * error:
        named = scale > 1 and max(abs(centre[0] + stride), abs(centre[1] + stride)) < 0.2
        why = f": (s - 1) / 2, what sampling every {scale}th pixel does" if named else ""
        findings.append(
            Finding(
                "error" if size > FAIL else "warning",
                f"the LQs are shifted against their GTs by ({centre[0]:+.2f}, {centre[1]:+.2f}) GT px{why}; "
                "resize with pixel centres aligned, or record the shift",
                size,
                WARN,
                "GT px",
                facts.names(worst(np.hypot(x, y), known), np.hypot(x, y)),
                int(known.sum()),
            )
        )
    away = np.hypot(x - centre[0], y - centre[1])
    tail = known & (away > np.maximum(MOVED, TAIL_SIGMAS * facts.value("shift_sigma")))
    tail &= ~(facts.value("remade") >= REMADE)
    if tail.any():
        findings.append(
            Finding(
                "warning",
                f"{int(tail.sum())} of {int(known.sum())} LQs are shifted by more than {MOVED:g} GT px on their own",
                float(np.nanmax(away[tail])),
                MOVED,
                "GT px",
                facts.names(worst(away, tail), away),
                int(tail.sum()),
            )
        )
    marks = (("aligned", 0.0, 0.0), ("stride sampling", -stride, -stride)) if scale > 1 else (("aligned", 0.0, 0.0),)
    return judged(
        NAME,
        findings,
        value=f"median ({centre[0]:+.3f}, {centre[1]:+.3f}) GT px, 99 % within {np.percentile(away[known], 99):.2f}",
        threshold=f"median {WARN:g} GT px (error from {FAIL:g}), single pairs {MOVED:g}",
        examined=int(known.sum()),
        of=facts.total,
        evidence=[
            Scatter(
                "shift",
                x[known],
                y[known],
                facts.sample.index[known],
                ("GT px to the right", "GT px down"),
                marks,
            )
        ],
    )


def _median(x: Array, y: Array) -> tuple[tuple[float, float], float]:
    centre = float(np.median(x)), float(np.median(y))
    return centre, 1.2533 * math.hypot(robust_sigma(x), robust_sigma(y)) / math.sqrt(len(x))


CHECK = Check(*NAME, _run)
