"""Gaussian blur whose width changes over the picture: depth of field, field curvature, a lens that is not clean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Dist, Pick, Uniform, Within, Words
from degradekit.jit import kernel
from degradekit.ops.base import HELD, Draw, Op, at_frame
from degradekit.ops.convolve import convolve
from degradekit.ops.kernels import gaussian
from degradekit.ops.smooth import smooth_field
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["VariableBlur", "VariableBlurDraw", "levels"]

_FIRST, _RATIO = 0.35, math.sqrt(2)


@dataclass(frozen=True, slots=True)
class VariableBlurDraw(Draw):
    """A Gaussian blur between two widths; the map of widths is regenerated from ``field``.

    Args:
        sigma_low: Sigma in px where the map is 0.
        sigma_high: Sigma in px where the map is 1.
        map: ``gradient`` or ``smooth``.
        angle: Direction in which a gradient rises, radians from the x axis towards the y axis.
        size: Size of smooth patches in longer sides of the picture.
        field: Name of the normal field of a smooth map.
    """

    name: ClassVar[str] = "variable_blur"

    sigma_low: Series
    sigma_high: Series
    map: str
    angle: float
    size: float
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Blend the pictures of the two nearest levels at every pixel."""
        place = self.widths(x.shape[1], x.shape[2])
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            low, high = float32(at_frame(self.sigma_low, t)), float32(at_frame(self.sigma_high, t))
            sigma = low + (high - low) * place
            _blur(x[t : t + 1], sigma * sigma, levels(float(min(low, high)), float(max(low, high))), out[t : t + 1])
        return out

    def widths(self, h: int, w: int) -> FloatImage:
        """The map, float32 ``[h, w]`` in [0, 1]."""
        if self.map == "smooth":
            patches = smooth_field(self.field, h, w, size=self.size) * float32(0.25) + float32(0.5)
            return np.asarray(np.clip(patches, 0, 1), np.float32)
        c, s = math.cos(self.angle), math.sin(self.angle)
        across, down = np.arange(w) + 0.5 - w / 2, np.arange(h)[:, None] + 0.5 - h / 2
        length = abs(c) * w + abs(s) * h
        return np.asarray((c * across + s * down) / length + 0.5, np.float32)


class VariableBlur(Op):
    """Blurs with a Gaussian that is wider in one place than in another, as a scene with depth is out of focus.

    Sigma goes in a straight line over the map, from ``sigma_low`` to ``sigma_high``. A ``gradient`` rises from one
    edge of the picture to the opposite one, like a floor; a ``smooth`` map is a random field of soft patches, cut off
    at two standard deviations.

    The picture is blurred at the levels 0, 0.35, 0.49, 0.7, ... px (by the square root of 2), and every pixel blends
    the two levels around its sigma such that the variance is right. The kernel of a pixel then differs from a Gaussian
    by at most 5.5 % of its weight, in the middle between two levels: on a photograph 0.2 to 0.6 levels of 8 bit (root
    mean square) for sigmas from 0.2 to 5 px, a thirtieth of what the blur itself changes from 0.9 px on.

    Args:
        sigma_low_range: Standard deviation in px at this step's resolution at one end of the map, 0 to 15.
        sigma_high_range: The same at the other end; it need not be larger.
        map: ``gradient``, ``smooth``, or a choice.
        size_range: Size of the patches of a smooth map, in longer sides of the picture.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection; the map is the same in all frames, the
    sigmas may move.

    Range: float32, as encoded (not in linear light); means of the input, within the 0.25/255 that
    :mod:`degradekit.ops.convolve` may be off.

    Source: The interpolated blur of a stack of levels, as in L. Williams, "Pyramidal parametrics", SIGGRAPH 1983; the
    levels and the blend of variances are ours.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = VariableBlur.model_validate({"sigma_low_range": 0, "sigma_high_range": [2, 4], "map": "gradient"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
        >>> y, place = draw.apply(x), draw.widths(64, 64)
        >>> bool(y[0][place < 0.3].std() > 2 * y[0][place > 0.7].std())
        True
        >>> bool((VariableBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "variable_blur"
    draws: ClassVar[type[Draw]] = VariableBlurDraw

    sigma_low_range: Annotated[Dist, Within(0, 15, hint="sigma is in px")]
    sigma_high_range: Annotated[Dist, Within(0, 15, hint="sigma is in px")]
    map: Annotated[Pick, Words("gradient", "smooth")]
    size_range: Annotated[Dist, Within(0.02, 10), HELD] = Uniform(0.2, 0.6)

    def draw(self, u: Draws, g: Geometry) -> VariableBlurDraw:
        """Choose the sigmas and the map."""
        return VariableBlurDraw(
            sigma_low=self.sigma_low_range.draw(u, "sigma_low", g.t),
            sigma_high=self.sigma_high_range.draw(u, "sigma_high", g.t),
            map=self.map.draw(u, "map"),
            angle=math.pi * (2 * u.uniform("angle") - 1),
            size=self.size_range.sample(u, "size"),
            field=u.field("map"),
        )


def levels(low: float, high: float) -> list[float]:
    """The sigmas at which the picture is blurred, from the last one up to ``low`` to the first one from ``high`` on.

    Example:
        >>> [round(level, 2) for level in levels(0.4, 1.2)], levels(0, 0.3)
        ([0.35, 0.49, 0.7, 0.99, 1.4], [0.0, 0.35])
    """
    lattice = [0.0, _FIRST]
    while lattice[-1] < high:
        lattice.append(_FIRST * _RATIO ** (len(lattice) - 1))
    first = max(i for i, level in enumerate(lattice) if level <= low)
    return lattice[first:]


def _blur(x: FloatImage, variance: FloatImage, sigmas: list[float], out: FloatImage) -> None:
    out[:] = _level(x, sigmas[0])
    low, high = variance.min(), variance.max()
    for narrow, wide in pairwise(sigmas):
        if narrow**2 < high and wide**2 > low:
            ends = float32(narrow**2), float32(wide**2)
            _blend(np.ascontiguousarray(_level(x, wide)).reshape(-1), variance.reshape(-1), ends, out.reshape(-1))


def _level(x: FloatImage, sigma: float) -> FloatImage:
    return convolve(x, gaussian(2 * math.ceil(4 * sigma) + 1, sigma, sigma)) if sigma else x


@kernel
def _blend(wider: Array, variance: Array, ends: tuple[float32, float32], out: Array) -> None:
    """Go from the lower variance of ``ends`` to the upper one as far as each pixel's variance asks for."""
    low, scale = ends[0], float32(1) / (ends[1] - ends[0])
    channels = out.size // variance.size
    for i in range(variance.size):
        share = min(max((variance[i] - low) * scale, float32(0)), float32(1))
        if channels == 3:  # a count known beforehand is four times as fast
            for k in range(3 * i, 3 * i + 3):
                out[k] += share * (wider[k] - out[k])
        else:
            for k in range(channels * i, channels * i + channels):
                out[k] += share * (wider[k] - out[k])
