"""Contrast: distances from the frame's mean grey times one factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import EXACT, Draw, Op, Parity
from degradekit.ops.colour import by_frame, clip01, luma, need_rgb
from degradekit.ops.saturation import WEIGHTS
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Contrast", "ContrastDraw"]

_ONE = 1 << 24
"""Grey levels are summed as multiples of 2^-24: a sum of whole numbers does not depend on its order."""


@dataclass(frozen=True, slots=True)
class ContrastDraw(Draw):
    """A blend with the mean grey of each frame.

    Args:
        factor: Weight of the image, for the clip or for each frame.
    """

    name: ClassVar[str] = "contrast"
    parity: ClassVar[Parity] = EXACT

    factor: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Return factor x + (1 - factor) mean, clipped to [0, 1].

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        factor = by_frame(self.factor, len(x))
        grey = np.rint(luma(x, WEIGHTS) * np.float32(_ONE)).astype(np.int64)
        mean = (grey.sum(axis=(1, 2)) / (_ONE * grey[0].size)).astype(np.float32).reshape(-1, 1, 1, 1)
        out = x * factor
        out += mean * (np.float32(1) - factor)
        return clip01(out)

    def apply_torch(self, x: Tensor) -> Tensor:
        """Blend with the same mean."""
        from degradekit.ops.device.colour import contrast

        need_rgb(x, self.name, axis=1)
        return contrast(x, self.factor, WEIGHTS)


class Contrast(Op):
    """Stretches or shrinks all channels about the mean grey of the frame, and clips to [0, 1].

    Imitates a wrong contrast setting of an editor, a scanner or a screen. The mean is each frame's own.

    Args:
        factor_range: Factor, 0 or more; 1 leaves the image, 0 is a flat grey, larger has more contrast.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; saturates.

    Source: The arithmetic of torchvision's ``adjust_contrast``, with its grey 0.2989 R + 0.587 G + 0.114 B; GFPGAN
    (arXiv:2101.04061) draws U[0.5, 1.5].

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Contrast.model_validate({"factor_range": [0.5, 0.9]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "contrast"), Geometry(1, 1, 2))
        >>> x = np.float32([[[[0.2] * 3, [0.6] * 3]]])
        >>> y = draw.apply(x)
        >>> bool(np.allclose(np.ptp(y), 0.4 * draw.factor))
        True
        >>> bool((ContrastDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "contrast"
    draws: ClassVar[type[Draw]] = ContrastDraw

    factor_range: Annotated[Dist, Within(0, 16)]

    def draw(self, u: Draws, g: Geometry) -> ContrastDraw:
        """Choose the factor."""
        return ContrastDraw(self.factor_range.draw(u, "factor", g.t))
