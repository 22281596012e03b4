"""Blur with a skewed Gaussian: an optic that is out of centre."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from scipy.special import ndtr

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw
from degradekit.ops.ellipse import EllipticBlur, elliptic_kernels
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.ops.trace import trace
from degradekit.rng import Draws
from degradekit.types import Array, Geometry, Series

__all__ = ["SkewBlur", "SkewBlurDraw", "skew_gaussian"]


def skew_gaussian(size: int, sigma_x: float, sigma_y: float, rotation: float, skew_x: float, skew_y: float) -> Array:
    """Product of two skew normal distributions along the rotated axes, moved so that its mean is the middle pixel.

    With u, v the distances along the axes in units of the sigmas: exp(-(u^2 + v^2) / 2) P(skew_x u) P(skew_y v), P the
    normal distribution function. What the lattice leaves of the mean is taken off by bilinear shares: 0.4 px at most,
    more where the size cuts off the tail.

    Args:
        size: Odd side in px.
        sigma_x: Scale in px along the rotated x axis, > 0: the standard deviation without skew; at a large skew it is
            0.6 of it.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.
        skew_x: 0 for a Gaussian; larger leans to one side, with a tail to the right of the rotated x axis.
        skew_y: The same across it.

    Returns:
        float64 ``[size + 2, size + 2]``, unit sum; larger where the mean has to be moved by more than a pixel.
    """
    offsets = np.arange(size) - size // 2
    c, s = math.cos(rotation), math.sin(rotation)
    x, y = offsets[None, :], offsets[:, None]
    u = (c * x + s * y) / sigma_x + _mean(skew_x)
    v = (c * y - s * x) / sigma_y + _mean(skew_y)
    weights: Array = np.exp(-0.5 * (u * u + v * v)) * ndtr(skew_x * u) * ndtr(skew_y * v)
    weights /= weights.sum()
    return _moved(weights, -float(weights.sum(axis=0) @ offsets), -float(weights.sum(axis=1) @ offsets))


def _moved(kernel: Array, right: float, down: float) -> Array:
    """The kernel moved, with the border that this takes, a pixel at least."""
    shares = trace(np.array([right]), np.array([down]))
    cy, cx = (side // 2 for side in shares.shape)
    border = max(1, cy, cx)
    out = np.zeros((len(kernel) + 2 * border, len(kernel) + 2 * border))
    for dy in range(-cy, cy + 1):
        for dx in range(-cx, cx + 1):
            at = slice(border + dy, len(out) - border + dy), slice(border + dx, len(out) - border + dx)
            out[at] += shares[cy + dy, cx + dx] * kernel
    return out


def _mean(skew: float) -> float:
    return math.sqrt(2 / math.pi) * skew / math.hypot(1, skew)


def _mirrored(*numbers: float) -> Array:
    """The kernel as :func:`degradekit.ops.convolve.convolve` takes it, which correlates."""
    return skew_gaussian(int(numbers[0]), *numbers[1:])[::-1, ::-1]


@dataclass(frozen=True, slots=True)
class SkewBlurDraw(FilterDraw):
    """A convolution with one skewed Gaussian, or one for each frame.

    Args:
        size: Side of the kernel in px, odd.
        sigma_x: Scale in px along the rotated x axis.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.
        skew_x: Skew along the rotated x axis.
        skew_y: The same across it.
        kernel_noise: Strength of the noise on the kernel, 0 to 1.
        field: Name of the uniform field of that noise, or nothing.
    """

    name: ClassVar[str] = "skew_blur"
    version: ClassVar[int] = 2

    size: int
    sigma_x: Series
    sigma_y: Series
    rotation: Series
    skew_x: Series
    skew_y: Series
    kernel_noise: Series = 0.0
    field: str = ""

    def kernels(self) -> Kernels:
        """One skewed spot."""
        numbers = self.size, self.sigma_x, self.sigma_y, self.rotation, self.skew_x, self.skew_y
        return elliptic_kernels(_mirrored, *numbers, kernel_noise=self.kernel_noise, field=self.field)


class SkewBlur(EllipticBlur):
    """Blurs with a spot that has a steep side and a tail, as the coma of a lens has away from its axis.

    The spot is moved so that its centre of gravity stays in place: nothing shifts.

    Args:
        size_range: Side of the kernel in px, odd, before it is moved, which needs 2 px more; what lies outside is cut
            off.
        sigma_x_range: Scale in px at this step's resolution, along the rotated x axis; larger blurs more. It is the
            standard deviation without skew and falls to 0.6 sigma for a large one.
        sigma_y_range: The same across it; omitted, it equals sigma_x.
        rotation_range: Radians from the x axis towards the y axis; needs ``sigma_y_range``.
        skew_x_range: Skew along the rotated x axis, -20 to 20; 0 is a Gaussian, 3 close to the most lopsided there is,
            the half of one.
        skew_y_range: The same across it.
        kernel_noise_range: Every weight of the kernel is multiplied by a random number from [1 - a, 1 + a], a in
            [0, 1], and their sum restored; larger makes rougher kernels, as estimated and real ones are.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: A. Azzalini, "A class of distributions which includes the normal ones", Scand. J. Statistics 12, 1985. As in
    the skewed kernels that BasicSR prepares (``cdf2``), the two skews multiply; differs in keeping the mean in place.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = SkewBlur.model_validate({"size_range": 21, "sigma_x_range": [1, 3], "skew_x_range": [-4, 4],
        ...     "skew_y_range": [-4, 4]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32) + np.linspace(0, 1, 64, dtype=np.float32)[:, None]
        >>> y = draw.apply(x)
        >>> bool(abs(y - x)[0, 20:44, 20:44].max() < 0.1 / 63)
        True
        >>> bool((SkewBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "skew_blur"
    draws: ClassVar[type[Draw]] = SkewBlurDraw

    skew_x_range: Annotated[Dist, Within(-20, 20)]
    skew_y_range: Annotated[Dist, Within(-20, 20)]

    def draw(self, u: Draws, g: Geometry) -> SkewBlurDraw:
        """Choose the size, the sigmas, the rotation and the skews."""
        skew_x, skew_y = self.skew_x_range.draw(u, "skew_x", g.t), self.skew_y_range.draw(u, "skew_y", g.t)
        return SkewBlurDraw(*self.draw_ellipse(u, g), skew_x, skew_y, *self.draw_kernel_noise(u, g))
