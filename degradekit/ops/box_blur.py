"""Blur with a box: a moving average of any width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw, Op
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.rng import Draws
from degradekit.types import Array, Geometry, Series

__all__ = ["BoxBlur", "BoxBlurDraw", "box"]


def box(width_x: float, width_y: float) -> Array:
    """Share of a rectangle that falls on each pixel.

    Args:
        width_x: Width in px, 1 or more.
        width_y: Height in px, 1 or more.

    Returns:
        float64, odd sides, unit sum.

    Example:
        >>> box(2, 1).tolist()
        [[0.25, 0.5, 0.25]]
    """
    return np.outer(_taps(width_y), _taps(width_x))


def _taps(width: float) -> Array:
    reach = math.ceil((width - 1) / 2)
    taps = np.ones(2 * reach + 1)
    taps[[0, -1]] = (width - (2 * reach - 1)) / 2 if reach else 1.0
    taps /= taps.sum()
    return taps


@dataclass(frozen=True, slots=True)
class BoxBlurDraw(FilterDraw):
    """A mean over one rectangle, or one for each frame.

    Args:
        width_x: Width in px.
        width_y: Height in px.
    """

    name: ClassVar[str] = "box_blur"

    width_x: Series
    width_y: Series

    def kernels(self) -> Kernels:
        """One rectangle."""
        return Kernels(box, (self.width_x, self.width_y))


class BoxBlur(Op):
    """Replaces every pixel by the mean of a rectangle around it, as cheap filters in software do.

    Args:
        width_x_range: Width in px at this step's resolution, 1 to 51; larger blurs more, 1 changes nothing. Fractions
            count: the outermost pixels weigh as much as the rectangle covers of them, so width 2 is (1/4, 1/2, 1/4).
        width_y_range: Height in px; omitted for a square, where it equals the width.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: The moving average; fractional widths as in P. Gwosdek, S. Grewenig, A. Bruhn, J. Weickert, "Theoretical
    foundations of Gaussian convolution by extended box filtering", SSVM 2011.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = BoxBlur.model_validate({"width_x_range": [1, 7]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> draw.width_x == draw.width_y
        True
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> y = draw.apply(x)
        >>> bool(abs(y[0, 32, 31:33, 0].sum() - 1) < 0.002)
        True
        >>> bool((BoxBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "box_blur"
    draws: ClassVar[type[Draw]] = BoxBlurDraw

    width_x_range: Annotated[Dist, Within(1, 51, hint="the width is in px")]
    width_y_range: Annotated[Dist, Within(1, 51, hint="the width is in px")] | None = None

    def draw(self, u: Draws, g: Geometry) -> BoxBlurDraw:
        """Choose the width and the height."""
        width_x = self.width_x_range.draw(u, "width_x", g.t)
        return BoxBlurDraw(width_x, self.width_y_range.draw(u, "width_y", g.t) if self.width_y_range else width_x)
