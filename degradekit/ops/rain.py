"""Rain: streaks of falling drops before the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Const, Dist, Within
from degradekit.fields import uniform_field
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.convolve import convolve
from degradekit.ops.motion_blur import line
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Rain", "RainDraw"]


@dataclass(frozen=True, slots=True)
class RainDraw(Draw):
    """Streaks of one determined number, length and direction; where they are is regenerated from ``field``.

    Args:
        density: Drops per pixel, for the clip or for each frame.
        length: Of a streak in px.
        angle: Radians from the x axis towards the y axis.
        opacity: Of the largest drop, 0 to 1.
        brightness: Level of the streaks in [0, 1].
        field: Name of the uniform field; element (t H + y) W + x belongs to a pixel.
    """

    name: ClassVar[str] = "rain"

    density: Series
    length: Series
    angle: Series
    opacity: Series
    brightness: Series
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Return (1 - a) x + a brightness, a the share of the exposure for which drops cover a pixel."""
        out = np.empty(x.shape, np.float32)
        for t, frame in enumerate(x):
            cover = self.cover(t, *x.shape[1:3])[..., None]
            np.subtract(float32(at_frame(self.brightness, t)), frame, out=out[t])
            out[t] *= cover
            out[t] += frame
        return out

    def cover(self, t: int, h: int, w: int) -> FloatImage:
        """Opacity of the streaks in frame ``t``, float32 ``[h, w]`` in [0, 1]."""
        density, length = float32(at_frame(self.density, t)), at_frame(self.length, t)
        if density == 0:
            return np.zeros((h, w), np.float32)
        chance = uniform_field(self.field, h * w, first=t * h * w).reshape(1, h, w, 1)
        drops = np.maximum(1 - chance / density, 0).astype(np.float32)  # sizes even on (0, 1]
        streaks = convolve(drops, line(length, at_frame(self.angle, t)))[0, :, :, 0]
        # The line spreads a drop over its length: times the length, its middle is as opaque as the drop.
        streaks *= float32(max(length, 1.0) * at_frame(self.opacity, t))
        return np.clip(streaks, 0, 1, out=streaks)


class Rain(Op):
    """Draws streaks of rain over the picture: bright lines in one direction, new ones in every frame.

    A drop moves during the exposure, so it covers each pixel of its streak for a part of it only and lets the scene
    show through.

    Args:
        density_range: Drops per pixel at this step's resolution, 0 to 0.1; larger rains more. 0.002 is a shower.
        length_range: Length of a streak in px, 0 to 60; larger is faster rain, or a longer exposure. At 0 it is snow.
        angle_range: Radians from the x axis towards the y axis: around pi/2 the rain falls straight down.
        opacity_range: Of the largest drop, 0 to 1; the others are fainter by their size, even down to nothing.
        brightness_range: Level of the streaks in [0, 1]: that of the sky behind the camera.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; the same streaks in every channel, others in every frame.

    Range: float32, as encoded; what is in [0, 1] stays there.

    Source: K. Garg, S. K. Nayar, "Vision and Rain", IJCV 75(1), 2007, section 4: the intensity of a streak is the mean
    of drop and background by the time that the drop covers the pixel. Streaks of drops with an even size are ours.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> ranges = {"density_range": 0.005, "length_range": 12, "angle_range": [1.4, 1.7], "opacity_range": 0.5}
        >>> draw = Rain.model_validate(ranges).draw(Draws(sample_key(0, "cat.png", 0), "rain"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.25, np.float32)
        >>> y = draw.apply(x)
        >>> bool((y >= x).all() and 0.26 < y.mean() < 0.3)
        True
        >>> bool((RainDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "rain"
    draws: ClassVar[type[Draw]] = RainDraw

    density_range: Annotated[Dist, Within(0, 0.1, hint="density is in drops per pixel")]
    length_range: Annotated[Dist, Within(0, 60, hint="the length is in px")]
    angle_range: Annotated[Dist, Within(-7, 7, hint="angles are in radians: write pi/2")]
    opacity_range: Annotated[Dist, Within(0, 1)] = Const(0.5)
    brightness_range: Annotated[Dist, Within(0, 1)] = Const(0.9)

    def draw(self, u: Draws, g: Geometry) -> RainDraw:
        """Choose how much, how fast, from where, and how bright."""
        names = ("density", "length", "angle", "opacity", "brightness")
        numbers = {name: getattr(self, f"{name}_range").draw(u, name, g.t) for name in names}
        return RainDraw(**numbers, field=u.field("drops"))
