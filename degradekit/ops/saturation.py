"""Saturation: distances from each pixel's own grey times one factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import EXACT, Draw, Op, Parity
from degradekit.ops.colour import by_frame, clip01, luma, need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["WEIGHTS", "Saturation", "SaturationDraw"]

WEIGHTS = (0.2989, 0.587, 0.114)
"""torchvision's grey; its weights sum to 0.9999."""


@dataclass(frozen=True, slots=True)
class SaturationDraw(Draw):
    """A blend of each pixel with its grey.

    Args:
        factor: Weight of the colour, for the clip or for each frame.
    """

    name: ClassVar[str] = "saturation"
    parity: ClassVar[Parity] = EXACT

    factor: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Return factor x + (1 - factor) grey, clipped to [0, 1].

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        factor = by_frame(self.factor, len(x))
        grey = luma(x, WEIGHTS)[..., None]
        grey *= np.float32(1) - factor
        out = x * factor
        out += grey
        return clip01(out)

    def apply_torch(self, x: Tensor) -> Tensor:
        """Blend with grey."""
        from degradekit.ops.device.colour import unlike_grey

        need_rgb(x, self.name, axis=1)
        return unlike_grey(x, self.factor, WEIGHTS)


class Saturation(Op):
    """Moves every pixel away from its own grey or towards it, and clips to [0, 1].

    Imitates faded prints and film below 1, and the vivid mode of cameras and screens above.

    Args:
        factor_range: Factor, 0 or more; 1 leaves the image, 0 is grey, larger is more colourful.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; saturates.

    Source: The arithmetic of torchvision's ``adjust_saturation``, with its grey 0.2989 R + 0.587 G + 0.114 B; GFPGAN
    (arXiv:2101.04061) draws U[0, 1.5].

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Saturation.model_validate({"factor_range": [0, 1]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "colour"), Geometry(1, 1, 1))
        >>> x = np.float32([[[[0.8, 0.4, 0.4]]]])
        >>> y = draw.apply(x)
        >>> bool(np.allclose(y[..., 0] - y[..., 1], 0.4 * draw.factor))
        True
        >>> bool((SaturationDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "saturation"
    draws: ClassVar[type[Draw]] = SaturationDraw

    factor_range: Annotated[Dist, Within(0, 16)]

    def draw(self, u: Draws, g: Geometry) -> SaturationDraw:
        """Choose the factor."""
        return SaturationDraw(self.factor_range.draw(u, "factor", g.t))
