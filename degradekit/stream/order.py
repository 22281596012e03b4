"""In which order pairs come: a keyed permutation, so that any position of any epoch is computed, never stored.

A generalised Feistel cipher enciphers 0..n-1 onto itself (Black and Rogaway, "Ciphers with arbitrary finite domains",
CT-RSA 2002): n is covered by a rectangle a x b that is barely larger, a few rounds add a keyed function of one side to
the other, and what falls outside is enciphered again. The round function is the finaliser of SplitMix64 (Steele, Lea
and Flood, OOPSLA 2014). Nothing is kept but the key, so an epoch of a billion pairs weighs what one of ten does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from degradekit.rng import hash64

__all__ = ["Ints", "Order", "permute", "words"]

Ints: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]
ROUNDS = 8
"""Even; with fewer than six, permutations of a handful of pairs are visibly not all equally likely."""


def permute(positions: Ints, size: int, key: str) -> Ints:
    """Where each position of a keyed permutation of 0..size-1 leads.

    Args:
        positions: Each 0..size-1, any shape and order.
        size: How many there are.
        key: Names the permutation; every text is another one.

    Source: Black and Rogaway 2002, section 5 ("generalized-Feistel cipher").

    Example:
        >>> permute(np.arange(6), 6, "epoch 0").tolist(), permute(np.arange(6), 6, "epoch 1").tolist()
        ([0, 1, 5, 2, 3, 4], [1, 5, 3, 0, 4, 2])
    """
    if size <= 1:
        return np.zeros_like(positions)
    a = isqrt(size - 1) + 1
    b = -(-size // a)
    out = _encipher(positions.astype(np.uint64), a, b, key)
    while (outside := out >= size).any():
        out[outside] = _encipher(out[outside], a, b, key)
    return out.astype(np.int64)


def _encipher(x: Words, a: int, b: int, key: str) -> Words:
    sides = (np.uint64(a), np.uint64(b))
    right, left = np.divmod(x, sides[0])
    for number, secret in enumerate(_secrets(key)):
        left, right = right, (left + _mix(right + secret) % sides[number % 2]) % sides[number % 2]
    return right * sides[0] + left


@lru_cache(maxsize=64)
def _secrets(key: str) -> tuple[np.uint64, ...]:
    # Cached because every chunk of an epoch uses the same: 10 us of hashing.
    return tuple(np.uint64(hash64(f"{key}/{number}")) for number in range(ROUNDS))


def _mix(x: Words) -> Words:
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)


def words(positions: Ints, key: str) -> Words:
    """A 64-bit random word for each position, decided by nothing but position and key."""
    return _mix(_mix(positions.astype(np.uint64) + np.uint64(hash64(key))))


@dataclass(frozen=True, eq=False)
class Order:
    """The order of one dataset's pairs in any pass over it.

    Args:
        starts: For each shard how many kept pairs come before it, and all of them at the end.
        key: Names the permutations.
        shuffle: False keeps the stored order.
        window: Shards that are mixed at a time; None mixes all pairs with all.

    Example:
        >>> order = Order(np.array([0, 4, 8, 10]), "0", shuffle=True, window=None)
        >>> sorted(order.ranks(0, np.arange(10)).tolist()) == list(range(10))
        True
    """

    starts: Ints
    key: str
    shuffle: bool
    window: int | None

    @property
    def size(self) -> int:
        """Pairs of a pass."""
        return int(self.starts[-1])

    def ranks(self, turn: int, positions: Ints) -> Ints:
        """Which kept pair (counted in stored order) comes at each position of a pass.

        Args:
            turn: Number of the pass.
            positions: Each 0..size-1.
        """
        if not self.shuffle:
            return positions
        if self.window is None or self.window >= len(self.starts) - 1:
            return permute(positions, self.size, f"{self.key}:{turn}")
        shards, ends, bounds = _windows(self, turn)
        out = np.empty_like(positions)
        numbers = np.searchsorted(bounds, positions, side="right") - 1
        for number in np.unique(numbers).tolist():
            here = numbers == number
            first, last = int(bounds[number]), int(bounds[number + 1])
            mixed = first + permute(positions[here] - first, last - first, f"{self.key}:{turn}:{number}")
            place = np.searchsorted(ends, mixed, side="right") - 1
            out[here] = self.starts[shards[place]] + mixed - ends[place]
        return out


@lru_cache(maxsize=16)
def _windows(order: Order, turn: int) -> tuple[Ints, Ints, Ints]:
    """Shards in the order of a pass, the pairs before each of them, and the pairs before each window.

    Kept for a few passes: it weighs 24 bytes a shard and is asked for with every chunk of positions.
    """
    assert order.window is not None
    count = len(order.starts) - 1
    shards = permute(np.arange(count), count, f"{order.key}:{turn}:shards")
    ends = np.concatenate(([0], np.cumsum(np.diff(order.starts)[shards])))
    bounds = np.unique(np.append(ends[:: order.window], ends[-1]))
    return shards, ends, bounds
