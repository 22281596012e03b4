"""Colour from a Bayer mosaic: the missing two colours of every pixel, from its neighbours.

``bilinear`` takes the mean of the nearest pixels of the wanted colour. ``malvar`` adds a share of the Laplacian of the
colour that is known, because colours change together: 1/2 for green, 5/8 at green pixels, 3/4 between red and blue.
Borders go on by reflection about the outermost pixels, which keeps the mosaic in step.

Source: H. S. Malvar, L. He, R. Cutler, "High-quality linear interpolation for demosaicing of Bayer-patterned color
images", ICASSP 2004, figure 2.
"""

from __future__ import annotations

import numpy as np
from numpy import float32

from degradekit.jit import inline, kernel
from degradekit.types import Array, FloatImage

__all__ = ["PATTERNS", "demosaic"]

PATTERNS: dict[str, tuple[int, int]] = {"rggb": (0, 0), "grbg": (0, 1), "gbrg": (1, 0), "bggr": (1, 1)}
"""Row and column, modulo 2, of the red pixels; blue ones are one row and one column further."""

_REACH = 2


def demosaic(raw: FloatImage, pattern: str, *, corrected: bool) -> FloatImage:
    """Fill in the missing colours.

    Args:
        raw: float32 ``[H, W]``, at least 2 x 2 px, any range.
        pattern: Name in ``PATTERNS``: the colours of the first two rows.
        corrected: Malvar, He and Cutler's filters instead of bilinear ones.

    Returns:
        float32 ``[H, W, 3]``, not clipped.

    Example:
        >>> bool((demosaic(np.full((4, 6), 0.5, np.float32), "rggb", corrected=True) == 0.5).all())
        True
    """
    padded = np.pad(raw, _REACH, mode="reflect")
    out = np.empty((*raw.shape, 3), np.float32)
    _demosaic(padded, PATTERNS[pattern], float32(1 if corrected else 0), out)
    return out


@kernel
def _demosaic(raw: Array, red: tuple[int, int], share: float32, out: Array) -> None:
    h, w, _ = out.shape
    for y in range(h):
        rows = raw[y : y + 2 * _REACH + 1]
        own = 0 if (y - red[0]) % 2 == 0 else 2  # the colour that this row has beside green
        start = red[1] if own == 0 else 1 - red[1]
        for x in range(start, w, 2):
            _at_colour(rows, x + _REACH, share, own, out[y, x])
        for x in range(1 - start, w, 2):
            _at_green(rows, x + _REACH, share, own, out[y, x])


@inline
def _at_colour(r: Array, i: int, share: float32, own: int, pixel: Array) -> None:
    """At a red (own 0) or blue (own 2) pixel, in the middle of five rows."""
    far = float32(0.25) * (r[0, i] + r[2, i - 2] + r[2, i + 2] + r[4, i])
    laplacian = share * (r[2, i] - far)
    pixel[own] = r[2, i]
    pixel[1] = float32(0.25) * (r[1, i] + r[2, i - 1] + r[2, i + 1] + r[3, i]) + float32(0.5) * laplacian
    diagonal = float32(0.25) * (r[1, i - 1] + r[1, i + 1] + r[3, i - 1] + r[3, i + 1])
    pixel[2 - own] = diagonal + float32(0.75) * laplacian


@inline
def _at_green(r: Array, i: int, share: float32, own: int, pixel: Array) -> None:
    """At a green pixel whose row has colour ``own``."""
    diagonal = r[1, i - 1] + r[1, i + 1] + r[3, i - 1] + r[3, i + 1]
    across, along = r[2, i - 2] + r[2, i + 2], r[0, i] + r[4, i]
    scale = share * float32(0.125)
    pixel[1] = r[2, i]
    beside = float32(5) * r[2, i] - diagonal - across + float32(0.5) * along
    pixel[own] = float32(0.5) * (r[2, i - 1] + r[2, i + 1]) + scale * beside
    above = float32(5) * r[2, i] - diagonal - along + float32(0.5) * across
    pixel[2 - own] = float32(0.5) * (r[1, i] + r[3, i]) + scale * above
