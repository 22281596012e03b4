"""Blur along a straight line: a camera or an object that moves evenly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw, Op
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.ops.trace import trace
from degradekit.rng import Draws
from degradekit.types import Array, Geometry, Series

__all__ = ["MotionBlur", "MotionBlurDraw", "line"]

_STEPS = 16
"""Positions for each px of the line; the kernel is off by less than 1/2000 of its sum in any pixel."""


def line(length: float, angle: float) -> Array:
    """Kernel of an even motion on a straight line through the middle pixel.

    Args:
        length: In px, 0 or more.
        angle: Radians from the x axis towards the y axis.

    Returns:
        float64, odd sides, point-symmetric, unit sum.

    Example:
        >>> line(0, 1.0).tolist(), line(3, 0.0).round(3).tolist()
        ([[1.0]], [[0.042, 0.292, 0.333, 0.292, 0.042]])
    """
    n = max(1, math.ceil(_STEPS * length))
    along = length * ((np.arange(n) + 0.5) / n - 0.5)
    return trace(math.cos(angle) * along, math.sin(angle) * along)


@dataclass(frozen=True, slots=True)
class MotionBlurDraw(FilterDraw):
    """A convolution with one line, or one for each frame.

    Args:
        length: In px.
        angle: Radians from the x axis towards the y axis.
    """

    name: ClassVar[str] = "motion_blur"

    length: Series
    angle: Series

    def kernels(self) -> Kernels:
        """One line."""
        return Kernels(line, (self.length, self.angle))


class MotionBlur(Op):
    """Smears the picture along a straight line, as an even motion during the exposure does.

    The line begins and ends between pixels, at any angle: every position counts by bilinear shares. It is centred, so
    nothing shifts.

    Args:
        length_range: Way during the exposure in px at this step's resolution, 0 to 60; larger smears more, 0 changes
            nothing.
        angle_range: Radians from the x axis towards the y axis; a half turn covers all directions.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: The linear motion kernel, for example M. M. Sondhi, "Image restoration: the removal of spatially invariant
    degradations", Proc. IEEE 60(7), 1972.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = MotionBlur.model_validate({"length_range": [0, 12], "angle_range": [0, "pi"]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> y = draw.apply(x)
        >>> bool(abs(y[0, 32, 31:33, 0].sum() - 1) < 0.002)
        True
        >>> bool((MotionBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "motion_blur"
    draws: ClassVar[type[Draw]] = MotionBlurDraw

    length_range: Annotated[Dist, Within(0, 60, hint="the length is in px")]
    angle_range: Annotated[Dist, Within(-7, 7, hint="angles are in radians: write pi/2")]

    def draw(self, u: Draws, g: Geometry) -> MotionBlurDraw:
        """Choose the length and the angle."""
        return MotionBlurDraw(self.length_range.draw(u, "length", g.t), self.angle_range.draw(u, "angle", g.t))
