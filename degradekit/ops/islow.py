"""JPEG's lossy middle: forward DCT, quantisation and inverse DCT of 8x8 blocks, as libjpeg's ``islow`` rounds them.

The transform is the eleven-multiplication DCT of Loeffler, Ligtenberg and Moschytz in integers: constants of 13
fractional bits, two extra bits between the passes, one rounding per pass and coefficient. Both passes are exact integer
sums up to that rounding, so any order of evaluation gives libjpeg's bits.

Lanes are neighbouring blocks. Four samples of a block row are one 32-bit word, so a shift takes sample k of many blocks
at once, and no transposition is needed on the way in or out.

Nothing overflows or saturates, for any image and any table: with samples within 128 of the middle and every coefficient
off by at most half a step of 255, sums before the last rounding stay below 2^28, and what libjpeg's vector code keeps
in 16 bits between the passes stays below 2^13.

Source: C. Loeffler, A. Ligtenberg, G. S. Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications",
ICASSP 1989; ITU-T T.81 (1992), annex A.3 and figure 8 of the paper.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy import float32, int32, uint32

from degradekit.jit import inline, kernel, widest_vectors
from degradekit.types import Array

__all__ = ["LANES", "matrices", "requantise"]

LANES = 16
"""Blocks side by side in one turn of the inner loops; a strip holds a multiple of it."""

Eight: TypeAlias = tuple[int32, int32, int32, int32, int32, int32, int32, int32]

# cos and sin of k pi / 16 combinations, times 2^13, rounded (figure 1 of the paper, names by value).
_0_298, _0_390, _0_541, _0_765 = 2446, 3196, 4433, 6270
_0_899, _1_175, _1_501, _1_847 = 7373, 9633, 12299, 15137
_1_961, _2_053, _2_562, _3_072 = 16069, 16819, 20995, 25172

_LEVEL = 128 * 8 << 13  # what the shift of samples by -128 takes from the first coefficient of the row pass
_CENTRE = (128 << 18) + (1 << 17)  # samples back around 128, and the rounding of the last pass
_NEAREST = float32(12582912.0)  # 1.5 * 2^23: adding it leaves a float32 no fractional bits


@kernel
def requantise(words: Array, table: Array) -> None:
    """Replace every 8x8 block by what is left of it after quantisation.

    Args:
        words: uint8 samples ``[8, 8 N]`` viewed as uint32 ``[8, 2 N]``: N blocks side by side, N a multiple of
            :data:`LANES`; overwritten.
        table: int32 ``[8, 8]`` quantisation steps 1..255, rows are vertical frequencies; larger loses more.
    """
    widest_vectors()
    scale, steps = np.empty((8, 8), np.float32), np.empty((8, 8), np.float32)
    for v in range(8):
        for u in range(8):
            # A hair above 1/step sends exact halves away from zero; 2^-18 exceeds float32 rounding and stays below
            # the distance of any other quotient to a half, since coefficients times 8 are below 2^15.
            scale[v, u] = (1.0 + 2.0**-18) / (8.0 * table[v, u])
            steps[v, u] = table[v, u]
    work = np.empty((8, 8, LANES), np.int32)  # [row or vertical frequency, horizontal frequency, block]
    for turn in range(words.shape[1] // (2 * LANES)):
        first = uint32(turn * 2 * LANES)
        for y in range(8):
            for i in range(LANES):
                x = _samples(words[y, first + 2 * i], words[y, first + 2 * i + 1])
                s0, s1, s2, s3, s4, s5, s6, s7 = _forward(x, 1 << 10)
                work[y, 0, i] = (s0 - _LEVEL) >> 11
                work[y, 1, i] = s1 >> 11
                work[y, 2, i] = s2 >> 11
                work[y, 3, i] = s3 >> 11
                work[y, 4, i] = s4 >> 11
                work[y, 5, i] = s5 >> 11
                work[y, 6, i] = s6 >> 11
                work[y, 7, i] = s7 >> 11
        for u in range(8):
            r0, r1, r2, r3, r4, r5, r6, r7 = _column(scale, u)
            q0, q1, q2, q3, q4, q5, q6, q7 = _column(steps, u)
            for i in range(LANES):
                x = (work[0, u, i], work[1, u, i], work[2, u, i], work[3, u, i],
                     work[4, u, i], work[5, u, i], work[6, u, i], work[7, u, i])  # fmt: skip
                s0, s1, s2, s3, s4, s5, s6, s7 = _forward(x, 1 << 14)
                c = (_round(s0, r0, q0), _round(s1, r1, q1), _round(s2, r2, q2), _round(s3, r3, q3),
                     _round(s4, r4, q4), _round(s5, r5, q5), _round(s6, r6, q6), _round(s7, r7, q7))  # fmt: skip
                s0, s1, s2, s3, s4, s5, s6, s7 = _inverse(c, 1 << 10)
                work[0, u, i] = s0 >> 11
                work[1, u, i] = s1 >> 11
                work[2, u, i] = s2 >> 11
                work[3, u, i] = s3 >> 11
                work[4, u, i] = s4 >> 11
                work[5, u, i] = s5 >> 11
                work[6, u, i] = s6 >> 11
                work[7, u, i] = s7 >> 11
        for y in range(8):
            for i in range(LANES):
                c = (work[y, 0, i], work[y, 1, i], work[y, 2, i], work[y, 3, i],
                     work[y, 4, i], work[y, 5, i], work[y, 6, i], work[y, 7, i])  # fmt: skip
                s0, s1, s2, s3, s4, s5, s6, s7 = _inverse(c, _CENTRE)
                words[y, first + 2 * i] = _word(s0, s1, s2, s3)
                words[y, first + 2 * i + 1] = _word(s4, s5, s6, s7)


def matrices() -> tuple[Array, Array]:
    """One pass of the transform and of its inverse as matrices of whole numbers, times sqrt(8) 2^13.

    Example:
        >>> forward, inverse = matrices()
        >>> bool(abs(inverse @ forward / 2**29 - np.eye(8)).max() < 1e-4)
        True
    """
    units = [tuple(row) for row in np.eye(8, dtype=np.int32)]
    forward, inverse = (
        np.array([direction(unit, 0) for unit in units], np.int64).T for direction in (_forward, _inverse)
    )
    return forward, inverse


@inline
def _forward(x: Eight, half: int) -> Eight:
    """Eight samples to eight coefficients, times sqrt(8) 2^13, plus ``half``."""
    x0, x1, x2, x3, x4, x5, x6, x7 = x
    a07, a16, a25, a34 = int32(x0 + x7), int32(x1 + x6), int32(x2 + x5), int32(x3 + x4)
    d07, d16, d25, d34 = int32(x0 - x7), int32(x1 - x6), int32(x2 - x5), int32(x3 - x4)
    p03, p12 = int32(a07 + a34), int32(a16 + a25)
    m03, m12 = int32(a07 - a34), int32(a16 - a25)
    even = int32((m03 + m12) * _0_541 + half)
    odd_a, odd_b, odd_c, odd_d = _odd(d07, d16, d25, d34, half)
    return (
        int32((p03 + p12) * 8192 + half),
        odd_a,
        int32(even + m03 * _0_765),
        odd_b,
        int32((p03 - p12) * 8192 + half),
        odd_c,
        int32(even - m12 * _1_847),
        odd_d,
    )


@inline
def _inverse(c: Eight, half: int) -> Eight:
    """Eight coefficients to eight samples, times sqrt(8) 2^13, plus ``half``."""
    c0, c1, c2, c3, c4, c5, c6, c7 = c
    dc = int32(c0 * 8192 + half)
    sum04, dif04 = int32(dc + c4 * 8192), int32(dc - c4 * 8192)
    even = int32((c2 + c6) * _0_541)
    rot2, rot6 = int32(even + c2 * _0_765), int32(even - c6 * _1_847)
    e0, e1, e2, e3 = int32(sum04 + rot2), int32(dif04 + rot6), int32(dif04 - rot6), int32(sum04 - rot2)
    o0, o1, o2, o3 = _odd(c1, c3, c5, c7, 0)
    return (
        int32(e0 + o0),
        int32(e1 + o1),
        int32(e2 + o2),
        int32(e3 + o3),
        int32(e3 - o3),
        int32(e2 - o2),
        int32(e1 - o1),
        int32(e0 - o0),
    )


@inline
def _odd(a: int32, b: int32, c: int32, d: int32, half: int) -> tuple[int32, int32, int32, int32]:
    """The odd half of the transform: a symmetric 4x4 matrix, so it serves both directions."""
    bd, ac = int32(b + d), int32(a + c)
    both = int32((ac + bd) * _1_175 + half)
    bd, ac = int32(both - bd * _1_961), int32(both - ac * _0_390)
    ad, bc = int32((a + d) * -_0_899), int32((b + c) * -_2_562)
    return (
        int32(a * _1_501 + ad + ac),
        int32(b * _3_072 + bc + bd),
        int32(c * _2_053 + bc + ac),
        int32(d * _0_298 + ad + bd),
    )


@inline
def _round(total: int32, scale: float32, step: float32) -> int32:
    """Descale a coefficient to 8 times its value, then quantise it and back, halves away from zero."""
    level = float32(int32(total >> 15)) * scale + _NEAREST
    return int32((level - _NEAREST) * step)


@inline
def _samples(low: uint32, high: uint32) -> Eight:
    return (
        int32(low & 255), int32((low >> 8) & 255), int32((low >> 16) & 255), int32(low >> 24),
        int32(high & 255), int32((high >> 8) & 255), int32((high >> 16) & 255), int32(high >> 24),
    )  # fmt: skip


@inline
def _word(a: int32, b: int32, c: int32, d: int32) -> uint32:
    return uint32(_sample(a) | (_sample(b) << 8) | (_sample(c) << 16) | (_sample(d) << 24))


@inline
def _sample(total: int32) -> int32:
    return min(max(int32(total >> 18), int32(0)), int32(255))


@inline
def _column(m: Array, u: int) -> tuple[float32, ...]:
    return m[0, u], m[1, u], m[2, u], m[3, u], m[4, u], m[5, u], m[6, u], m[7, u]
