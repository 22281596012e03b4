"""Planes of random numbers, regenerated from a name at any place, in any order, on one thread.

A field is named by the 32 hex digits of :meth:`degradekit.rng.Draws.field`: 64 bits of key and 64 bits of stream.
Element i of a field is made of Philox4x32-10 words of the blocks with counter [block index | stream]:

========  =============================================================================================
words     element i is word i % 4 of block i // 4
uniform   the upper 24 bits of word i, times 2^-24: the multiples of 2^-24 in [0, 1)
normal    Box-Muller on the words (a, b) of the pair i // 2: u = (a + 1/2) 2^-32, v = b 2^-32,
          sqrt(-2 ln u) times cos(2 pi v) for even i, times sin(2 pi v) for odd i
========  =============================================================================================

All arithmetic is IEEE float32 with explicit fused multiply-adds and our own polynomials; no libm function is called
and the compiler has nothing left to contract, so the numbers are the same bits on every machine (tried: code for
x86-64 without AVX and FMA, Nehalem, Haswell, Skylake and Emerald Rapids).

Inside a kernel, work in chunks of CHUNK elements: :func:`fill_words` or :func:`fill_normals` into a scratch buffer,
then a small inlined loop over slices, which is what LLVM vectorises.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from degradekit.jit import inline, kernel
from degradekit.philox import block_words
from degradekit.types import Array, FloatImage

__all__ = [
    "BLOCKS",
    "CHUNK",
    "COSINE",
    "LOGARITHM",
    "SINE",
    "FieldName",
    "WordArray",
    "copy_into",
    "divide_levels",
    "fill_flat_words",
    "fill_normals",
    "fill_words",
    "fma",
    "normal_field",
    "split_field",
    "uniform_field",
    "unit",
]

FieldName: TypeAlias = tuple[np.uint64, np.uint64]
WordArray: TypeAlias = npt.NDArray[np.uint32]

BLOCKS = 256
"""Philox blocks made at once; two scratch buffers of this size stay in the L1 cache."""
CHUNK = 4 * BLOCKS
"""Elements made at once."""

# Minimax polynomials (Remez), lowest degree first, before rounding to float32:
# ln(1 + t) / t on [sqrt(1/2) - 1, sqrt(2) - 1], relative error 1.7e-7;
# sin(pi/4 x) / x and cos(pi/4 x) in x^2 on [0, 1], relative errors 3.2e-9 and 3.3e-8.
LOGARITHM = tuple(
    np.float32(c)
    for c in (
        0.99999994531,
        -0.500003651237,
        0.3333505895,
        -0.249699090309,
        0.199001652431,
        -0.172508298714,
        0.162225825754,
        -0.101068979094,
    )
)
SINE = tuple(np.float32(c) for c in (0.785398160854, -0.0807454325292, 0.00249000102403, -3.59504522519e-5))
COSINE = tuple(np.float32(c) for c in (0.999999967386, -0.308424165589, 0.0158496841692, -0.000318727840952))
_TWO_LN_2 = np.float32(2 * math.log(2))
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_SIGN = np.int32(-(2**31))


def split_field(field: str) -> FieldName:
    """Philox key and stream (the upper half of the counter) of a field, as kernels take them.

    Args:
        field: 32 hex digits.

    Raises:
        ValueError: Not 32 hex digits.

    Example:
        >>> [int(part) for part in split_field("0000000000000001" "0000000000000002")]
        [1, 2]
    """
    if len(field) != 32:
        raise ValueError(f"a field is named by 32 hex digits, not {field!r}")
    return np.uint64(int(field[:16], 16)), np.uint64(int(field[16:], 16))


def uniform_field(field: str, count: int, *, first: int = 0) -> FloatImage:
    """Make ``count`` uniform numbers of a field, from element ``first`` on.

    Args:
        field: 32 hex digits (see :meth:`degradekit.rng.Draws.field`).
        count: How many.
        first: Index of the first one; the result equals that slice of the whole field.

    Returns:
        float32 [count], multiples of 2^-24 in [0, 1).

    Example:
        >>> field = "00112233445566778899aabbccddeeff"
        >>> bool((uniform_field(field, 5, first=3) == uniform_field(field, 8)[3:]).all())
        True
    """
    out = np.empty(count, np.float32)
    _uniform_kernel(split_field(field), first, out)
    return out


def normal_field(field: str, count: int, *, first: int = 0) -> FloatImage:
    """Make ``count`` standard normal numbers of a field, from element ``first`` on.

    The largest magnitude is sqrt(66 ln 2) = 6.76. Against exact arithmetic the error is below 2e-6; only where both
    numbers of a pair are near 0 (radius below 0.05, one pair in 800) it may reach 2e-4, as u is rounded to float32.

    Args:
        field: 32 hex digits (see :meth:`degradekit.rng.Draws.field`).
        count: How many.
        first: Index of the first one; the result equals that slice of the whole field.

    Returns:
        float32 [count].

    Source: G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", 1958.

    Example:
        >>> field = "00112233445566778899aabbccddeeff"
        >>> z = normal_field(field, 100_000)
        >>> bool(abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01)
        True
    """
    out = np.empty(count, np.float32)
    _normal_kernel(split_field(field), first, out)
    return out


# ------------------------------------------------------------------------------------------ building blocks


@intrinsic
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """A * b + c with one rounding; explicit, so that no compiler setting decides it."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float32(types.float32, types.float32, types.float32), emit


@intrinsic
def _bits(typing_context: Any, value: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), emit


@intrinsic
def _float(typing_context: Any, value: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), emit


@inline
def unit(value: np.float32) -> np.float32:
    """Clip to [0, 1]; what is not a number stays so, to be noticed at the end."""
    if value < np.float32(0):
        return np.float32(0)
    return np.float32(1) if value > np.float32(1) else value


@inline
def fill_words(name: FieldName, block: int | np.uint64, words: WordArray) -> None:
    """Write the words of BLOCKS blocks, ``words[lane, block]``.

    Args:
        name: From :func:`split_field`.
        block: Index of the first block.
        words: uint32 [4, BLOCKS]. Planar, because each lane is one vector register.
    """
    key, stream = name
    for i in range(BLOCKS):
        c0, c1, c2, c3 = block_words(key, stream, np.uint64(block) + np.uint64(i))
        words[0, i] = np.uint32(c0)
        words[1, i] = np.uint32(c1)
        words[2, i] = np.uint32(c2)
        words[3, i] = np.uint32(c3)


@inline
def fill_flat_words(name: FieldName, block: int | np.uint64, words: WordArray, flat: WordArray) -> None:
    """Write CHUNK words in the order of the elements.

    Args:
        name: From :func:`split_field`.
        block: Index of the first block.
        words: Scratch, uint32 [4, BLOCKS].
        flat: uint32 [CHUNK].
    """
    fill_words(name, block, words)
    for i in range(BLOCKS):
        for lane in range(4):
            flat[4 * i + lane] = words[lane, i]


@inline
def fill_normals(name: FieldName, block: int | np.uint64, words: WordArray, normals: FloatImage) -> None:
    """Write CHUNK standard normals, elements 4 block to 4 block + CHUNK - 1.

    Args:
        name: From :func:`split_field`.
        block: Index of the first block.
        words: Scratch, uint32 [4, BLOCKS].
        normals: float32 [CHUNK].
    """
    fill_words(name, block, words)
    for i in range(BLOCKS):
        radius = _radius(words[0, i])
        cosine, sine = _turn(words[1, i])
        normals[4 * i] = radius * cosine
        normals[4 * i + 1] = radius * sine
        radius = _radius(words[2, i])
        cosine, sine = _turn(words[3, i])
        normals[4 * i + 2] = radius * cosine
        normals[4 * i + 3] = radius * sine


@inline
def _radius(word: np.uint32) -> np.float32:
    """sqrt(-2 ln((word + 1/2) 2^-32)): 0 at the upper end, 6.76 for word 0."""
    # u 2^32 = m 2^e with m in [sqrt(1/2), sqrt(2)), so that e = 32 leaves -ln m alone: no cancellation near u = 1.
    bits = _bits(np.float32(word) + np.float32(0.5))
    exponent = np.int32(np.int32(bits - _SQRT_HALF_BITS) >> np.int32(23))
    t = _float(np.int32(bits - np.int32(exponent << np.int32(23)))) - np.float32(1)
    p = fma(LOGARITHM[7], t, LOGARITHM[6])
    p = fma(p, t, LOGARITHM[5])
    p = fma(p, t, LOGARITHM[4])
    p = fma(p, t, LOGARITHM[3])
    p = fma(p, t, LOGARITHM[2])
    p = fma(p, t, LOGARITHM[1])
    p = fma(p, t, LOGARITHM[0])
    square = fma(np.float32(-2) * t, p, np.float32(np.int32(32) - exponent) * _TWO_LN_2)
    return np.float32(math.sqrt(square))


@inline
def _turn(word: np.uint32) -> tuple[np.float32, np.float32]:
    """Cosine and sine of 2 pi word 2^-32."""
    # The lower 30 bits, read as signed, are the distance from the nearest multiple of a quarter turn.
    x = np.float32(np.int32(np.uint32(word << np.uint32(2)))) * np.float32(2.0**-31)
    z = x * x
    sine = fma(fma(fma(SINE[3], z, SINE[2]), z, SINE[1]), z, SINE[0]) * x
    cosine = fma(fma(fma(COSINE[3], z, COSINE[2]), z, COSINE[1]), z, COSINE[0])
    # Rounded to quarter turns: an odd quarter swaps the two, and the sign of each is the top bit of a sum.
    quarter = np.uint32(word + np.uint32(1 << 29))
    odd = (quarter & np.uint32(1 << 30)) != 0
    across = sine if odd else cosine
    up = cosine if odd else sine
    across = _float(_bits(across) ^ np.int32(np.int32(np.uint32(word + np.uint32(3 << 29))) & _SIGN))
    up = _float(_bits(up) ^ np.int32(np.int32(quarter) & _SIGN))
    return across, up


@inline
def copy_into(values: FloatImage, out: FloatImage) -> None:
    """Copy; assigning a slice takes 0.3 ns a value in numba, this loop 0.05."""
    for i in range(out.size):
        out[i] = values[i]


@inline
def divide_levels(levels: Array, top: np.float32, out: FloatImage) -> None:
    """Levels / top, correctly rounded: a product and one Newton step, half the time of a division."""
    inverse = np.float32(1.0) / top
    for i in range(out.size):
        level = np.float32(levels[i])
        near = level * inverse
        out[i] = fma(fma(-near, top, level), inverse, near)


@kernel
def _uniform_kernel(name: FieldName, first: int, out: FloatImage) -> None:
    words = np.empty((4, BLOCKS), np.uint32)
    flat = np.empty(CHUNK, np.uint32)
    for start in range(-(first % 4), out.size, CHUNK):
        fill_flat_words(name, (first + start) // 4, words, flat)
        low, high = max(start, 0), min(start + CHUNK, out.size)
        _upper_bits(flat[low - start : high - start], out[low:high])


@inline
def _upper_bits(words: WordArray, out: FloatImage) -> None:
    for i in range(out.size):
        out[i] = np.float32(words[i] >> np.uint32(8)) * np.float32(2.0**-24)


@kernel
def _normal_kernel(name: FieldName, first: int, out: FloatImage) -> None:
    words = np.empty((4, BLOCKS), np.uint32)
    normals = np.empty(CHUNK, np.float32)
    for start in range(-(first % 4), out.size, CHUNK):
        fill_normals(name, (first + start) // 4, words, normals)
        low, high = max(start, 0), min(start + CHUNK, out.size)
        copy_into(normals[low - start : high - start], out[low:high])
