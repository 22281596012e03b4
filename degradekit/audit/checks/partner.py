"""Do GT and LQ show the same picture?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, worst
from degradekit.audit.result import CheckResult, Finding, Histogram, Sample
from degradekit.types import Array

__all__ = ["CHECK", "strangers"]

NAME = ("partner", "GT and LQ show the same picture")
BITS = 14
"""Hashes of right pairs differ in up to 10 of 64 bits (two-stage degradation), of strangers in 24 and more."""
CORRELATION = 0.6
"""Thumbnails of right pairs correlate by 0.94 and more, of strangers by anything below."""
FIT = 0.9
"""Correlation after alignment from which on two pictures are the same whatever their thumbnails say."""


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
