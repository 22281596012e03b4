"""Gaussian blur, isotropic or anisotropic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from degradekit.ops.base import Draw
from degradekit.ops.ellipse import EllipticBlur, elliptic_kernels
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.ops.kernels import gaussian
from degradekit.rng import Draws
from degradekit.types import Geometry, Series

__all__ = ["GaussianBlur", "GaussianBlurDraw"]


@dataclass(frozen=True, slots=True)
class GaussianBlurDraw(FilterDraw):
    """A convolution with one Gaussian, or one for each frame.

    Args:
        size: Side of the kernel in px, odd.
        sigma_x: Standard deviation in px along the rotated x axis.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.
        kernel_noise: Strength of the noise on the kernel, 0 to 1.
        field: Name of the uniform field of that noise, or nothing.
    """

    name: ClassVar[str] = "gaussian_blur"

    size: int
    sigma_x: Series
    sigma_y: Series
    rotation: Series
    kernel_noise: Series = 0.0
    field: str = ""

    def kernels(self) -> Kernels:
        """One Gaussian."""
        numbers = self.size, self.sigma_x, self.sigma_y, self.rotation
        return elliptic_kernels(gaussian, *numbers, kernel_noise=self.kernel_noise, field=self.field)


class GaussianBlur(EllipticBlur):
    """Blurs with a Gaussian, as an optic a little out of focus; with two sigmas, as one that also moved.

    Args:
        size_range: Side of the kernel in px, odd. What lies outside is cut off: 7 px hold a sigma of 1 but not of 3.
        sigma_x_range: Standard deviation in px at this step's resolution, along the rotated x axis; larger blurs more,
            below 0.2 nothing changes.
        sigma_y_range: The same across it; omitted for an isotropic blur, where it equals sigma_x.
        rotation_range: Radians from the x axis towards the y axis; needs ``sigma_y_range``.
        kernel_noise_range: Every weight of the kernel is multiplied by a random number from [1 - a, 1 + a], a in
            [0, 1], and their sum restored; larger makes rougher kernels, as estimated and real ones are. 0.25 is
            BasicSR's noise range [0.75, 1.25].

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: Real-ESRGAN, arXiv:2107.10833, section 3.1.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = GaussianBlur.model_validate({"size_range": 21, "sigma_x_range": [0.2, 3]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> draw.sigma_x == draw.sigma_y
        True
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> y = draw.apply(x)
        >>> bool(abs(y[0, 32, 31:33, 0].sum() - 1) < 0.002)
        True
        >>> bool((GaussianBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "gaussian_blur"
    draws: ClassVar[type[Draw]] = GaussianBlurDraw

    def draw(self, u: Draws, g: Geometry) -> GaussianBlurDraw:
        """Choose the size, the sigmas and the rotation."""
        return GaussianBlurDraw(*self.draw_ellipse(u, g), *self.draw_kernel_noise(u, g))
