"""Sharpening by unsharp masking, where the picture has something to sharpen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from degradekit.dist import Const, Dist, Expression, Within
from degradekit.ops.base import Draw, Op, Parity, at_frame, close, is_held
from degradekit.ops.kernels import opencv_sigma
from degradekit.ops.sharpen import sharpen, strided_gaussian
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["UnsharpMask", "UnsharpMaskDraw"]


@dataclass(frozen=True, slots=True)
class UnsharpMaskDraw(Draw):
    """A sharpening of determined strength.

    Args:
        size: Taps of the Gaussian, odd.
        sigma: Its standard deviation in px.
        amount: Share of the residual that is added.
        threshold: Residuals up to this size, in [0, 1], are left alone.
    """

    name: ClassVar[str] = "unsharp_mask"
    reads_levels: ClassVar[bool] = True
    parity: ClassVar[Parity] = close(0.5)

    size: int
    sigma: float
    amount: Series
    threshold: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Sharpen; see :mod:`degradekit.ops.sharpen` for the definition and its error."""
        if self.amount == 0:
            return x
        if is_held(self.amount, self.threshold):
            return self._sharpened(x, 0)
        return np.concatenate([self._sharpened(x[t : t + 1], t) for t in range(len(x))])

    def apply_torch(self, x: Tensor) -> Tensor:
        """Sharpen with the same approximated Gaussian."""
        import torch

        from degradekit.ops.device.filters import sharpen

        if self.amount == 0:
            return x
        out = []
        for t, part in enumerate([x] if is_held(self.amount, self.threshold) else torch.split(x, 1)):
            amount = at_frame(self.amount, t)
            gaussian = strided_gaussian(self.size, self.sigma, amount)
            out.append(sharpen(part, gaussian, amount, at_frame(self.threshold, t)))
        return torch.cat(out)

    def _sharpened(self, x: FloatImage, t: int) -> FloatImage:
        amount = at_frame(self.amount, t)
        return sharpen(x, strided_gaussian(self.size, self.sigma, amount), amount, at_frame(self.threshold, t))


class UnsharpMask(Op):
    """Sharpens by adding what a Gaussian blur takes away, but leaves smooth areas and noise alone.

    Where the residual |x - blur(x)| exceeds the threshold, and softly around such places, ``amount`` times the residual
    is added. Real-ESRGAN sharpens its GT so, to have the network learn crisp pictures; the defaults are its numbers.

    Args:
        size: Taps of the Gaussian, odd.
        sigma: Standard deviation of the Gaussian in px; 0 takes OpenCV's 0.3 ((size - 1) / 2 - 1) + 0.8, which is 8 for
            51 taps. Wider sharpens coarser structures.
        amount_range: Share of the residual that is added; 0 changes nothing, larger is sharper.
        threshold_range: Residuals up to this size, in [0, 1] (recipes may write 10/255), are left alone; larger
            sharpens fewer places.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32 sRGB in [0, 1], as encoded; saturates.

    Source: Real-ESRGAN, arXiv:2107.10833, section 4.1, and BasicSR's ``USMSharp``.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = UnsharpMask()
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "sharpen"), Geometry(1, 64, 64))
        >>> draw.sigma
        8.0
        >>> x = np.full((1, 64, 64, 3), 0.25, np.float32)
        >>> x[:, :, 32:] = 0.75
        >>> y = draw.apply(x)
        >>> bool(y[0, 32, 31, 0] < 0.2 and y[0, 32, 32, 0] > 0.8)
        True
        >>> bool((UnsharpMaskDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "unsharp_mask"
    draws: ClassVar[type[Draw]] = UnsharpMaskDraw

    size: Annotated[int, Field(ge=1, le=201)] = 51
    sigma: Annotated[Expression, Field(ge=0, le=100)] = 0.0
    amount_range: Annotated[Dist, Within(0, 10)] = Const(0.5)
    threshold_range: Annotated[Dist, Within(0, 1, hint="the threshold is in [0, 1]: write 10/255")] = Const(10 / 255)

    @model_validator(mode="after")
    def _has_a_centre(self) -> Self:
        if self.size % 2 == 0:
            raise ValueError(f"size {self.size} has no centre: write an odd number, such as {self.size + 1}")
        return self

    def draw(self, u: Draws, g: Geometry) -> UnsharpMaskDraw:
        """Choose the amount and the threshold."""
        sigma = float(self.sigma) or round(opencv_sigma(self.size), 9)
        amount = self.amount_range.draw(u, "amount", g.t)
        return UnsharpMaskDraw(self.size, sigma, amount, self.threshold_range.draw(u, "threshold", g.t))
