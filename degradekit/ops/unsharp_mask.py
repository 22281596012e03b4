"""Unsharp masking of Real-ESRGAN's targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from degradekit.dist import Const, Dist, Within
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.convolve import convolve
from degradekit.ops.kernels import gaussian, opencv_sigma
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["UnsharpMask", "UnsharpMaskDraw"]


@dataclass(frozen=True, slots=True)
class UnsharpMaskDraw(Draw):
    """Sharpening with determined numbers, held or one for each frame.

    Args:
        size: Side of the Gaussian in px, odd.
        sigma: Its standard deviation in px.
        amount: Factor on the residual.
        threshold: Residuals below this, in [0, 1], are left alone.
    """

    name: ClassVar[str] = "unsharp_mask"

    size: int
    sigma: float
    amount: Series
    threshold: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Sharpen; reflect-101 border."""
        kernel = gaussian(self.size, self.sigma, self.sigma)
        residual = x - convolve(x, kernel)
        threshold = np.float32([at_frame(self.threshold, t) for t in range(len(x))])[:, None, None, None]
        amount = np.float32([at_frame(self.amount, t) for t in range(len(x))])[:, None, None, None]
        mask = convolve((np.abs(residual) > threshold).astype(np.float32), kernel)
        sharp = np.clip(x + amount * residual, 0, 1)
        return mask * sharp + (1 - mask) * x


class UnsharpMask(Op):
    """Sharpens edges and leaves weak texture alone, as Real-ESRGAN does with its targets.

    Args:
        size: Side of the Gaussian in px, odd.
        sigma: Its standard deviation in px; 0 takes OpenCV's rule for the size (8.0 for 51).
        amount_range: Factor on the residual; larger is sharper, 0 leaves the picture.
        threshold_range: Residuals up to this, in [0, 1], are not sharpened.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: Wang, Xie, Dong, Shan, "Real-ESRGAN", 2021, arXiv:2107.10833, section 4.1, and BasicSR's ``USMSharp``.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = UnsharpMask.model_validate({"size": 51, "amount_range": 0.5, "threshold_range": "10/255"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "sharpen"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 0.5
        >>> y = draw.apply(x)
        >>> bool(y.max() > 0.6 and (UnsharpMaskDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "unsharp_mask"
    draws: ClassVar[type[Draw]] = UnsharpMaskDraw

    size: Annotated[int, Field(ge=3, le=201)] = 51
    sigma: Annotated[float, Field(ge=0, le=100)] = 0.0
    amount_range: Annotated[Dist, Within(0, 10)] = Const(0.5)
    threshold_range: Annotated[Dist, Within(0, 1, hint="the threshold is in [0, 1]: write 10/255")] = Const(10 / 255)

    def draw(self, u: Draws, g: Geometry) -> UnsharpMaskDraw:
        """Choose amount and threshold."""
        return UnsharpMaskDraw(
            size=self.size,
            sigma=self.sigma or opencv_sigma(self.size),
            amount=self.amount_range.draw(u, "amount", g.t),
            threshold=self.threshold_range.draw(u, "threshold", g.t),
        )
