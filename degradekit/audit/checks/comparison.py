"""How do two datasets differ in what is measured on them?"""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, not_run
from degradekit.audit.result import CheckResult, Evidence, Finding, Histogram
from degradekit.audit.statistics import ALPHA, adjusted, kolmogorov

__all__ = ["CHECK"]

NAME = ("comparison", "Differences from the other dataset")
EFFECT = 0.1
FEATURES = (
    "psnr_y", "ssim_y", "psnr_r", "blur", "noise", "lq_quality", "shift_x", "shift_y", "delta_r", "delta_g", "delta_b",
    "gt_detail", "gt_clipped", "lq_mean", "lq_std",
)  # fmt: skip


def _run(facts: Facts) -> CheckResult:
    other = facts.against
    if other is None:
        return not_run(NAME, "there is no other dataset: name one with --against")
    rows = []
    evidence: list[Evidence] = []
    for name in FEATURES:
        mine, theirs = facts.value(name), other.value(name)
        known, known_there = ~np.isnan(mine), ~np.isnan(theirs)
        if known.sum() < 24 or known_there.sum() < 24:
            continue
        a, b = mine[known], theirs[known_there]
        edges = np.unique(np.quantile(np.concatenate([a, b]), np.linspace(0, 1, 65)))
        if len(edges) < 2:
            continue
        first, second = np.histogram(a, edges)[0], np.histogram(b, edges)[0]
        n, m = len(np.unique(facts.sources[known])), len(np.unique(other.sources[known_there]))
        distance, p = kolmogorov(first, second, n, m)
        rows.append((name, distance, p, float(np.median(a)), float(np.median(b))))
        evidence.append(Histogram(name, edges, first, second / max(second.sum(), 1)))
    corrected = adjusted([row[2] for row in rows])
    found = [
        Finding("info", f"{name}: median {here:.4g}, in the other dataset {there:.4g} (distance {d:.2f})", d, EFFECT)
        for (name, d, _, here, there), p in zip(rows, corrected, strict=True)
        if p < ALPHA and d > EFFECT
    ]
    found.sort(key=lambda finding: -finding.value)
    return judged(
        NAME,
        found,
        value=f"{len(found)} of {len(rows)} measures differ",
        threshold=f"distance {EFFECT:g}, and adjusted p {ALPHA:g}",
        examined=len(facts.pairs),
        of=facts.total,
        per_pair=False,
        evidence=evidence,
    )


CHECK = Check(*NAME, _run)
