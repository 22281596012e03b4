"""Poisson counts from a named field, element by element.

:func:`poisson_field` serves every rate; two ways meet at rate 4, so that nothing depends on the image:

- **below 4**, rate = j/8 + rest. Poisson(j/8) comes from row j of an alias table, one word choosing the column (5 bits)
  and accepting it or its alias (27 bits); Poisson(rest) counts how many values of the survival function lie above a
  second word. Their sum has the wanted rate. Every probability is right to about 2^-32.
- **from 4 on**, the count is floor(Q(z)) of a standard normal z (the field's normal number of that element), where
  Q(z) = rate + z sqrt(rate) + z^2 A(s) + C(s) + E(s) / rate with s = z / sqrt(rate): Temme's uniform expansion of the
  incomplete gamma function, its coefficients fitted to the exact quantiles. The total variation distance from the
  Poisson distribution is 4e-5 at rate 4, below 1e-5 from 8 on and below 2e-6 from 40 on.

:func:`fill_level_counts` serves pictures of 256 levels whose rate at white is a power of two: one alias table for each
of the nine, one word a count, every probability right to about 2^-32.

Source: A. J. Walker, "An efficient method for generating discrete random variables with general distributions",
1977; M. D. Vose, "A linear algorithm for generating random numbers with a given distribution", 1991; M. B. Giles,
"Algorithm 955: approximation of the inverse Poisson cumulative distribution function", 2016, section 2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from degradekit.fields import BLOCKS, CHUNK, FieldName, WordArray, copy_into, fill_normals, fill_words, fma, split_field
from degradekit.jit import inline, kernel
from degradekit.types import Array, FloatImage

__all__ = [
    "CONSTANT",
    "INVERSE",
    "LOWEST_S",
    "QUADRATIC",
    "alias_table",
    "fill_counts",
    "fill_level_counts",
    "level_table",
    "poisson_field",
]

_SWITCH = np.float32(4)
_STEPS = 8
_COLUMNS = 32
_COLUMN_BITS = np.uint32(5)
_ACCEPT_BITS = np.uint32(27)
_OTHER_HALF = np.uint64(1 << 63)
"""Block index from which the words of small rates are taken; a field never has so many elements."""

# Least squares against the exact quantiles x (the regularised upper gamma function Q(x, rate) = Phi(z)) at 22 rates
# from 4 to 10^6 and |z| < 6.8 with weight exp(-z^2 / 4), for A, C and E in this order; the first numbers of A and C are
# the known limits 1/6 and 1/3.
LOWEST_S = np.float32(-1.35)  # Q < 1 here for every rate below 27, and s is never so low above
QUADRATIC = tuple(
    np.float32(c)
    for c in (
        1 / 6,
        -0.0138783397,
        0.00379134719,
        -0.00135159667,
        0.000874102942,
        -0.000442270407,
        6.96913345e-05,
        3.24340879e-06,
    )
)
CONSTANT = tuple(
    np.float32(c) for c in (1 / 3, -0.0277366884, 0.00915858859, -0.0042279255, -0.00221985168, 0.000999123876)
)
INVERSE = tuple(np.float32(c) for c in (-0.0199194417, 0.0170820347, -0.0126434649, 0.0124173877))


def poisson_field(field: str, rates: FloatImage, *, first: int = 0) -> FloatImage:
    """Draw a Poisson count for every rate.

    Args:
        field: 32 hex digits (see :meth:`degradekit.rng.Draws.field`).
        rates: float32, any shape: expected counts, 0 to 10^6; what is below 0 or not a number counts as 0.
        first: Index of the first element in the field.

    Returns:
        float32 whole numbers of the same shape.

    Example:
        >>> counts = poisson_field("00112233445566778899aabbccddeeff", np.full(100_000, 2.5, np.float32))
        >>> bool(abs(counts.mean() - 2.5) < 0.02 and abs(counts.var() - 2.5) < 0.05)
        True
    """
    flat = np.ascontiguousarray(rates, np.float32).ravel()
    out = np.empty_like(flat)
    _poisson_kernel(split_field(field), first, flat, alias_table(), out)
    return out.reshape(rates.shape)


@lru_cache(maxsize=1)
def alias_table() -> WordArray:
    """Alias rows of the rates 0, 1/8, …, 31/8: uint32 [32 x 32], lower 27 bits acceptance, upper 5 bits alias.

    Cached: it is a constant.
    """
    rates = np.arange(_COLUMNS) / _STEPS
    return _alias_rows(rates, np.zeros(_COLUMNS, np.int64), int(_COLUMN_BITS))


@lru_cache(maxsize=9)
def level_table(peak: int) -> WordArray:
    """Alias rows of the rates peak l / 255, l = 0…255: uint32 [256 x 256], 24 bits acceptance, 8 bits alias.

    Column c of row l stands for the count c + max(0, peak l / 256 - 128), which leaves out less than 2^-40.
    Cached: nine tables of 256 kB, each made in 2 ms, which is as long as the noise of a 400 x 400 picture takes.

    Args:
        peak: Rate at white: 1, 2, 4, …, 256.
    """
    levels = np.arange(256)
    return _alias_rows(levels * (peak / 255), np.maximum(levels * peak // 256 - 128, 0), 8)


@kernel
def _alias_rows(rates: Array, lowest: Array, bits: int) -> WordArray:
    """Vose's method: columns short of the mean height are filled up with the surplus of one other column each."""
    columns = 1 << bits
    full = 1 << (32 - bits)
    table = np.empty(rates.size * columns, np.uint32)
    queue = np.empty(columns, np.int64)  # short columns from the left, the others from the right
    for row in range(rates.size):
        height = _heights(rates[row], lowest[row], columns)
        low, high = 0, columns
        for k in range(columns):
            if height[k] < 1:
                queue[low] = k
                low += 1
            else:
                high -= 1
                queue[high] = k
        for k in range(columns):
            table[row * columns + k] = k * full + full - 1  # a full column is its own alias
        while low > 0 and high < columns:
            low -= 1
            k, donor = queue[low], queue[high]
            table[row * columns + k] = donor * full + min(np.int64(height[k] * full + 0.5), full - 1)
            height[donor] -= 1 - height[k]
            if height[donor] < 1:
                queue[low] = donor
                low += 1
                high += 1
    return table


@inline
def _heights(rate: float, lowest: int, columns: int) -> Array:
    """Poisson probabilities of ``lowest`` + column, times the number of columns; by ratios from the mode."""
    height = np.zeros(columns, np.float64)
    mode = int(rate) - lowest
    height[mode] = 1.0
    for k in range(mode + 1, columns):
        height[k] = height[k - 1] * rate / (lowest + k)
    for k in range(mode, 0, -1):
        height[k - 1] = height[k] * (lowest + k) / rate
    height *= columns / height.sum()
    return height


# ------------------------------------------------------------------------------------------ building blocks


@inline
def fill_counts(
    name: FieldName,
    block: int,
    rates: FloatImage,
    table: WordArray,
    words: WordArray,
    entries: WordArray,
    counts: FloatImage,
) -> None:
    """Write CHUNK Poisson counts, elements 4 block to 4 block + CHUNK - 1.

    Args:
        name: From :func:`degradekit.fields.split_field`.
        block: Index of the first block.
        rates: float32 [CHUNK].
        table: From :func:`alias_table`.
        words: Scratch, uint32 [4, BLOCKS].
        entries: Scratch, uint32 [2 BLOCKS] or more.
        counts: float32 [CHUNK].
    """
    if _any_from(rates, _SWITCH):
        fill_normals(name, block, words, counts)
        _large(rates, counts)
    else:
        for i in range(CHUNK):
            counts[i] = np.float32(0)
    for half in range(2):
        part = slice(half * 2 * BLOCKS, (half + 1) * 2 * BLOCKS)
        if _any_small(rates[part]):
            at = _OTHER_HALF + np.uint64(2 * block + half * BLOCKS)
            fill_words(name, at, words)
            _small(words, table, rates[part], entries, counts[part])


@inline
def fill_level_counts(
    words: WordArray, levels: FloatImage, peak: np.float32, table: WordArray, entries: WordArray, counts: FloatImage
) -> None:
    """Write CHUNK Poisson counts of the rates peak l / 255.

    Args:
        words: uint32 [CHUNK], filled by :func:`degradekit.fields.fill_flat_words`.
        levels: float32 [CHUNK], whole numbers 0…255; what is not a number counts as 0.
        peak: Rate at white, a power of two up to 256.
        table: Its :func:`level_table`.
        entries: Scratch, uint32 [CHUNK].
        counts: float32 [CHUNK].
    """
    for i in range(CHUNK):
        row = np.uint32(np.int32(levels[i] if levels[i] > 0 else np.float32(0)))
        entries[i] = row << np.uint32(8) | words[i] >> np.uint32(24)
    for i in range(CHUNK):
        entries[i] = table[entries[i]]
    share = peak * np.float32(1 / 256)
    for i in range(CHUNK):
        lowest = max(levels[i] * share - np.float32(128), np.float32(0))
        counts[i] = np.float32(_accept(words[i], entries[i], np.uint32(24))) + lowest


@inline
def _accept(word: np.uint32, entry: np.uint32, bits: np.uint32) -> np.int32:
    """The column that the upper bits of the word chose, or its alias."""
    mask = (np.uint32(1) << bits) - np.uint32(1)
    return np.int32((word if (word & mask) < (entry & mask) else entry) >> bits)


@inline
def _any_from(rates: FloatImage, limit: np.float32) -> bool:
    """Whether a rate is at least ``limit``."""
    count = np.int32(0)
    for i in range(rates.size):
        count += np.int32(rates[i] >= limit)
    return bool(count > 0)


@inline
def _any_small(rates: FloatImage) -> bool:
    """Whether a rate is below the switch and not 0: black needs no numbers, and pictures have much of it."""
    count = np.int32(0)
    for i in range(rates.size):
        count += np.int32(_below(rates[i]) > np.float32(0))
    return bool(count > 0)


@inline
def _large(rates: FloatImage, values: FloatImage) -> None:
    """Turn standard normals into counts; 0 for rates below the switch."""
    for i in range(CHUNK):
        rate = rates[i] if rates[i] >= _SWITCH else _SWITCH
        root = np.float32(math.sqrt(rate))
        inverse = np.float32(1) / root
        z = max(values[i], LOWEST_S * root)
        s = z * inverse
        a = fma(QUADRATIC[7], s, QUADRATIC[6])
        a = fma(a, s, QUADRATIC[5])
        a = fma(a, s, QUADRATIC[4])
        a = fma(a, s, QUADRATIC[3])
        a = fma(a, s, QUADRATIC[2])
        a = fma(a, s, QUADRATIC[1])
        a = fma(a, s, QUADRATIC[0])
        c = fma(CONSTANT[5], s, CONSTANT[4])
        c = fma(c, s, CONSTANT[3])
        c = fma(c, s, CONSTANT[2])
        c = fma(c, s, CONSTANT[1])
        c = fma(c, s, CONSTANT[0])
        e = fma(fma(fma(INVERSE[3], s, INVERSE[2]), s, INVERSE[1]), s, INVERSE[0])
        offset = fma(z * z, a, fma(z, root, fma(e, inverse * inverse, c)))
        # The fraction of the rate is added to the offset alone: near 10^6 the sum of both would lose it.
        whole = np.floor(rate)
        count = max(whole + np.floor(offset + (rate - whole)), np.float32(0))
        values[i] = count if rates[i] >= _SWITCH else np.float32(0)


@inline
def _small(words: WordArray, table: WordArray, rates: FloatImage, entries: WordArray, counts: FloatImage) -> None:
    """Overwrite the counts of those of 2 BLOCKS elements whose rate is below the switch."""
    # Three loops: the look-up in the middle is the only one that cannot be vectorised, 5 instead of 15 ns a value.
    for i in range(BLOCKS):
        for lane in range(2):
            rate = _below(rates[2 * i + lane])
            row = np.uint32(np.int32(rate * np.float32(_STEPS)))
            entries[2 * i + lane] = row << _COLUMN_BITS | words[2 * lane, i] >> _ACCEPT_BITS
    for j in range(2 * BLOCKS):
        entries[j] = table[entries[j]]
    for i in range(BLOCKS):
        for lane in range(2):
            j = 2 * i + lane
            taken = _accept(words[2 * lane, i], entries[j], _ACCEPT_BITS)
            rate = _below(rates[j])
            rest = rate - np.floor(rate * np.float32(_STEPS)) * np.float32(1 / _STEPS)
            count = np.float32(taken + _rest(rest, words[2 * lane + 1, i]))
            counts[j] = counts[j] if rates[j] >= _SWITCH else count


@inline
def _below(rate: np.float32) -> np.float32:
    """The rate, or 0 for what this way does not serve: rates from the switch on, below 0, not a number."""
    return rate if np.float32(0) < rate < _SWITCH else np.float32(0)


@inline
def _rest(rate: np.float32, word: np.uint32) -> np.int32:
    """Count of a rate below 1/8: how many of P(X >= 1), ..., P(X >= 6) lie above the word; P(X >= 7) < 2^-32."""
    u = (np.float32(word) + np.float32(0.5)) * np.float32(2.0**-32)
    p = fma(fma(np.float32(-1 / 120), rate, np.float32(1 / 24)), rate, np.float32(-1 / 6))
    p = fma(fma(fma(p, rate, np.float32(0.5)), rate, np.float32(-1)), rate, np.float32(1))
    p1 = p * rate
    p2 = p1 * (rate * np.float32(1 / 2))
    p3 = p2 * (rate * np.float32(1 / 3))
    p4 = p3 * (rate * np.float32(1 / 4))
    p5 = p4 * (rate * np.float32(1 / 5))
    beyond6 = p5 * (rate * np.float32(1 / 6))
    # Summed from the small end: 1 - P(X = 0) would lose the digits of a small rate.
    beyond5 = p5 + beyond6
    beyond4 = p4 + beyond5
    beyond3 = p3 + beyond4
    beyond2 = p2 + beyond3
    beyond1 = p1 + beyond2
    count = np.int32(u < beyond1) + np.int32(u < beyond2) + np.int32(u < beyond3)
    count += np.int32(u < beyond4) + np.int32(u < beyond5) + np.int32(u < beyond6)
    return np.int32(count)


@kernel
def _poisson_kernel(name: FieldName, first: int, rates: FloatImage, table: WordArray, out: FloatImage) -> None:
    words = np.empty((4, BLOCKS), np.uint32)
    entries = np.empty(2 * BLOCKS, np.uint32)
    chunk = np.zeros(CHUNK, np.float32)
    counts = np.empty(CHUNK, np.float32)
    for start in range(-(first % 4), out.size, CHUNK):
        low, high = max(start, 0), min(start + CHUNK, out.size)
        copy_into(rates[low:high], chunk[low - start : high - start])
        fill_counts(name, (first + start) // 4, chunk, table, words, entries, counts)
        copy_into(counts[low - start : high - start], out[low:high])
