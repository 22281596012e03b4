"""Poisson counts of :mod:`degradekit.poisson` on a device, from the same words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from degradekit import poisson
from degradekit.fields import WordArray
from degradekit.ops.device.fields import normal_fields, word_fields
from degradekit.ops.device.numbers import fma, polynomial, root

__all__ = ["level_counts", "rate_counts"]

_BITS = 24
_SWITCH = 4.0
_OTHER_HALF = 1 << 65  # the element that is a word of block 2^63


def level_counts(levels: Tensor, peak: Tensor, words: Tensor) -> Tensor:
    """A Poisson count of rate peak l / 255 for each level l.

    Args:
        levels: float32, whole numbers 0...255.
        peak: int64, a power of two up to 256, of a shape that broadcasts.
        words: int64 of the shape of ``levels``, one for each.

    Returns:
        float32.
    """
    row = torch.log2(peak.double()).round().long() * 256 + levels.long()
    taken = _accept(words, _level_tables(levels.device)[row * 256 + (words >> _BITS)], _BITS)
    return taken.float() + (levels * (peak.float() / 256) - 128).clamp(min=0)


def rate_counts(fields: Sequence[str], rates: Sequence[Tensor]) -> list[Tensor]:
    """A Poisson count for each rate, as ``poisson.poisson_field`` draws them.

    Args:
        fields: Name of the field of each tensor.
        rates: float32 of any shape, 0 or more.

    Returns:
        float32 of the same shapes.
    """
    device = rates[0].device
    normals = normal_fields(fields, [r.numel() for r in rates], device)
    words = word_fields(fields, [2 * r.numel() for r in rates], device, first=_OTHER_HALF)
    made = []
    for rate, z, pair in zip(rates, normals, words, strict=True):
        small = _small(rate.flatten(), pair.reshape(-1, 2))
        made.append(torch.where(rate.flatten() >= _SWITCH, _large(rate.flatten(), z), small).reshape(rate.shape))
    return made


@lru_cache(maxsize=8)
def _level_tables(device: torch.device) -> Tensor:
    # Cached because it is a constant of 4.7 MB.
    return torch.cat([_tensor(poisson.level_table(1 << k), device) for k in range(9)])


@lru_cache(maxsize=8)
def _alias_table(device: torch.device) -> Tensor:
    return _tensor(poisson.alias_table(), device)


def _tensor(table: WordArray, device: torch.device) -> Tensor:
    return torch.from_numpy(table.astype("int64")).to(device)


def _accept(words: Tensor, entries: Tensor, bits: int) -> Tensor:
    """The column that the upper bits of a word chose, or its alias."""
    mask = (1 << bits) - 1
    return torch.where((words & mask) < (entries & mask), words, entries) >> bits


def _large(rates: Tensor, normals: Tensor) -> Tensor:
    """Counts of rates from the switch on, out of normal numbers."""
    rate = rates.clamp(min=_SWITCH)
    sigma = root(rate)
    inverse = 1 / sigma
    z = torch.maximum(normals, sigma * float(poisson.LOWEST_S))
    s = z * inverse
    a, c, e = (polynomial(terms, s) for terms in (poisson.QUADRATIC, poisson.CONSTANT, poisson.INVERSE))
    offset = fma(z * z, a, fma(z, sigma, fma(e, inverse * inverse, c)))
    whole = rate.floor()
    return (whole + (offset + (rate - whole)).floor()).clamp(min=0)


def _small(rates: Tensor, words: Tensor) -> Tensor:
    """Counts of rates below the switch, from two words each ``[n, 2]``."""
    rate = torch.where(rates < _SWITCH, rates, 0.0)
    eighths = (rate * 8).floor()
    entries = _alias_table(rates.device)[eighths.long() << 5 | words[:, 0] >> 27]
    return (_accept(words[:, 0], entries, 27) + _rest(rate - eighths / 8, words[:, 1])).float()


def _rest(rate: Tensor, word: Tensor) -> Tensor:
    """Count of a rate below 1/8: how many of P(X >= 1), ..., P(X >= 6) lie above the word."""
    u = (word.float() + 0.5) * 2.0**-32
    p = polynomial((1.0, -1.0, 0.5, -1 / 6, 1 / 24, -1 / 120), rate)  # exp(-rate)
    chances = []
    for k in range(1, 7):
        p = p * (rate * (1 / k))
        chances.append(p)
    beyond = torch.zeros_like(rate)
    count = torch.zeros_like(word)
    for chance in reversed(chances):  # from the small end, which would lose its digits otherwise
        beyond = beyond + chance
        count += u < beyond
    return count
