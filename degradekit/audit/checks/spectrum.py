"""The power of GT, LQ and real images over frequency."""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, not_run
from degradekit.audit.result import CheckResult, Curves, Finding
from degradekit.audit.spectrum import FREQUENCY
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("spectrum", "Spectrum of the LQs")
FAR = 1.0
"""Mean distance of two median spectra in nats (a factor of 2.7 in power) from which on they are different worlds."""
SKIPPED = 3
"""Lowest bins: they follow the content and the crop's size."""


def _run(facts: Facts) -> CheckResult:
    if not facts.pairs:
        return not_run(NAME, "no pair could be looked at")
    measures = [pair.measures for pair in facts.pairs]
    curves = {
        "gt": np.stack([m.gt_spectrum for m in measures]),
        "lq": np.stack([m.lq_spectrum for m in measures]),
        "reduced gt": np.stack([m.r_spectrum for m in measures]),
    }
    transfer = np.stack([m.transfer for m in measures])
    evidence = [Curves("transfer", FREQUENCY, _ribbon("lq", transfer), ("cycles per LQ px", "LQ over reduced GT"))]
    findings = []
    value = f"median blur of the LQs {np.nanmedian(facts.value('blur')):.2f} px"
    threshold = "shown, not judged: name a folder of real images with --real"
    if facts.real is not None:
        curves["real"] = facts.real
        gap = np.median(curves["lq"], axis=0) - np.median(facts.real, axis=0)
        gap = (gap - gap[SKIPPED : 2 * SKIPPED].mean())[SKIPPED:]  # contrast is no matter of degradation
        distance = float(np.abs(gap).mean())
        value = f"{distance:.2f} nats from {len(facts.real)} real images"
        threshold = f"{FAR:g} nats"
        if distance > FAR:
            more = "more" if gap.mean() > 0 else "less"
            findings.append(
                Finding(
                    "warning",
                    f"the LQs have {more} power in high frequencies than the real images, by {distance:.2f} nats "
                    "on average; widen or move the recipe's blur and noise",
                    distance,
                    FAR,
                    "nats",
                )
            )
    ribbons = {key: ys for name, values in curves.items() for key, ys in _ribbon(name, values).items()}
    evidence.append(Curves("spectrum", FREQUENCY, ribbons, ("cycles per px", "ln of power in squared levels")))
    return judged(
        NAME,
        findings,
        value=value,
        threshold=threshold,
        examined=len(measures),
        of=facts.total,
        per_pair=False,
        evidence=evidence,
    )


def _ribbon(name: str, values: Array) -> dict[str, Array]:
    low, middle, high = np.percentile(values, [5, 50, 95], axis=0)
    return {f"{name} p5": low, f"{name} p50": middle, f"{name} p95": high}


CHECK = Check(*NAME, _run)
