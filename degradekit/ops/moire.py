"""Moire: a screen's pixel grid, photographed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Const, Dist, Within
from degradekit.fields import unit
from degradekit.jit import inline, kernel
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.colour import need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Moire", "MoireDraw"]

_STRIPE = np.float32(1 / 3)
"""Red, green and blue share the width of a screen pixel."""
_ROW = np.float32(0.8)
"""Lit part of its height; the rest is the black matrix."""


@dataclass(frozen=True, slots=True)
class MoireDraw(Draw):
    """A screen of determined size and angle before the camera.

    Args:
        pitch: Side of a screen pixel in px, for the clip or for each frame.
        angle: Radians by which the screen is turned, clockwise as displayed.
        contrast: Share of the light that passes the grid, in [0, 1].
        curvature: By what part a screen pixel is smaller half a diagonal from the middle.
        phase_x: Where the grid starts, in screen pixels.
        phase_y: The same downwards.
    """

    name: ClassVar[str] = "moire"
    unlisted: ClassVar[frozenset[str]] = frozenset({"phase_x", "phase_y"})

    pitch: Series
    angle: Series
    contrast: Series
    curvature: Series
    phase_x: float
    phase_y: float

    def apply(self, x: FloatImage) -> FloatImage:
        """Multiply by what each pixel sees of the lit subpixels, and clip to [0, 1].

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            pitch, angle, contrast, bend = (
                at_frame(v, t) for v in (self.pitch, self.angle, self.contrast, self.curvature)
            )
            half = max((x.shape[1] ** 2 + x.shape[2] ** 2) / 4, 1)
            grid = [math.cos(angle) / pitch, math.sin(angle) / pitch, self.phase_x, self.phase_y, bend / half]
            _see(np.ascontiguousarray(x[t]), np.array([*grid, 1 / pitch, contrast], np.float32), out[t])
        return out


class Moire(Op):
    """Shows the picture on a screen and photographs it: coloured bands and ripples run over it.

    A screen pixel is a red, a green and a blue stripe, each a third of its width and 0.8 of its height. Every pixel of
    the picture averages the lit area over its own square, exactly, and so samples the screen's grid too coarsely:
    the bands are the beat between both grids. Near ``pitch`` 1, 1/2, 1/3 the beat is slow and visible; at exactly
    these a pixel holds whole screen pixels and it vanishes; above 2 the stripes themselves are seen.

    Args:
        pitch_range: Side of a screen pixel in px at this step's resolution, 0.2 to 16.
        angle_range: Radians by which the screen is turned, clockwise as displayed; small ones bend the bands.
        contrast_range: Share of the light that passes the grid, 0 to 1; smaller is fainter, as behind a diffuser.
        curvature_range: By what part screen pixels are smaller half a diagonal from the middle, -0.3 to 0.3: lens
            distortion, which curves the bands.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; the gain is 1 on average; saturates.

    Source: Sampling of a periodic grid by square pixels; for small angles the square is taken parallel to the grid.
    S. Yuan, R. Timofte, G. Slabaugh, A. Leonardis and others, "NTIRE 2020 challenge on image demoireing", show
    pictures on such a simulated screen too.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Moire.model_validate({"pitch_range": [0.9, 1.1], "angle_range": [-0.05, 0.05]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "moire"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.mean() - 0.5) < 0.02 and y.std() > 0.01)
        True
        >>> bool((MoireDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "moire"
    draws: ClassVar[type[Draw]] = MoireDraw

    pitch_range: Annotated[Dist, Within(0.2, 16)]
    angle_range: Annotated[Dist, Within(-math.pi, math.pi, hint="angles are radians: write pi/36")] = Const(0.0)
    contrast_range: Annotated[Dist, Within(0, 1)] = Const(1.0)
    curvature_range: Annotated[Dist, Within(-0.3, 0.3)] = Const(0.0)

    def draw(self, u: Draws, g: Geometry) -> MoireDraw:
        """Choose the screen."""
        return MoireDraw(
            pitch=self.pitch_range.draw(u, "pitch", g.t),
            angle=self.angle_range.draw(u, "angle", g.t),
            contrast=self.contrast_range.draw(u, "contrast", g.t),
            curvature=self.curvature_range.draw(u, "curvature", g.t),
            phase_x=u.uniform("phase_x"),
            phase_y=u.uniform("phase_y"),
        )


@kernel
def _see(x: FloatImage, grid: FloatImage, out: FloatImage) -> None:
    across, down, phase_x, phase_y, bend, side, contrast = grid
    h, w, _ = x.shape
    rest, gain = float32(1) - contrast, contrast / (_STRIPE * _ROW * side * side)
    for i in range(h):
        y = float32(i) - float32(h - 1) * float32(0.5)
        for j in range(w):
            z = float32(j) - float32(w - 1) * float32(0.5)
            stretch = float32(1) + bend * (y * y + z * z)
            u = (z * across + y * down) * stretch + phase_x
            v = (y * across - z * down) * stretch + phase_y
            row = _lit(v, side, _ROW) * gain
            out[i, j, 0] = unit(x[i, j, 0] * (rest + row * _lit(u, side, _STRIPE)))
            out[i, j, 1] = unit(x[i, j, 1] * (rest + row * _lit(u - _STRIPE, side, _STRIPE)))
            out[i, j, 2] = unit(x[i, j, 2] * (rest + row * _lit(u - _STRIPE - _STRIPE, side, _STRIPE)))


@inline
def _lit(u: float32, side: float32, duty: float32) -> float32:
    """Lit length between u - side / 2 and u + side / 2, where [0, duty] of every unit is lit."""
    low, high = u - float32(0.5) * side, u + float32(0.5) * side
    first, last = float32(np.floor(low)), float32(np.floor(high))
    return (last - first) * duty + min(high - last, duty) - min(low - first, duty)
