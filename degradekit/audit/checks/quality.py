"""PSNR and SSIM of the pairs, and those that fall out of their distribution."""

from __future__ import annotations

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, not_run, worst
from degradekit.audit.result import CheckResult, Finding, Histogram
from degradekit.audit.statistics import clopper_pearson

__all__ = ["CHECK"]

NAME = ("quality", "PSNR and SSIM")
FENCES = 2.0
"""Interquartile ranges below the first quartile from which on a PSNR is an outlier: 3.4 sigma of a normal one."""
RATE, LEAST = 0.02, 0.005


def _run(facts: Facts) -> CheckResult:
    facts = facts.twins
    psnr, ssim, close = facts.value("psnr_y"), facts.value("ssim_y"), facts.value("psnr_r")
    if len(psnr) < 16:
        return not_run(NAME, f"{len(psnr)} pairs make no distribution")
    # At the LQ's own size the content's detail does not count: what is left is what was done to it.
    low, high = np.percentile(close, [25, 75])
    fence = low - FENCES * max(high - low, 1.0)
    bad = close < fence
    count = int(bad.sum())
    findings = []
    if count / len(bad) > RATE and clopper_pearson(count, len(bad))[0] > LEAST:
        findings.append(
            Finding(
                "warning",
                f"{count} of {len(bad)} LQs are far worse than the others (PSNR below {fence:.1f} dB against the "
                f"reduced GT, the median is {np.median(close):.1f})",
                count / len(bad),
                RATE,
                pairs=facts.names(worst(-close, bad), close),
                affected=count,
            )
        )
    percentiles = np.percentile(psnr[~np.isnan(psnr)], [1, 50, 99]) if (~np.isnan(psnr)).any() else [np.nan] * 3
    words = "/".join(f"{p:.1f}" for p in percentiles)
    return judged(
        NAME,
        findings,
        value=f"PSNR-Y 1/50/99 %: {words} dB, SSIM-Y median {np.nanmedian(ssim):.3f}",
        threshold=f"{RATE:.0%} beyond {FENCES:g} interquartile ranges",
        examined=len(bad),
        of=facts.total,
        per_pair=False,
        evidence=[
            _histogram("psnr_y", psnr, "dB"),
            _histogram("ssim_y", ssim, ""),
            _histogram("psnr_r", close, "dB"),
        ],
    )


def _histogram(name: str, values: np.ndarray, unit: str) -> Histogram:
    counts, edges = np.histogram(values[~np.isnan(values)], 48)
    return Histogram(name, edges, counts, unit=unit)


CHECK = Check(*NAME, _run)
