"""The few tests that the checks rest on, each with an effect size: with a million pairs everything is significant.

A departure counts where it is both large (its effect size passes a threshold that a person would care about) and
certain (its p-value, corrected for the number of tests, is below ``ALPHA``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from degradekit.types import Array

__all__ = ["ALPHA", "adjusted", "bound", "chi_square", "clopper_pearson", "kolmogorov", "median_error", "robust_sigma"]

ALPHA = 1e-3
"""Adjusted p-value below which a departure is certain."""


def bound(examined: int, found: int = 0, confidence: float = 0.95) -> float:
    """The share of bad pairs is below this, when ``found`` of ``examined`` random pairs were bad.

    With none it is the rule of three, 3 / n. Source: Clopper, Pearson, Biometrika 26, 1934, one-sided.

    Example:
        >>> round(bound(3000), 6), round(bound(100, 2), 4), bound(0)
        (0.000998, 0.0616, 1.0)
    """
    if examined <= 0 or found >= examined:
        return 1.0
    return float(stats.beta.ppf(confidence, found + 1, examined - found))


def clopper_pearson(found: int, examined: int, confidence: float = 0.999) -> tuple[float, float]:
    """Two-sided interval of a share.

    Example:
        >>> low, high = clopper_pearson(50, 100)
        >>> round(low, 2), round(high, 2)
        (0.34, 0.66)
    """
    if examined == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if found == 0 else float(stats.beta.ppf(tail, found, examined - found + 1))
    high = 1.0 if found == examined else float(stats.beta.isf(tail, found + 1, examined - found))
    return low, high


def adjusted(p: Sequence[float]) -> Array:
    """P-values corrected for their number: below ``q``, a share ``q`` of them are false alarms.

    Source: Benjamini, Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.

    Example:
        >>> adjusted([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.04, 0.04]
    """
    values = np.asarray(p, float)
    order = np.argsort(values)[::-1]
    scaled = values[order] * len(values) / np.arange(len(values), 0, -1)
    out = np.empty_like(values)
    out[order] = np.minimum(np.minimum.accumulate(scaled), 1) if len(values) else scaled
    return out


def kolmogorov(first: Array, second: Array, n: float, m: float) -> tuple[float, float]:
    """Distance of two samples in common bins: (D, p).

    Args:
        first: Counts of the one in each bin.
        second: Counts of the other.
        n: How many independent draws the first stands for.
        m: The same of the second; ``inf`` for a distribution that is known.

    Source: Smirnov, 1948, with the limit distribution; binning makes the test a little conservative.
    """
    a, b = np.cumsum(first) / max(first.sum(), 1), np.cumsum(second) / max(second.sum(), 1)
    distance = float(np.abs(a - b).max())
    effective = n if math.isinf(m) else n * m / max(n + m, 1)
    return distance, float(stats.kstwobign.sf(distance * math.sqrt(max(effective, 0))))


def chi_square(first: Array, second: Array, n: float, m: float) -> tuple[float, float]:
    """Distance of two samples of words: (total variation, p); arguments as of ``kolmogorov``."""
    a, b = first / max(first.sum(), 1), second / max(second.sum(), 1)
    distance = float(np.abs(a - b).sum() / 2)
    pooled = (a * n + b * m) / (n + m)
    live = pooled > 0
    if live.sum() < 2 or n <= 0 or m <= 0:
        return distance, 1.0
    statistic = float((((a - b) ** 2)[live] / pooled[live]).sum() * n * m / (n + m))
    return distance, float(stats.chi2.sf(statistic, int(live.sum()) - 1))


def robust_sigma(values: Array) -> float:
    """Spread by the median absolute deviation: that of a normal distribution, whatever the tails do."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values)))) if len(values) else math.nan


def median_error(values: Array) -> float:
    """Standard error of the median of independent values, 1.2533 sigma / sqrt(n)."""
    return 1.2533 * robust_sigma(values) / math.sqrt(max(len(values), 1))
