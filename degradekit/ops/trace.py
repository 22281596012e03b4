"""The blur kernel of a camera that moves during the exposure."""

from __future__ import annotations

import math

import numpy as np

from degradekit.types import Array

__all__ = ["trace"]


def trace(x: Array, y: Array) -> Array:
    """Share of the exposure that each pixel receives from a point of light that moves over the sensor.

    A position between pixels counts for its four neighbours by bilinear shares, so the centre of gravity of the
    kernel is exactly the mean position.

    Args:
        x: Positions in px to the right of the middle pixel, at equal intervals of time.
        y: The same downwards.

    Returns:
        float64 ``[2 ry + 1, 2 rx + 1]``, unit sum.

    Example:
        >>> trace(np.array([0.25, 0.25]), np.zeros(2)).tolist()
        [[0.0, 0.75, 0.25]]
    """
    reach_x, reach_y = _reach(x), _reach(y)
    column, row = np.floor(x), np.floor(y)
    right, down = x - column, y - row
    width, height = 2 * reach_x + 2, 2 * reach_y + 2  # one more each, for the neighbours of the last pixel
    at = ((row + reach_y) * width + column + reach_x).astype(np.int64)
    corners = np.concatenate([at, at + 1, at + width, at + width + 1])
    shares = np.concatenate([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right])
    kernel: Array = np.bincount(corners, shares, minlength=width * height).reshape(height, width)[:-1, :-1]
    kernel /= kernel.sum()
    return kernel


def _reach(positions: Array) -> int:
    return math.ceil(float(np.abs(positions).max()))
