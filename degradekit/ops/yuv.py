"""Video samples: RGB clips to 8-bit or 10-bit Y'CbCr planes of a stated matrix, range and chroma resolution, and back.

Chroma samples lie in the middle of the pixels that they stand for: means on the way down, linear interpolation on the
way up, so that colours do not move against brightness.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from degradekit.ops.colour import clip01, from_ycbcr, to_ycbcr
from degradekit.types import Array, FloatImage

__all__ = ["DEPTHS", "SUBSAMPLING", "Planes", "Signal", "from_planes", "to_planes"]

SUBSAMPLING: dict[str, tuple[int, int]] = {"4:4:4": (1, 1), "4:2:2": (1, 2), "4:2:0": (2, 2)}
"""Rows and columns of the picture per chroma sample."""

DEPTHS = {"8-bit": 8, "10-bit": 10}

_LIMITED = (16.0, 219.0, 224.0)


class Planes(NamedTuple):
    """uint8, of 10 bits uint16, ``[T, H, W]`` of luma, and of both colour differences at their own resolution."""

    y: Array
    cb: Array
    cr: Array


class Signal(NamedTuple):
    """What samples mean.

    Args:
        subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
        matrix: ``bt601`` or ``bt709``.
        range: ``limited`` (black 16, white 235) or ``full`` (0 to 255); four times as much in 10 bits.
        depth: ``8-bit`` or ``10-bit``.
    """

    subsampling: str
    matrix: str
    range: str
    depth: str = "8-bit"


def to_planes(x: FloatImage, signal: Signal) -> Planes:
    """Clip an RGB or grey clip to [0, 1] and turn it into planes, rounding halves up.

    Args:
        x: ``[T, H, W, 3]`` or ``[T, H, W, 1]``; height and width are whole numbers of chroma samples.
        signal: Of the planes.

    Example:
        >>> red = np.float32([1, 0, 0]).reshape(1, 1, 1, 3)
        >>> [int(plane.item()) for plane in to_planes(red, Signal("4:4:4", "bt601", "limited"))]
        [81, 90, 240]
    """
    black, luma, chroma, middle = _scales(signal)
    x = clip01(x.copy())
    if x.shape[3] == 1:
        y, cb, cr = x[..., 0], np.zeros_like(x[..., 0]), np.zeros_like(x[..., 0])
    else:
        y, cb, cr = to_ycbcr(x, signal.matrix)
    factors = SUBSAMPLING[signal.subsampling]
    bits = DEPTHS[signal.depth]
    return Planes(_levels(y, luma, black, bits), *(_levels(_mean(c, factors), chroma, middle, bits) for c in (cb, cr)))


def from_planes(planes: Planes, signal: Signal, channels: int = 3) -> FloatImage:
    """The clip of :func:`to_planes`'s planes, float32 ``[T, H, W, channels]`` in [0, 1], not rounded.

    Example:
        >>> grey = Planes(*(np.full((1, 2, 2), level, np.uint8) for level in (16, 128, 128)))
        >>> from_planes(grey, Signal("4:4:4", "bt709", "limited")).max().item()
        0.0
    """
    black, luma, chroma, middle = _scales(signal)
    y = (planes.y.astype(np.float32) - np.float32(black)) / np.float32(luma)
    if channels == 1:
        return clip01(y[..., None])
    rows, columns = SUBSAMPLING[signal.subsampling]
    cb, cr = ((plane.astype(np.float32) - np.float32(middle)) / np.float32(chroma) for plane in planes[1:])
    if rows == 2:
        cb, cr = _doubled(cb, 1), _doubled(cr, 1)
    if columns == 2:
        cb, cr = _doubled(cb, 2), _doubled(cr, 2)
    return clip01(from_ycbcr(y, cb, cr, signal.matrix))


def _scales(signal: Signal) -> tuple[float, float, float, float]:
    """Level of black, how many levels luma and chroma span, and the level of no colour.

    Source: ITU-R BT.601-7 section 2.5.3 and BT.709-6 section 4 (10 bits: four times the levels of 8); JFIF 1.02 and
    BT.2100 for the full range.
    """
    bits = DEPTHS[signal.depth]
    middle = float(1 << bits - 1)
    if signal.range == "full":
        return 0.0, 2 * middle - 1, 2 * middle - 1, middle
    black, luma, chroma = (level * middle / 128 for level in _LIMITED)
    return black, luma, chroma, middle


def _levels(plane: FloatImage, span: float, offset: float, bits: int) -> Array:
    levels = plane * np.float32(span)
    levels += np.float32(offset + 0.5)
    return np.clip(levels, 0, (1 << bits) - 1, out=levels).astype(np.uint8 if bits == 8 else np.uint16)


def _mean(c: FloatImage, factors: tuple[int, int]) -> FloatImage:
    rows, columns = factors
    t, h, w = c.shape
    mean: FloatImage = c.reshape(t, h // rows, rows, w // columns, columns).mean((2, 4), dtype=np.float32)
    return mean


def _doubled(c: FloatImage, axis: int) -> FloatImage:
    """Twice as many samples: 3/4 of the nearest and 1/4 of the next; the outermost repeat."""
    n = c.shape[axis]
    i = np.arange(2 * n)
    near, far = i // 2, np.clip(i // 2 + 2 * (i % 2) - 1, 0, n - 1)
    doubled: FloatImage = np.float32(0.75) * c.take(near, axis) + np.float32(0.25) * c.take(far, axis)
    return doubled
