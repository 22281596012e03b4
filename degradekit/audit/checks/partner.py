"""Do GT and LQ show the same picture?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, worst
from degradekit.audit.look import BITS, REMADE, doubtful
from degradekit.audit.result import CheckResult, Finding, Histogram, Sample
from degradekit.types import Array

__all__ = ["CHECK", "strangers"]

NAME = ("partner", "GT and LQ show the same picture")
SURE = 0.45
"""Correlation after alignment that even the worst of right pairs have: 87 % of strangers have less."""


def strangers(sample: Sample) -> Array:
    """Which pairs show two different pictures, bool ``[n]``.

    Where a plan is recorded, a doubtful pair is made again: if GT and plan make the LQ, it is just badly degraded.
    Without one, doubt has to be large.
    """
    remade = sample.values["remade"]
    sure = np.where(np.isnan(remade), ~(sample.values["shift_fit"] >= SURE), remade < REMADE)
    bad: Array = doubtful(sample.values) & sure
    return bad


def _run(facts: Facts) -> CheckResult:
    bits, bad = facts.value("hash_distance"), facts.strangers
    findings = []
    if bad.any():
        count = int(bad.sum())
        findings.append(
            Finding(
                "error",
                f"{count} of {len(bad)} LQs show another picture than their GT",
                count / len(bad),
                0,
                pairs=facts.names(worst(bits, bad), bits),
                affected=count,
            )
        )
    known = bits[~np.isnan(bits)]
    return judged(
        NAME,
        findings,
        value=f"at most {np.nanmax(known):.0f} of 64 hash bits differ" if len(known) else "no features",
        threshold=f"below {BITS} bits, or aligned, or made again from its plan",
        examined=len(bad),
        of=facts.total,
        evidence=[
            Histogram("hash_distance", np.arange(66) - 0.5, np.histogram(known, np.arange(66) - 0.5)[0], unit="bits")
        ],
    )


CHECK = Check(*NAME, _run)
