"""Do the pixels show what the plan says: its blur, its noise, its JPEG quality?"""

from __future__ import annotations

import numpy as np
from scipy import stats

from degradekit.audit.facts import Check, Facts, judged, not_run
from degradekit.audit.result import CheckResult, Finding, Scatter
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("truth", "Recorded parameters against measured ones")
FEWEST = 30
RHO = 0.5
"""Rank correlation of recorded and measured: 0.8 to 1.0 where the step ran, around 0 where it did not."""
NEAR, SHARE = 3.0, 0.85
"""Recorded and measured JPEG quality agree to 3 in more than 85 % of the pairs where one is found (0.98 to 1)."""
KINDS = (("jpeg", "lq_quality", ""), ("noise", "noise", "levels of Y"), ("blur", "blur", "LQ px"))
COEFFICIENTS = 100
SPREAD = {"jpeg": 5.0, "noise": 2.0, "blur": 0.1}
"""Spread that the recorded numbers must have, or there is nothing to correlate."""


def _run(facts: Facts) -> CheckResult:
    if not any(pair.plan for pair in facts.pairs):
        return not_run(NAME, facts.unknown or "no plans are recorded")
    facts = facts.twins
    findings, evidence, words, examined = [], [], [], 0
    for name, measure, unit in KINDS:
        recorded = np.array([pair.claims.get(name, np.nan) for pair in facts.pairs])
        measured = facts.value(measure)
        claimed = ~np.isnan(recorded)
        if claimed.sum() < FEWEST:
            continue
        found = _judge(facts, name, recorded, measured, unit)
        both = claimed & ~np.isnan(measured)
        examined = max(examined, int(claimed.sum()))
        labels = (f"recorded {unit}".strip(), f"measured {unit}".strip())
        if both.any():
            evidence.append(Scatter(name, recorded[both], measured[both], facts.sample.index[both], labels))
        rho = _rho(recorded[both], measured[both])
        words.append(f"{name}: rank correlation {rho:.2f}" if np.isfinite(rho) else f"{name}: not measurable")
        findings += found
    if not words:
        return not_run(NAME, f"fewer than {FEWEST} pairs have a step that can be measured through those that follow it")
    return judged(
        NAME,
        findings,
        value=", ".join(words),
        threshold=f"rank correlation {RHO:g}; JPEG quality within {NEAR:g} in {SHARE:.0%}",
        examined=examined,
        of=facts.total,
        per_pair=False,
        evidence=evidence,
    )


def _judge(facts: Facts, name: str, recorded: Array, measured: Array, unit: str) -> list[Finding]:
    claimed = ~np.isnan(recorded)
    if name == "jpeg":
        # A few coefficients show no table, and from 93 on the steps are too fine.
        visible = claimed & (recorded < 93) & (facts.value("lq_coefficients") >= COEFFICIENTS)
        if visible.sum() < FEWEST:
            return []
        off = np.where(np.isnan(measured), 99.0, np.abs(measured - recorded))
        near = float((off[visible] <= NEAR).mean())
        if near > SHARE:
            return []
        bad = np.flatnonzero(visible & (off > NEAR))
        message = f"the recorded JPEG quality is found in {near:.0%} of {int(visible.sum())} LQs only"
        return [Finding("error", message, near, SHARE, pairs=facts.names(bad, measured), affected=len(bad))]
    both = claimed & ~np.isnan(measured)
    spread = np.subtract(*np.percentile(recorded[both], [90, 10])) if both.any() else 0.0
    rho = _rho(recorded[both], measured[both])
    if both.sum() < FEWEST or spread < SPREAD[name] or rho > RHO:
        return []
    message = (
        f"the recorded {name} explains nothing of the measured one (rank correlation {rho:.2f}): the step did not run"
    )
    return [Finding("error", message, rho, RHO, unit, affected=int(both.sum()))]


def _rho(a: Array, b: Array) -> float:
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1])


CHECK = Check(*NAME, _run)
