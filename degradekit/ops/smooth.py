"""Smooth random fields: a coarse lattice of normal numbers under a cubic B-spline."""

from __future__ import annotations

import math

import numpy as np

from degradekit.fields import normal_field
from degradekit.types import Array, FloatImage

__all__ = ["smooth_field"]

_VARIANCE = 151 / 315
"""Mean sum of squared weights of a cubic B-spline along one axis."""


def smooth_field(field: str, h: int, w: int, *, size: float) -> FloatImage:
    """Make a smooth field, of mean 0 and variance 1 over many fields.

    Args:
        field: Name of the normal field, 32 hex digits.
        h: Height in px.
        w: Width in px.
        size: Distance of the lattice's points in longer sides of the picture, above 0; larger is smoother. The field
            does not depend on how many px the picture has.

    Returns:
        float32 ``[h, w]``.

    Example:
        >>> field = "00112233445566778899aabbccddeeff"
        >>> small, large = (smooth_field(field, n, n, size=0.25) for n in (64, 192))
        >>> bool(abs(large[1::3, 1::3] - small).max() < 1e-5)
        True
    """
    spacing = size * max(h, w)
    rows, row_weights = _spline(h, spacing)
    columns, column_weights = _spline(w, spacing)
    count = int(columns[-1]) + 4
    lattice = normal_field(field, (int(rows[-1]) + 4) * count).reshape(-1, count)
    wide = lattice[:, columns] * column_weights[0]
    for k in range(1, 4):
        wide += lattice[:, columns + k] * column_weights[k]
    out: FloatImage = wide[rows] * row_weights[0][:, None]
    for k in range(1, 4):
        out += wide[rows + k] * row_weights[k][:, None]
    return out


def _spline(n: int, spacing: float) -> tuple[Array, FloatImage]:
    """First of the four lattice points around each of ``n`` px, and their weights, float32 [4, n]."""
    at = (np.arange(n) + 0.5) / spacing
    first = np.floor(at).astype(np.int64)
    s = at - first
    weights = [(1 - s) ** 3, 3 * s**3 - 6 * s**2 + 4, -3 * s**3 + 3 * s**2 + 3 * s + 1, s**3]
    return first, (np.stack(weights) / (6 * math.sqrt(_VARIANCE))).astype(np.float32)
