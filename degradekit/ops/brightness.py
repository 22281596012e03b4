"""Brightness: all channels times one factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from degradekit.dist import Dist, Within
from degradekit.ops.base import EXACT, Draw, Op, Parity
from degradekit.ops.colour import by_frame, clip01
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Brightness", "BrightnessDraw"]


@dataclass(frozen=True, slots=True)
class BrightnessDraw(Draw):
    """A multiplication.

    Args:
        factor: Factor, for the clip or for each frame.
    """

    name: ClassVar[str] = "brightness"
    parity: ClassVar[Parity] = EXACT

    factor: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Multiply and clip to [0, 1]."""
        return clip01(x * by_frame(self.factor, len(x)))

    def apply_torch(self, x: Tensor) -> Tensor:
        """Multiply and clip to [0, 1]."""
        from degradekit.ops.device.colour import scaled

        return scaled(x, self.factor)


class Brightness(Op):
    """Multiplies all channels by one factor, as a wrong exposure set in an editor, and clips to [0, 1].

    Args:
        factor_range: Factor, 0 or more; 1 leaves the image, 0 is black, larger is brighter.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``.

    Range: float32 sRGB, multiplied as encoded (not in linear light); saturates.

    Source: The arithmetic of torchvision's ``adjust_brightness``; GFPGAN (arXiv:2101.04061) draws U[0.5, 1.5].

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Brightness.model_validate({"factor_range": [0.5, 1.5]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "bright"), Geometry(1, 2, 2))
        >>> x = np.full((1, 2, 2, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(np.allclose(y, 0.5 * draw.factor))
        True
        >>> bool((BrightnessDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "brightness"
    draws: ClassVar[type[Draw]] = BrightnessDraw

    factor_range: Annotated[Dist, Within(0, 16)]

    def draw(self, u: Draws, g: Geometry) -> BrightnessDraw:
        """Choose the factor."""
        return BrightnessDraw(self.factor_range.draw(u, "factor", g.t))
