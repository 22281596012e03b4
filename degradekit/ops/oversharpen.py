"""Oversharpen: unsharp masking that went too far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op
from degradekit.ops.colour import by_frame, clip01, luma, need_rgb
from degradekit.ops.convolve import convolve_frames
from degradekit.ops.kernels import gaussian
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["Oversharpen", "OversharpenDraw"]


@dataclass(frozen=True, slots=True)
class OversharpenDraw(Draw):
    """A sharpening of determined strength.

    Args:
        sigma: Standard deviation of the Gaussian in px, for the clip or for each frame.
        amount: Share of the residual that is added.
        threshold: Residuals lose this much of their size first, in [0, 1].
        space: ``rgb`` or ``luma``.
    """

    name: ClassVar[str] = "oversharpen"

    sigma: Series
    amount: Series
    threshold: Series
    space: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add amount times the cored residual of the Gaussian, and clip to [0, 1].

        Raises:
            OpError: ``luma`` on a clip that has not three channels.
        """
        if self.space == "luma":
            need_rgb(x, "oversharpen in luma")
        source = luma(x)[..., None] if self.space == "luma" else x
        residual = source - convolve_frames(source, _gaussian, self.sigma)
        if self.threshold != 0:
            threshold = by_frame(self.threshold, len(x))
            residual -= np.clip(residual, -threshold, threshold)
        residual *= by_frame(self.amount, len(x))
        return clip01(x + residual)


class Oversharpen(Op):
    """Sharpens far beyond what looks right: hard edges, light and dark rims, grain and codec blocks brought out.

    Imitates the sharpness setting of cameras, phones and televisions, and pictures that were sharpened before they
    were shared. Unlike ``unsharp_mask``, which prepares a GT and spares smooth areas, nothing is spared.

    Args:
        sigma_range: Standard deviation of the Gaussian in px at this step's resolution, 0.3 to 20; rims are as wide.
        amount_range: Share of the residual that is added, 0 to 10; from about 1.5 on it shows.
        threshold_range: Residuals are made smaller by this before they are added (coring), in [0, 1] (recipes may
            write 4/255); larger leaves noise alone.
        space: ``rgb`` sharpens every channel, ``luma`` brightness only (no coloured rims); one or a choice.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; ``luma`` needs C = 3; borders continue by reflection.

    Range: float32 sRGB as encoded; saturates. The blur is within 0.25/255 of the exact one, the result within
    ``amount`` times that.

    Source: Unsharp masking with coring: y = x + amount core(x - gaussian(x)).

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Oversharpen.model_validate({"sigma_range": [0.5, 2], "amount_range": [1.5, 4]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "sharp"), Geometry(1, 32, 32))
        >>> x = np.full((1, 32, 32, 3), 0.4, np.float32)
        >>> x[:, :, 16:] = 0.6
        >>> y = draw.apply(x)
        >>> bool(y.min() < 0.35 and y.max() > 0.65)
        True
        >>> bool((OversharpenDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "oversharpen"
    draws: ClassVar[type[Draw]] = OversharpenDraw

    sigma_range: Annotated[Dist, Within(0.3, 20)]
    amount_range: Annotated[Dist, Within(0, 10)]
    threshold_range: Annotated[Dist, Within(0, 1, hint="the threshold is in [0, 1]: write 4/255")] = Const(0.0)
    space: Annotated[Pick, Words("rgb", "luma")] = Pick(("rgb",))

    def draw(self, u: Draws, g: Geometry) -> OversharpenDraw:
        """Choose the Gaussian, the amount, the threshold and the channels."""
        return OversharpenDraw(
            self.sigma_range.draw(u, "sigma", g.t),
            self.amount_range.draw(u, "amount", g.t),
            self.threshold_range.draw(u, "threshold", g.t),
            self.space.draw(u, "space"),
        )


def _gaussian(sigma: float) -> Array:
    """A Gaussian, cut off at four sigma."""
    return gaussian(2 * int(4 * sigma + 0.5) + 1, sigma, sigma)
