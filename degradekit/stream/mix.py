"""Mixing datasets in exact proportions: which dataset a position belongs to is arithmetic, as its place in it is.

Two datasets that share S places, n of them the first's, are interleaved as evenly as whole numbers allow: the first
has floor(q n / S) of the first q places, which is how Bresenham draws a line (IBM Systems Journal 4, 1965). More than
two are split in halves, and those again.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

import numpy as np

from degradekit.errors import StreamError
from degradekit.stream.order import Ints

__all__ = ["interleave", "whole_shares"]

FINEST = 1000
"""Weights are taken as fractions with denominators up to this."""


def whole_shares(weights: Sequence[float]) -> tuple[int, ...]:
    """Weights as whole numbers in the same proportion.

    Args:
        weights: 0 or more each; they need not sum to 1.

    Raises:
        StreamError: One is negative or no number, or all are 0.

    Example:
        >>> whole_shares([0.7, 0.3]), whole_shares([2, 1, 1])
        ((7, 3), (2, 1, 1))
    """
    if not all(np.isfinite(weight) and weight >= 0 for weight in weights) or not sum(weights) > 0:
        raise StreamError(f"weights {list(weights)} make no mixture; give numbers of 0 or more, one above 0.")
    total = sum(map(Fraction, weights))
    exact = [Fraction(weight).limit_denominator(10**9) / total for weight in weights]
    parts = [share.limit_denominator(FINEST) for share in exact]
    if sum(parts) != 1 or any(part == 0 < share for part, share in zip(parts, exact, strict=True)):
        parts = [Fraction(round(share * 10**6), 10**6) for share in exact]
    whole = lcm(*(part.denominator for part in parts))
    return tuple(int(part * whole) for part in parts)


def interleave(places: Ints, shares: Sequence[int]) -> tuple[Ints, Ints]:
    """Part and place inside the part for places of a mixture that goes on for ever.

    Args:
        places: 0 or more each.
        shares: Whole places of each part in every ``sum(shares)`` places.

    Returns:
        For each place which part it is, and how many places of that part come before it.

    Example:
        >>> part, rank = interleave(np.arange(8), (3, 1))
        >>> part.tolist(), rank.tolist()
        ([1, 0, 0, 0, 1, 0, 0, 0], [0, 0, 1, 2, 1, 3, 4, 5])
    """
    part, rank = np.zeros_like(places), np.zeros_like(places)
    _split(places, tuple(shares), 0, (np.arange(len(places)), part, rank))
    return part, rank


def _split(places: Ints, shares: tuple[int, ...], first: int, into: tuple[Ints, Ints, Ints]) -> None:
    where, part, rank = into
    if len(shares) == 1:
        part[where], rank[where] = first, places
        return
    half = len(shares) // 2
    left, total = sum(shares[:half]), sum(shares)
    if total == 0:
        return
    before = _left_of(places, left, total)
    is_left = _left_of(places + 1, left, total) > before
    _split(before[is_left], shares[:half], first, (where[is_left], part, rank))
    is_right = ~is_left
    _split((places - before)[is_right], shares[half:], first + half, (where[is_right], part, rank))


def _left_of(places: Ints, left: int, total: int) -> Ints:
    turns, rest = np.divmod(places, total)
    so_far: Ints = turns * left + rest * left // total
    return so_far
