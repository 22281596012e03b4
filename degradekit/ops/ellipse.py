"""What all blurs with an elliptic kernel share: their parameters, and noise on the kernel itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self, TypeAlias

import numpy as np
from pydantic import AfterValidator, model_validator

from degradekit.dist import Const, Dist, Within
from degradekit.fields import uniform_field
from degradekit.ops.base import Op
from degradekit.ops.filter import Kernels
from degradekit.rng import Draws
from degradekit.types import Array, Geometry, Series

__all__ = ["EllipticBlur", "KernelSize", "elliptic_kernels", "roughened"]


def _held(size: Dist) -> Dist:
    if size.over_time != "hold":
        raise ValueError("the size of a kernel is one for the whole clip: write over_time: hold")
    return size


KernelSize: TypeAlias = Annotated[Dist, Within(1, 51, odd=True), AfterValidator(_held)]
"""Side of a kernel in px: odd, the same for all frames of a clip."""

Sigma: TypeAlias = Annotated[Dist, Within(0.01, 50, hint="sigma is in px")]


class EllipticBlur(Op):
    """Ranges of an elliptic kernel; see the blurs for their meaning."""

    size_range: KernelSize
    sigma_x_range: Sigma
    sigma_y_range: Sigma | None = None
    rotation_range: Annotated[Dist, Within(-7, 7, hint="angles are in radians: write pi/2")] = Const(0.0)
    kernel_noise_range: Annotated[Dist, Within(0, 1)] = Const(0.0)

    @model_validator(mode="after")
    def _circles_do_not_turn(self) -> Self:
        if self.sigma_y_range is None and self.rotation_range != Const(0.0):
            raise ValueError("rotation_range turns nothing while both sigmas are equal: add sigma_y_range")
        return self

    def draw_ellipse(self, u: Draws, g: Geometry) -> tuple[int, Series, Series, Series]:
        """Choose size, sigma_x, sigma_y and rotation."""
        size = int(self.size_range.sample(u, "size"))
        sigma_x = self.sigma_x_range.draw(u, "sigma_x", g.t)
        if self.sigma_y_range is None:
            return size, sigma_x, sigma_x, 0.0
        sigma_y = self.sigma_y_range.draw(u, "sigma_y", g.t)
        return size, sigma_x, sigma_y, self.rotation_range.draw(u, "rotation", g.t)

    def draw_kernel_noise(self, u: Draws, g: Geometry) -> tuple[Series, str]:
        """Choose the strength of the noise and name its field; no field where there is never noise."""
        if self.kernel_noise_range.support()[1] == 0:
            return 0.0, ""
        return self.kernel_noise_range.draw(u, "kernel_noise", g.t), u.field("kernel_noise")


def elliptic_kernels(family: Callable[..., Array], *numbers: Series, kernel_noise: Series, field: str) -> Kernels:
    """Kernels ``family(*numbers)``, roughened.

    Args:
        family: One of :mod:`degradekit.ops.kernels`.
        numbers: Its numbers, each for the clip or for each frame.
        kernel_noise: Strength, 0 to 1, for the clip or for each frame; the pattern is the clip's.
        field: Name of the uniform field; not read where the strength is 0.
    """

    def kernel(*at_frame: float) -> Array:
        *shape, amount = at_frame
        weights = family(*shape)
        return roughened(weights, amount, field) if amount > 0 else weights

    return Kernels(kernel, (*numbers, kernel_noise))


def roughened(kernel: Array, amount: float, field: str) -> Array:
    """Multiply every weight by a random number from [1 - amount, 1 + amount], and restore the sum.

    Args:
        kernel: ``[ky, kx]``.
        amount: 0 to 1.
        field: Name of the uniform field; element i kx + j belongs to the weight in row i and column j.

    Example:
        >>> rough = roughened(np.full((3, 3), 1 / 9), 0.5, "00112233445566778899aabbccddeeff")
        >>> bool(abs(rough.sum() - 1) < 1e-12 and 1 / 30 < rough.min() < rough.max() < 1 / 4)
        True
    """
    noise = uniform_field(field, kernel.size).reshape(kernel.shape).astype(np.float64)
    weights: Array = kernel * (1 + amount * (2 * noise - 1))
    weights *= kernel.sum() / weights.sum()
    return weights
