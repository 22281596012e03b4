"""Blur with a disc: a lens out of focus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw, Op
from degradekit.ops.convolve import convolve
from degradekit.ops.rolling import convolve_rolling
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["DiscBlur", "DiscBlurDraw", "disc"]

LARGE = 14
"""Radius in px from which on a moving sum is quicker; see :mod:`degradekit.ops.rolling`."""


def disc(radius: float) -> Array:
    """Share of a disc that falls on each pixel: exact areas, unit sum.

    Args:
        radius: In px, > 0, around the centre of the middle pixel; up to 1/2 the disc stays inside that pixel.

    Returns:
        float64 ``[size, size]`` with size = 2 ceil(radius - 1/2) + 1.

    Example:
        >>> disc(0.5).tolist(), disc(0.9).shape
        ([[1.0]], (3, 3))
    """
    reach = max(math.ceil(radius - 0.5), 0)
    edges = np.arange(-reach, reach + 2) - 0.5
    corner = _quadrant(np.abs(edges)[:, None], np.abs(edges)[None, :], radius)
    signed = np.sign(edges)[:, None] * np.sign(edges)[None, :] * corner
    area: Array = np.maximum(np.diff(np.diff(signed, axis=0), axis=1), 0.0)
    area /= area.sum()
    return area


def _quadrant(x: Array, y: Array, radius: float) -> Array:
    """Area of the disc with coordinates in [0, x] and [0, y].

    Below the height y the quarter disc is a rectangle up to a = sqrt(r^2 - y^2), and the integral of sqrt(r^2 - u^2)
    from there to x.
    """

    x, y = np.minimum(x, radius), np.minimum(y, radius)
    a = np.minimum(np.sqrt(radius * radius - y * y), x)
    area: Array = a * y + _below_arc(x, radius) - _below_arc(a, radius)
    return area


def _below_arc(x: Array, radius: float) -> Array:
    """Integral of sqrt(r^2 - u^2) from 0 to x."""
    height = np.sqrt(np.maximum(radius * radius - x * x, 0.0))
    area: Array = 0.5 * (x * height + radius * radius * np.arcsin(np.minimum(x / radius, 1.0)))
    return area


def _blurred(x: FloatImage, radius: float) -> FloatImage:
    return (convolve if radius < LARGE else convolve_rolling)(x, disc(radius))


@dataclass(frozen=True, slots=True)
class DiscBlurDraw(Draw):
    """A convolution with one disc, or one for each frame.

    Args:
        radius: In px.
    """

    name: ClassVar[str] = "disc_blur"
    version: ClassVar[int] = 2

    radius: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Convolve every channel."""
        if not isinstance(self.radius, tuple):
            return _blurred(x, self.radius)
        return np.concatenate([_blurred(x[t : t + 1], radius) for t, radius in enumerate(self.radius)])


class DiscBlur(Op):
    """Spreads every point over an even disc, as a lens with an open aperture does with what is out of focus.

    Args:
        radius_range: Radius in px at this step's resolution, 0.1 to 25; larger blurs more, and up to 1/2 nothing
            changes. Any fraction counts: pixels on the rim weigh as much as the disc covers of them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: The pillbox of geometrical optics, for example A. P. Pentland, "A new sense for depth of field", IEEE TPAMI
    9(4), 1987; the pixel areas are our integral.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = DiscBlur.model_validate({"radius_range": [0.5, 4]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> y = draw.apply(x)
        >>> bool(abs(y[0, 32, 31:33, 0].sum() - 1) < 0.002)
        True
        >>> bool((DiscBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "disc_blur"
    draws: ClassVar[type[Draw]] = DiscBlurDraw

    radius_range: Annotated[Dist, Within(0.1, 25, hint="the radius is in px")]

    def draw(self, u: Draws, g: Geometry) -> DiscBlurDraw:
        """Choose the radius."""
        return DiscBlurDraw(self.radius_range.draw(u, "radius", g.t))
