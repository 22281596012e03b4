"""Are there GTs that teach nothing: clipped, black, white, flat, or with bars at their borders?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, worst
from degradekit.audit.result import CheckResult, Finding, Histogram
from degradekit.audit.statistics import clopper_pearson
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("exposure", "Clipped, dark, flat and letterboxed GTs")
RATE, LEAST = 0.05, 0.02
"""One GT in twenty is a finding, if the sample says for certain that it is one in fifty."""
KINDS = {
    "clipped": "more than half of its pixels have a channel at 0 or 255",
    "dark": "99 % of it is darker than 0.1",
    "bright": "95 % of it is brighter than 0.95",
    "flat": "nine of ten blocks of 16x16 px have no structure",
    "letterboxed": "bars of one black or white along more than 3 % of a side",
}


def _kinds(facts: Facts) -> dict[str, tuple[Array, Array]]:
    """Which GTs are of each kind, and by how much."""
    clipped, p99, p5 = facts.value("gt_clipped"), facts.value("gt_p99"), facts.value("gt_p5")
    flat, bars = facts.value("gt_flat"), facts.value("gt_bars")
    return {
        "clipped": (clipped > 0.5, clipped),
        "dark": (p99 < 0.1, 1 - p99),
        "bright": (p5 > 0.95, p5),
        "flat": (flat > 0.9, flat),
        "letterboxed": (bars > 0.03, bars),
    }


def _run(facts: Facts) -> CheckResult:
    examined = len(facts.pairs)
    findings = []
    words = []
    for name, (bad, size) in _kinds(facts).items():
        count = int(bad.sum())
        rate = count / max(examined, 1)
        words.append(f"{rate:.1%} {name}")
        if rate > RATE and clopper_pearson(count, examined)[0] > LEAST:
            findings.append(
                Finding(
                    "warning",
                    f"{count} of {examined} GTs are {name} ({KINDS[name]}): leave such windows out",
                    rate,
                    RATE,
                    pairs=facts.names(worst(size, bad), size),
                    affected=count,
                )
            )
    edges = np.linspace(0, 1, 41)
    return judged(
        NAME,
        findings,
        value=", ".join(words),
        threshold=f"{RATE:.0%} of the GTs",
        examined=examined,
        of=facts.total,
        per_pair=False,
        evidence=[
            Histogram(name, edges, np.histogram(facts.value(name), edges)[0])
            for name in ("gt_clipped", "gt_flat", "gt_p5", "gt_p99")
        ],
    )


CHECK = Check(*NAME, _run)
