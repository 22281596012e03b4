"""The parameters that all blurs with an elliptic kernel share."""

from __future__ import annotations

from typing import Annotated, Self, TypeAlias

from pydantic import AfterValidator, model_validator

from degradekit.dist import Const, Dist, Within
from degradekit.ops.base import Op
from degradekit.rng import Draws
from degradekit.types import Geometry, Series

__all__ = ["EllipticBlur", "KernelSize"]


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
