"""Do GT and LQ show the same picture?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, worst
from degradekit.audit.result import CheckResult, Finding, Histogram, Sample
from degradekit.types import Array

__all__ = ["CHECK", "strangers"]

NAME = ("partner", "GT and LQ show the same picture")
BITS = 18
"""Hashes of strangers differ in 20 to 42 of 64 bits, of right pairs in up to 18 (two-stage degradation)."""
CORRELATION = 0.6
"""Thumbnails of strangers correlate by up to 0.47, of right pairs by 0.71 and more."""
FIT = 0.55
"""Correlation after alignment: up to 0.48 of strangers, 0.62 and more of right pairs."""


def strangers(sample: Sample) -> Array:
    """Which pairs show two different pictures, bool ``[n]``.

    Both coarse measures and the fine one have to agree; a pair without features is given the benefit of the doubt.
    """
    values = sample.values
    bits, thumbs = values["hash_distance"], values["thumb_ncc"]
    fit = np.nan_to_num(values["shift_fit"], nan=0.0)
    return ((bits >= BITS) | (thumbs < CORRELATION)) & (fit < FIT)


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
        threshold=f"below {BITS} bits, or aligned correlation from {FIT:g} on",
        examined=len(bad),
        of=facts.total,
        evidence=[
            Histogram("hash_distance", np.arange(66) - 0.5, np.histogram(known, np.arange(66) - 0.5)[0], unit="bits")
        ],
    )


CHECK = Check(*NAME, _run)
