"""Quantiles of a distribution by formula, for ladders and for comparing what was drawn with what was declared."""

from __future__ import annotations

import math
from itertools import accumulate

from degradekit.dist.numbers import Choice, Const, Dist, Histogram, Integer, LogUniform, Mixture, PowerUniform, Uniform

__all__ = ["cdf", "quantile"]

HALVINGS = 200
"""Halvings of an interval of doubles until its ends are neighbours; most end after 60."""


def cdf(dist: Dist, x: float) -> float:
    """The probability that a draw is at most ``x``.

    Args:
        dist: The distribution of one number; ``over_time`` does not matter.
        x: Any number.

    Example:
        >>> cdf(Uniform(0.0, 4.0), 1.0), cdf(Integer(7, 11, 2), 7), cdf(Mixture((Const(1), Uniform(0, 1))), 0.5)
        (0.25, 0.3333333333333333, 0.25)
    """
    match dist:
        case Const(value=value):
            return float(x >= value)
        case Uniform(low=low, high=high):
            return _share(low, high, x)
        case LogUniform(low=low, high=high):
            return _share(math.log(low), math.log(high), math.log(x)) if x > 0 else 0.0
        case PowerUniform(low=low, high=high, exponent=exponent):
            inside = min(max(x, low), high) ** exponent
            return (inside - low**exponent) / (high**exponent - low**exponent) if low < high else float(x >= low)
        case Integer(low=low, high=high, step=step):
            count = (high - low) // step + 1
            return min(max(math.floor((x - low) / step) + 1, 0), count) / count
        case Choice(values=values, p=p):
            pairs = zip(values, _chances(p, len(values)), strict=True)
            return math.fsum(chance for value, chance in pairs if value <= x)
        case Mixture(parts=parts, p=p):
            mixed = zip(parts, _chances(p, len(parts)), strict=True)
            return math.fsum(cdf(part, x) * chance for part, chance in mixed)
        case Histogram(edges=edges, weights=weights):
            shares = (_share(lo, hi, x) * w for lo, hi, w in zip(edges, edges[1:], weights, strict=False))
            return math.fsum(shares) / math.fsum(weights)
    raise TypeError(f"{type(dist).__name__} has no cumulative distribution here")


def quantile(dist: Dist, q: float) -> float:
    """The smallest number that at least the share ``q`` of the draws does not exceed.

    Args:
        dist: The distribution of one number.
        q: Share, 0 to 1; 0 is the smallest number that can be drawn, 1 the largest.

    Example:
        >>> quantile(Uniform(0.5, 2.5), 0.25), quantile(Integer(7, 21, 2), 0.5), quantile(Choice((3, 1)), 0.9)
        (1.0, 13, 3)
    """
    low, high = dist.support()
    match dist:
        case Const(value=value):
            return value
        case Uniform():
            return low + (high - low) * q
        case LogUniform():
            return float(low * (high / low) ** q)
        case PowerUniform(exponent=exponent):
            value = (low**exponent + (high**exponent - low**exponent) * q) ** (1 / exponent)
            return float(min(max(value, low), high))
        case Integer(step=step):
            steps = int((high - low) // step)
            return int(low) + step * min(max(math.ceil(q * (steps + 1)) - 1, 0), steps)
        case Choice(values=values, p=p):
            pairs = sorted(pair for pair in zip(values, _chances(p, len(values)), strict=True) if pair[1] > 0)
            sums = accumulate(chance for _, chance in pairs)
            return next((value for (value, _), total in zip(pairs, sums, strict=True) if total >= q - 1e-12), high)
    return low if q <= 0 else _searched(dist, q, low, high)


def _searched(dist: Dist, q: float, low: float, high: float) -> float:
    """The upper end of an interval that is halved until no double lies inside: exact where the distribution jumps."""
    for _ in range(HALVINGS):
        middle = low + (high - low) / 2
        if middle in (low, high):
            break
        low, high = (low, middle) if cdf(dist, middle) >= q else (middle, high)
    return high


def _share(low: float, high: float, x: float) -> float:
    if x >= high:
        return 1.0
    return max(0.0, (x - low) / (high - low)) if high > low else 0.0


def _chances(p: tuple[float, ...], count: int) -> tuple[float, ...]:
    return p or (1 / count,) * count
