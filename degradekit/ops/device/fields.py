"""The noise fields of :mod:`degradekit.fields` on a device: the same words, and normal numbers made of them.

Words are 32-bit numbers in int64: a product of two of them wraps around as an unsigned one would, and its upper half is
had by a shift and a mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from degradekit.fields import COSINE, LOGARITHM, SINE, split_field
from degradekit.ops.device.numbers import fma, polynomial, repeated, root
from degradekit.philox import MULTIPLIERS, WEYL

__all__ = ["normal_fields", "word_fields"]

_MASK = 0xFFFFFFFF
_SQRT_HALF_BITS = 0x3F3504F3
_TWO_LN_2 = 1.3862943649291992  # float32


def word_fields(fields: Sequence[str], counts: Sequence[int], device: torch.device, *, first: int = 0) -> list[Tensor]:
    """Words of some fields from element ``first`` on.

    Args:
        fields: Names, 32 hex digits each.
        counts: How many words of each.
        device: Where to make them.
        first: The first element, a multiple of 4.

    Returns:
        int64 ``[count]`` for each field, 0...2^32-1.

    Example:
        >>> [f"{word:08x}" for word in word_fields(["0" * 32], [4], torch.device("cpu"))[0].tolist()]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    lanes = torch.stack(_blocks(fields, counts, device, first // 4), dim=1)
    sizes = [_blocks_for(count) for count in counts]
    return [part.flatten()[:count] for part, count in zip(torch.split(lanes, sizes), counts, strict=True)]


def normal_fields(fields: Sequence[str], counts: Sequence[int], device: torch.device) -> list[Tensor]:
    """Standard normal numbers of some fields from their beginning; as ``fields.normal_field`` makes them.

    Returns:
        float32 ``[count]`` for each field.

    Example:
        >>> from degradekit.fields import normal_field
        >>> field = "00112233445566778899aabbccddeeff"
        >>> bool((normal_fields([field], [1000], torch.device("cpu"))[0].numpy() == normal_field(field, 1000)).all())
        True
    """
    words = _blocks(fields, counts, device, 0)
    radii = _radius(torch.stack((words[0], words[2]), dim=1))
    across, up = _turn(torch.stack((words[1], words[3]), dim=1))
    lanes = torch.stack((radii * across, radii * up), dim=2).flatten(1)
    sizes = [_blocks_for(count) for count in counts]
    return [part.flatten()[:count] for part, count in zip(torch.split(lanes, sizes), counts, strict=True)]


def _blocks_for(count: int) -> int:
    return (count + 3) // 4


def _blocks(fields: Sequence[str], counts: Sequence[int], device: torch.device, first: int) -> tuple[Tensor, ...]:
    """The four words of all blocks, each int64 ``[blocks]``, one field after the other; as ``philox.block_words``."""
    sizes = [_blocks_for(count) for count in counts]
    names = [tuple(int(part) for part in split_field(field)) for field in fields]
    halves = [(key & _MASK, key >> 32, stream & _MASK, stream >> 32) for key, stream in names]
    before = np.cumsum([0, *sizes[:-1]]).tolist()
    facts = torch.tensor([(*half, start) for half, start in zip(halves, before, strict=True)], device=device)
    k0, k1, c2, c3, start = repeated(facts, sizes).unbind(1)
    index = torch.arange(sum(sizes), device=device) - start + (first & _MASK)
    c0, c1 = index & _MASK, (index >> 32) + (first >> 32)
    for _ in range(10):
        even, odd = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = ((odd >> 32) & _MASK) ^ c1 ^ k0, odd & _MASK
        c2, c3 = ((even >> 32) & _MASK) ^ c3 ^ k1, even & _MASK
        k0, k1 = (k0 + WEYL[0]) & _MASK, (k1 + WEYL[1]) & _MASK
    return c0, c1, c2, c3


def _radius(words: Tensor) -> Tensor:
    """sqrt(-2 ln((word + 1/2) 2^-32)), step by step as the compiled one."""
    bits = (words.float() + 0.5).view(torch.int32)
    exponent = (bits - _SQRT_HALF_BITS) >> 23
    t = (bits - (exponent << 23)).view(torch.float32) - 1
    return root(fma(-2 * t, polynomial(LOGARITHM, t), (32 - exponent).float() * _TWO_LN_2))


def _turn(words: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of 2 pi word 2^-32, by the distance from the nearest quarter turn."""
    lower = (words << 2) & _MASK
    x = torch.where(lower >= 1 << 31, lower - (1 << 32), lower).float() * 2.0**-31
    z = x * x
    sine, cosine = polynomial(SINE, z) * x, polynomial(COSINE, z)
    quarter, next_quarter = words + (1 << 29), words + (3 << 29)
    odd = (quarter & 1 << 30) != 0
    across, up = torch.where(odd, sine, cosine), torch.where(odd, cosine, sine)
    return (
        torch.where((next_quarter & 1 << 31) != 0, -across, across),
        torch.where((quarter & 1 << 31) != 0, -up, up),
    )
