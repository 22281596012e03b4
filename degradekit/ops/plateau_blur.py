"""Blur with a plateau-shaped kernel, isotropic or anisotropic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw
from degradekit.ops.ellipse import EllipticBlur, elliptic_kernels
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.ops.kernels import plateau
from degradekit.rng import Draws
from degradekit.types import Geometry, Series

__all__ = ["PlateauBlur", "PlateauBlurDraw"]


@dataclass(frozen=True, slots=True)
class PlateauBlurDraw(FilterDraw):
    """A convolution with one plateau-shaped kernel, or one for each frame.

    Args:
        size: Side of the kernel in px, odd.
        sigma_x: Distance in px along the rotated x axis at which the weight is half of the centre's.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.
        beta: Shape.
        kernel_noise: Strength of the noise on the kernel, 0 to 1.
        field: Name of the uniform field of that noise, or nothing.
    """

    name: ClassVar[str] = "plateau_blur"

    size: int
    sigma_x: Series
    sigma_y: Series
    rotation: Series
    beta: Series
    kernel_noise: Series = 0.0
    field: str = ""

    def kernels(self) -> Kernels:
        """One plateau."""
        numbers = self.size, self.sigma_x, self.sigma_y, self.rotation, self.beta
        return elliptic_kernels(plateau, *numbers, kernel_noise=self.kernel_noise, field=self.field)


class PlateauBlur(EllipticBlur):
    """Blurs with 1 / (1 + m^beta), m the squared distance in units of sigma: a flat top and long tails.

    It imitates a lens out of focus that also scatters: a spot with a veil around it.

    Args:
        size_range: Side of the kernel in px, odd. The tails are long, so it sets the blur as much as the sigmas do:
            sigma 1.6 and beta 1 have a standard deviation of 1.65 px in 7 px and of 4.03 px in 21 px.
        sigma_x_range: Distance in px at this step's resolution, along the rotated x axis, at which the weight has
            fallen to half; larger blurs more.
        sigma_y_range: The same across it; omitted for an isotropic blur, where it equals sigma_x.
        rotation_range: Radians from the x axis towards the y axis; needs ``sigma_y_range``.
        kernel_noise_range: Every weight of the kernel is multiplied by a random number from [1 - a, 1 + a], a in
            [0, 1], and their sum restored; larger makes rougher kernels, as estimated and real ones are. 0.25 is
            BasicSR's noise range [0.75, 1.25].
        beta_range: Shape; larger has a flatter top, a steeper edge and shorter tails.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: Real-ESRGAN, arXiv:2107.10833, section 3.1.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = PlateauBlur.model_validate({"size_range": 21, "sigma_x_range": [0.2, 3], "beta_range": [1, 2]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> y = draw.apply(x)
        >>> bool(abs(y[0, 32, 31:33, 0].sum() - 1) < 0.002)
        True
        >>> bool((PlateauBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "plateau_blur"
    draws: ClassVar[type[Draw]] = PlateauBlurDraw

    beta_range: Annotated[Dist, Within(0.1, 20)]

    def draw(self, u: Draws, g: Geometry) -> PlateauBlurDraw:
        """Choose the size, the sigmas, the rotation and beta."""
        beta = self.beta_range.draw(u, "beta", g.t)
        return PlateauBlurDraw(*self.draw_ellipse(u, g), beta, *self.draw_kernel_noise(u, g))
