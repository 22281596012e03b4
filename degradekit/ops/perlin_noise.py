"""Perlin and simplex noise: soft patches of several sizes, as uneven light, stains and bad scans leave them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.fields import normal_field
from degradekit.jit import kernel
from degradekit.ops.base import HELD, Draw, Op, at_frame
from degradekit.ops.colour import clip01
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["PerlinNoise", "PerlinNoiseDraw"]

_MOST_OCTAVES = 8
_VARIANCE = 8 * (535 / 18018) * (181 / 462)
"""Of one octave: 8 A B, A and B the integrals of t^2 (1 - s(t))^2 and (1 - s(t))^2 over a cell, s the fade."""
_SKEW, _UNSKEW = (math.sqrt(3) - 1) / 2, (3 - math.sqrt(3)) / 6
_SIDE = math.sqrt(2 / 3)
"""Of a triangle of the simplex lattice."""
_SIMPLEX_VARIANCE = math.sqrt(3) * math.pi / 92160
"""Of one octave: sqrt(3) points an area, each pi times the integral of (1/2 - u)^8 u du from 0 to 1/2."""


@dataclass(frozen=True, slots=True)
class PerlinNoiseDraw(Draw):
    """Noise of one determined strength and size; the noise itself is regenerated from ``field``.

    Args:
        sigma: Standard deviation in [0, 1], for the clip or for each frame.
        period: Side of the cells of the first octave in px.
        octaves: How many there are.
        persistence: Strength of an octave by that of the one before.
        correlation: ``grey`` or ``independent``.
        lattice: ``square`` or ``simplex``.
        field: Name of the normal field.
    """

    name: ClassVar[str] = "perlin_noise"

    sigma: Series
    period: float
    octaves: int
    persistence: float
    correlation: str
    lattice: str
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add the noise and clip to [0, 1].

        The gradient of lattice point (row, column) of octave k, plane g of G and frame t is made of the elements
        2 (row columns + column) and the next one, counted from ((8 t + k) G + g) 2^32.
        """
        t, h, w, c = x.shape
        planes = 1 if self.correlation == "grey" else c
        out = np.empty(x.shape, np.float32)
        for i in range(t):
            noise = np.stack([self._plane(h, w, (i, g, planes)) for g in range(planes)], axis=-1)
            noise *= float32(at_frame(self.sigma, i))
            np.add(x[i], noise, out=out[i])
        return clip01(out)

    def _plane(self, h: int, w: int, place: tuple[int, int, int]) -> FloatImage:
        """One plane of variance 1."""
        i, g, planes = place
        simplex = self.lattice == "simplex"
        variance = _SIMPLEX_VARIANCE if simplex else _VARIANCE
        total = math.sqrt(variance * sum(self.persistence ** (2 * k) for k in range(self.octaves)))
        out = np.zeros((h, w), np.float32)
        for k in range(self.octaves):
            period = self.period / 2**k
            ends = [(side - 0.5) / period for side in (h, w)]
            if simplex:
                ends = [_SIDE * (end + _SKEW * sum(ends)) for end in ends]
            rows, columns = (int(end) + 2 for end in ends)
            first = ((_MOST_OCTAVES * i + k) * planes + g) << 32
            gradients = normal_field(self.field, 2 * rows * columns, first=first).reshape(rows, 2 * columns)
            add = _add_simplex if simplex else _add_octave
            add(gradients, period, float32(self.persistence**k / total), out)
        return out


class PerlinNoise(Op):
    """Adds gradient noise: soft patches, with finer ones on top of them, and clips to [0, 1].

    Every point of a square lattice has a random slope; between the points the four slopes around are faded into each
    other, so the noise is 0 at the points and has no direction on average. Each octave halves the cells. In the
    ``simplex`` lattice, one of triangles, every point counts for a disc around it: less of a grid shows.

    Args:
        sigma_range: Standard deviation in [0, 1] (recipes may write 10/255) of all octaves together; larger is
            stronger, 0 leaves the image.
        period_range: Side of the cells (squares or triangles) of the first octave in px at this step's resolution, 2
            to 1024; larger is smoother.
        octaves_range: How many octaves there are, 1 to 8; more add finer patches.
        persistence_range: Strength of an octave by that of the one before, 0 to 1; larger is rougher.
        correlation: ``grey`` adds one plane to all channels, ``independent`` gives each its own: patches of colour.
        lattice: ``square`` (Perlin), ``simplex``, or a choice.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; every frame has noise of its own.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: K. Perlin, "An image synthesizer", SIGGRAPH 1985, with the fade 6 t^5 - 15 t^4 + 10 t^3 of "Improving
    noise", SIGGRAPH 2002. K. Perlin, "Noise hardware", SIGGRAPH 2001 course notes, for the simplex lattice, with the
    (1/2 - r^2)^4 of S. Gustavson, "Simplex noise demystified", 2005. Differs in slopes that are normal vectors, so that
    the variance is known.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = PerlinNoise.model_validate({"sigma_range": 0.05, "period_range": [8, 32], "octaves_range": 3})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 200, 200))
        >>> x = np.full((1, 200, 200, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.std() - 0.05) < 0.01)
        True
        >>> bool((PerlinNoiseDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "perlin_noise"
    draws: ClassVar[type[Draw]] = PerlinNoiseDraw

    sigma_range: Annotated[Dist, Within(0, 1, hint="sigma is in [0, 1]: write 10/255")]
    period_range: Annotated[Dist, Within(2, 1024, hint="the period is in px"), HELD]
    octaves_range: Annotated[Dist, Within(1, _MOST_OCTAVES, integer=True), HELD] = Const(1)
    persistence_range: Annotated[Dist, Within(0, 1), HELD] = Const(0.5)
    correlation: Annotated[Pick, Words("grey", "independent")] = Pick(("grey",))
    lattice: Annotated[Pick, Words("square", "simplex")] = Pick(("square",))

    def draw(self, u: Draws, g: Geometry) -> PerlinNoiseDraw:
        """Choose the strength and the sizes."""
        return PerlinNoiseDraw(
            sigma=self.sigma_range.draw(u, "sigma", g.t),
            period=self.period_range.sample(u, "period"),
            octaves=int(self.octaves_range.sample(u, "octaves")),
            persistence=self.persistence_range.sample(u, "persistence"),
            correlation=self.correlation.draw(u, "correlation"),
            lattice=self.lattice.draw(u, "lattice"),
            field=u.field("noise"),
        )


@kernel
def _add_octave(gradients: Array, period: float, weight: float32, out: Array) -> None:
    """Add one octave; ``gradients`` holds (x, y) of every lattice point side by side, row after row."""
    h, w = out.shape
    cell, across, fade = np.empty(w, np.int64), np.empty(w, np.float32), np.empty(w, np.float32)
    for x in range(w):
        at = (x + 0.5) / period
        cell[x] = 2 * int(at)
        across[x] = at - int(at)
        t = across[x]
        fade[x] = t * t * t * (t * (t * float32(6) - float32(15)) + float32(10))
    for y in range(h):
        at = (y + 0.5) / period
        row = int(at)
        v = float32(at - row)
        down = v * v * v * (v * (v * float32(6) - float32(15)) + float32(10))
        above, below = gradients[row], gradients[row + 1]
        for x in range(w):
            i, u = cell[x], across[x]
            left, right = u, u - float32(1)
            top = above[i] * left + above[i + 1] * v
            top += fade[x] * (above[i + 2] * right + above[i + 3] * v - top)
            bottom = below[i] * left + below[i + 1] * (v - float32(1))
            bottom += fade[x] * (below[i + 2] * right + below[i + 3] * (v - float32(1)) - bottom)
            out[y, x] += weight * (top + down * (bottom - top))


@kernel
def _add_simplex(gradients: Array, period: float, weight: float32, out: Array) -> None:
    """Add one octave of simplex noise; ``gradients`` as above, by the skewed lattice."""
    h, w = out.shape
    columns = gradients.shape[1] // 2
    flat = gradients.reshape(gradients.size)
    unskew = float32(_UNSKEW)
    for y in range(h):
        at_y = _SIDE * (y + 0.5) / period
        for x in range(w):
            at_x = _SIDE * (x + 0.5) / period
            skew = _SKEW * (at_x + at_y)
            column, row = int(at_x + skew), int(at_y + skew)
            back = _UNSKEW * (column + row)
            u, v = float32(at_x - column + back), float32(at_y - row + back)
            right, down = (1, 0) if u > v else (0, 1)  # the triangle of the cell
            total = float32(0)
            for i, j in ((0, 0), (right, down), (1, 1)):
                shift = unskew * float32(i + j)
                du, dv = u - float32(i) + shift, v - float32(j) + shift
                near = max(float32(0.5) - du * du - dv * dv, float32(0))
                near *= near
                at = 2 * ((row + j) * columns + column + i)
                total += near * near * (flat[at] * du + flat[at + 1] * dv)
            out[y, x] += weight * total
