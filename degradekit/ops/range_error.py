"""Range error: full-range video read as limited, or limited as full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Pick, Words
from degradekit.ops.base import Draw, Op
from degradekit.ops.colour import clip01, luma, need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry

__all__ = ["RangeError", "RangeErrorDraw"]


@dataclass(frozen=True, slots=True)
class RangeErrorDraw(Draw):
    """One mix-up.

    Args:
        mode: ``full_as_limited`` or ``limited_as_full``.
    """

    name: ClassVar[str] = "range_error"

    mode: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Scale luma and colour differences about their zeros, and clip to [0, 1].

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        if self.mode == "full_as_limited":
            scale, colour, black = 255 / 219, 255 / 224, -16 / 219
        else:
            scale, colour, black = 219 / 255, 224 / 255, 16 / 255
        shared = luma(x)
        shared *= np.float32(scale - colour)
        shared += np.float32(black)
        out = x * np.float32(colour)
        out += shared[..., None]
        return clip01(out)


class RangeError(Op):
    """Confuses full range (0..255) with limited range (luma 16..235, colour 16..240), as players and converters do.

    Args:
        mode: ``full_as_limited`` crushes shadows and highlights and exaggerates colour; ``limited_as_full`` washes the
            image out: black becomes 16/255, white 235/255. One or a choice.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; saturates.

    Source: The quantisation levels of ITU-R BT.601-7, section 2.5.3, with luma of BT.601.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = RangeError.model_validate({"mode": "limited_as_full"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "range"), Geometry(1, 1, 2))
        >>> x = np.float32([[[[0, 0, 0], [1, 1, 1]]]])
        >>> (draw.apply(x) * 255).round(3).tolist()
        [[[[16.0, 16.0, 16.0], [235.0, 235.0, 235.0]]]]
        >>> bool((RangeErrorDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "range_error"
    draws: ClassVar[type[Draw]] = RangeErrorDraw

    mode: Annotated[Pick, Words("full_as_limited", "limited_as_full")] = Pick(("full_as_limited", "limited_as_full"))

    def draw(self, u: Draws, g: Geometry) -> RangeErrorDraw:
        """Choose the mix-up."""
        return RangeErrorDraw(self.mode.draw(u, "mode"))
