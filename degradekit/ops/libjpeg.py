"""A JPEG round trip through libjpeg's arithmetic, without the entropy coding, which loses nothing.

What libjpeg-turbo's default encoder and decoder do to the samples, bit for bit: 16-bit fixed-point BT.601 full range,
chroma averaged down, edges repeated up to whole blocks, the ``islow`` transform with integer tables
(:mod:`degradekit.ops.islow`), and the triangular ("fancy") chroma interpolation.

Planes are kept as strips: uint8 ``[8, 8 N]`` with all N blocks of a plane side by side, row of blocks after row of
blocks, so that one loop runs through any image without remainders.

Source: ITU-T T.81 (1992), tables K.1 and K.2; JFIF 1.02 (1992); libjpeg 6b documentation for the quality scale.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy import float32, int16, int32, uint8, uint32

from degradekit.jit import inline, kernel, widest_vectors
from degradekit.ops.islow import LANES, requantise
from degradekit.types import Array, FloatImage

__all__ = [
    "SUBSAMPLING",
    "Subsampling",
    "jpeg_round_trip",
    "jpeg_round_trip_u8",
    "quantisation_tables",
    "round_trip",
    "scaled_table",
]

Subsampling: TypeAlias = Literal["4:4:4", "4:2:2", "4:2:0"]

SUBSAMPLING: dict[str, tuple[int, int]] = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}
"""Rows and columns of the image per chroma sample."""

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)

# Fixed-point coefficients of libjpeg's colour conversion, rounded to 16 fractional bits.
_Y_R, _Y_G, _Y_B = float32(19595 / 65536), float32(38470 / 65536), float32(7471 / 65536)
_CB_R, _CB_G = float32(11059 / 65536), float32(21709 / 65536)
_CR_G, _CR_B = float32(27439 / 65536), float32(5329 / 65536)
_C_BIAS = float32(128 + 32767 / 65536)
_R_CR, _G_CB, _G_CR, _B_CB = (float32(k / 65536) for k in (91881, 22554, 46802, 116130))
_HALF, _WHITE, _THIRD = float32(0.5), float32(255), float32(1 / 765)


@lru_cache(maxsize=128)  # 100 qualities; as pure as its argument
def quantisation_tables(quality: int) -> tuple[Array, Array]:
    """Luma and chroma steps, int32 ``[8, 8]`` in 1..255, that libjpeg uses at a quality.

    Example:
        >>> quantisation_tables(50)[0][0, :4].tolist(), quantisation_tables(90)[1][0, :4].tolist()
        ([16, 11, 10, 16], [3, 4, 5, 9])
    """
    tables = scaled_table(np.array((_LUMA, _CHROMA), np.int32), quality)
    tables.flags.writeable = False
    return tables[0], tables[1]


def scaled_table(base: Array, quality: int) -> Array:
    """Steps ``base`` scaled to a quality as libjpeg does: 50 leaves them, 100 makes them all 1; int32 in 1..255."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    scaled: Array = np.clip((base * percent + 50) // 100, 1, 255).astype(np.int32)
    return scaled


def jpeg_round_trip(x: FloatImage, quality: int, subsampling: Subsampling = "4:2:0") -> FloatImage:
    """Encode an image as baseline JPEG and decode it again.

    Samples are clipped to [0, 1] and rounded to 8 bits (halves up); what comes back are 8-bit samples over 255.

    Args:
        x: float32 ``[H, W, 3]`` RGB or ``[H, W, 1]`` grey.
        quality: libjpeg quality 1..100; larger loses less.
        subsampling: Chroma resolution; a grey image has none.

    Example:
        >>> grey = np.full((20, 30, 3), 0.5, np.float32)
        >>> (jpeg_round_trip(grey, 75)[0, 0] * 255).tolist()
        [128.0, 128.0, 128.0]
    """
    return round_trip(x, quantisation_tables(quality), subsampling)


def round_trip(x: FloatImage, tables: tuple[Array, Array], subsampling: Subsampling) -> FloatImage:
    """:func:`jpeg_round_trip` with any tables for luma and chroma, int32 ``[8, 8]`` in 1..255."""
    h, w, channels = x.shape
    luma, chroma = tables
    y = _strip(1, h, w)
    if channels == 1:
        _from_grey(x.reshape(h, w), y)
        requantise(y.view(np.uint32), luma)
        out = np.empty_like(x)
        _to_grey(y, out.reshape(h, w))
        return out
    rows, columns = SUBSAMPLING[subsampling]
    c = _strip(2, -(-h // rows), -(-w // columns))
    _from_rgb(x.reshape(h, 3 * w), rows, columns, y, c)
    requantise(y.view(np.uint32), luma)
    requantise(c.view(np.uint32), chroma)
    out = np.empty((h, w, 3), np.float32)
    _to_rgb(y, c, rows, columns, out.reshape(h, 3 * w))
    return out


def jpeg_round_trip_u8(x: Array, quality: int, subsampling: Subsampling = "4:2:0") -> Array:
    """:func:`jpeg_round_trip` of 8-bit samples, uint8 ``[H, W, 3]`` or ``[H, W, 1]``."""
    out = jpeg_round_trip(np.divide(x, float32(255), dtype=np.float32), quality, subsampling)
    levels: Array = np.rint(out * float32(255)).astype(np.uint8)
    return levels


def _strip(planes: int, h: int, w: int) -> Array:
    """Room for the blocks of some planes, up to a whole number of lanes."""
    blocks = planes * -(-h // 8) * -(-w // 8)
    return np.empty((8, 8 * LANES * -(-blocks // LANES)), np.uint8)


@inline
def _whole(n: int) -> int:
    """Samples up to whole blocks."""
    return (n + 7) // 8 * 8


@inline
def _start(y: int, begin: int, width: int) -> uint32:
    """Where row ``y`` of a plane starts in line ``y & 7`` of its strip (unsigned: no index counts from the end)."""
    return uint32(begin + (y >> 3) * width)


@kernel
def _from_rgb(x: Array, rows: int, columns: int, luma: Array, chroma: Array) -> None:
    """Colour conversion and chroma averaging into strips.

    The last sample is repeated up to whole blocks: to the right before averaging, but below it is the last row of
    averages that is repeated.
    """
    widest_vectors()
    h, w = x.shape[0], x.shape[1] // 3
    ch, cwide = (h + rows - 1) // rows, _whole((w + columns - 1) // columns)
    second = _whole(ch) // 8 * cwide
    full = np.empty((4, columns * cwide), np.uint8)
    for cy in range(ch):
        for k in range(rows):
            y = min(cy * rows + k, h - 1)
            start = _start(y, 0, _whole(w))
            for i in range(w):  # 16-bit fixed-point sums below 2^24, which float32 holds exactly
                r, g, b = _level(x[y, 3 * i]), _level(x[y, 3 * i + 1]), _level(x[y, 3 * i + 2])
                luma[y & 7, start + i] = uint8(int32(_HALF + r * _Y_R + g * _Y_G + b * _Y_B))
                full[k, i] = uint8(int32(_C_BIAS + b * _HALF - r * _CB_R - g * _CB_G))
                full[2 + k, i] = uint8(int32(_C_BIAS + r * _HALF - g * _CR_G - b * _CR_B))
            _repeat_last(luma, y & 7, start + w - 1, _whole(w) - w)
            _repeat_last(full, k, w - 1, columns * cwide - w)
            _repeat_last(full, 2 + k, w - 1, columns * cwide - w)
        _average(full, 0, rows, columns, chroma, cy & 7, _start(cy, 0, cwide))
        _average(full, 2, rows, columns, chroma, cy & 7, _start(cy, second, cwide))
    _repeat_last_row(luma, h, 0, _whole(w))
    _repeat_last_row(chroma, ch, 0, cwide)
    _repeat_last_row(chroma, ch, second, cwide)


@inline
def _level(v: float32) -> float32:
    """8-bit level of a sample, as a whole float32."""
    return float32(int32(min(max(v, float32(0.0)), float32(1.0)) * _WHITE + _HALF))


@inline
def _unit(level: float32) -> float32:
    """``level / 255`` for whole levels up to 255, to the last bit (tried for all) and without dividing."""
    return (level * float32(3.0)) * _THIRD


@inline
def _average(full: Array, top: int, rows: int, columns: int, out: Array, y: int, start: uint32) -> None:
    """Means of 1x1, 1x2 or 2x2 samples; libjpeg alternates the rounding along a row (bias 0, 1 of 2 or 1, 2 of 4)."""
    low = top + rows - 1
    if columns == 1:
        for i in range(full.shape[1]):
            out[y, start + i] = full[top, i]
    else:
        # One row taken twice gives twice the sum of two, so 1x2 and 2x2 share one formula.
        for i in range(full.shape[1] // 4):
            a = int32(full[top, 4 * i]) + int32(full[top, 4 * i + 1])
            b = int32(full[low, 4 * i]) + int32(full[low, 4 * i + 1])
            out[y, start + 2 * i] = uint8(int32(a + b + 1) >> 2)
            a = int32(full[top, 4 * i + 2]) + int32(full[top, 4 * i + 3])
            b = int32(full[low, 4 * i + 2]) + int32(full[low, 4 * i + 3])
            out[y, start + 2 * i + 1] = uint8(int32(a + b + 2) >> 2)


@inline
def _repeat_last(rows: Array, y: int, last: int, count: int) -> None:
    for i in range(1, count + 1):
        rows[y, last + i] = rows[y, last]


@inline
def _repeat_last_row(strip: Array, n: int, begin: int, width: int) -> None:
    last = _start(n - 1, begin, width)
    for y in range(n, _whole(n)):
        for i in range(width):
            strip[y & 7, last + i] = strip[(n - 1) & 7, last + i]


@kernel
def _to_rgb(luma: Array, chroma: Array, rows: int, columns: int, out: Array) -> None:
    """Chroma interpolation and colour conversion out of strips."""
    widest_vectors()
    h, w = out.shape[0], out.shape[1] // 3
    ch, cw = (h + rows - 1) // rows, (w + columns - 1) // columns
    second = _whole(ch) // 8 * _whole(cw)
    total = np.empty(cw + 2, np.int16)
    full = np.empty((2, columns * cw), np.int16)
    for y in range(h):
        near = y // rows
        far = near if rows == 1 else min(max(near + 2 * (y & 1) - 1, 0), ch - 1)
        for p in range(2):
            a, b = _start(near, p * second, _whole(cw)), _start(far, p * second, _whole(cw))
            if columns == 1:
                for i in range(cw):
                    full[p, i] = int16(chroma[near & 7, a + i]) - int16(128)
            elif cw <= 2:  # libjpeg only repeats samples in rows as short as this
                for i in range(2 * cw):
                    full[p, i] = int16(chroma[near & 7, a + (i >> 1)]) - int16(128)
            elif rows == 1:
                for i in range(cw):
                    total[i + 1] = int16(chroma[near & 7, a + i])
                _triangle(total, 2, (1, 2), full, p)
            else:
                for i in range(cw):
                    total[i + 1] = int16(int16(3) * int16(chroma[near & 7, a + i]) + int16(chroma[far & 7, b + i]))
                _triangle(total, 4, (8, 7), full, p)
        start = _start(y, 0, _whole(w))
        for i in range(w):
            v, cb, cr = float32(luma[y & 7, start + i]) + _HALF, float32(full[0, i]), float32(full[1, i])
            out[y, 3 * i] = _sample(v + cr * _R_CR)
            out[y, 3 * i + 1] = _sample(v - cb * _G_CB - cr * _G_CR)
            out[y, 3 * i + 2] = _sample(v + cb * _B_CB)


@inline
def _triangle(total: Array, bits: int, bias: tuple[int, int], out: Array, p: int) -> None:
    """Two samples from each total of weight 2^bits / 4: 3/4 of it and 1/4 of the neighbour, minus 128."""
    n = total.size - 2
    total[0], total[n + 1] = total[1], total[n]  # libjpeg's ends: the sample itself is its own neighbour
    before, after = int16(bias[0] - (128 << bits)), int16(bias[1] - (128 << bits))
    for i in range(n):
        centre = int16(int16(3) * total[i + 1])
        out[p, 2 * i] = int16(centre + total[i] + before) >> bits
        out[p, 2 * i + 1] = int16(centre + total[i + 2] + after) >> bits


@inline
def _sample(v: float32) -> float32:
    """Range-limit and truncate; exact to 2^-16 wherever the clamp does not decide."""
    return _unit(float32(int32(min(max(v, float32(0.0)), _WHITE))))


@kernel
def _from_grey(x: Array, luma: Array) -> None:
    h, w = x.shape
    for y in range(h):
        start = _start(y, 0, _whole(w))
        for i in range(w):
            luma[y & 7, start + i] = uint8(int32(_level(x[y, i])))
        _repeat_last(luma, y & 7, start + w - 1, _whole(w) - w)
    _repeat_last_row(luma, h, 0, _whole(w))


@kernel
def _to_grey(luma: Array, out: Array) -> None:
    h, w = out.shape
    for y in range(h):
        start = _start(y, 0, _whole(w))
        for i in range(w):
            out[y, i] = _unit(float32(luma[y & 7, start + i]))
