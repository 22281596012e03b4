"""Blur with a generalized Gaussian kernel, isotropic or anisotropic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw
from degradekit.ops.ellipse import EllipticBlur, elliptic_kernels
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.ops.kernels import generalized_gaussian
from degradekit.rng import Draws
from degradekit.types import Geometry, Series

__all__ = ["GeneralizedGaussianBlur", "GeneralizedGaussianBlurDraw"]


@dataclass(frozen=True, slots=True)
class GeneralizedGaussianBlurDraw(FilterDraw):
    """A convolution with one generalized Gaussian, or one for each frame.

    Args:
        size: Side of the kernel in px, odd.
        sigma_x: Scale in px along the rotated x axis.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.
        beta: Shape.
        kernel_noise: Strength of the noise on the kernel, 0 to 1.
        field: Name of the uniform field of that noise, or nothing.
    """

    name: ClassVar[str] = "generalized_blur"

    size: int
    sigma_x: Series
    sigma_y: Series
    rotation: Series
    beta: Series
    kernel_noise: Series = 0.0
    field: str = ""

    def kernels(self) -> Kernels:
        """One generalized Gaussian."""
        numbers = self.size, self.sigma_x, self.sigma_y, self.rotation, self.beta
        return elliptic_kernels(generalized_gaussian, *numbers, kernel_noise=self.kernel_noise, field=self.field)


class GeneralizedGaussianBlur(EllipticBlur):
    """Blurs with exp(-m^beta / 2), m the squared distance in units of sigma: from peaked to nearly a disc.

    Beta above 1 imitates a lens out of focus, whose spot is flat with a steep edge; beta below 1 a sharp core with a
    wide veil; beta = 1 is the Gaussian.

    Args:
        size_range: Side of the kernel in px, odd; what lies outside is cut off.
        sigma_x_range: Scale in px at this step's resolution, along the rotated x axis; larger blurs more. It is the
            standard deviation for beta = 1 only, which is 3.46 sigma for beta 0.5 and 0.54 sigma for beta 4.
        sigma_y_range: The same across it; omitted for an isotropic blur, where it equals sigma_x.
        rotation_range: Radians from the x axis towards the y axis; needs ``sigma_y_range``.
        kernel_noise_range: Every weight of the kernel is multiplied by a random number from [1 - a, 1 + a], a in
            [0, 1], and their sum restored; larger makes rougher kernels, as estimated and real ones are. 0.25 is
            BasicSR's noise range [0.75, 1.25].
        beta_range: Shape; larger is flatter with a steeper edge.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: Real-ESRGAN, arXiv:2107.10833, section 3.1; Y.-Q. Liu, X. Du, H.-L. Shen, S.-J. Chen, "Estimating
    Generalized Gaussian Blur Kernels for Out-of-Focus Image Deblurring", IEEE TCSVT 31(3), 2021.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> ranges = {"size_range": 21, "sigma_x_range": [0.2, 3], "beta_range": {"mixture": [[0.5, 1], [1, 4]]}}
        >>> op = GeneralizedGaussianBlur.model_validate(ranges)
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> y = draw.apply(x)
        >>> bool(abs(y[0, 32, 31:33, 0].sum() - 1) < 0.002)
        True
        >>> bool((GeneralizedGaussianBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "generalized_blur"
    draws: ClassVar[type[Draw]] = GeneralizedGaussianBlurDraw

    beta_range: Annotated[Dist, Within(0.1, 20)]

    def draw(self, u: Draws, g: Geometry) -> GeneralizedGaussianBlurDraw:
        """Choose the size, the sigmas, the rotation and beta."""
        beta = self.beta_range.draw(u, "beta", g.t)
        return GeneralizedGaussianBlurDraw(*self.draw_ellipse(u, g), beta, *self.draw_kernel_noise(u, g))
