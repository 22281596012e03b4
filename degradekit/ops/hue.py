"""Hue: colours turned around the wheel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Dist, Within
from degradekit.fields import unit
from degradekit.jit import inline, kernel
from degradekit.ops.base import Draw, Op, Parity, at_frame, close
from degradekit.ops.colour import need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Hue", "HueDraw"]


@dataclass(frozen=True, slots=True)
class HueDraw(Draw):
    """A turn of the colour wheel.

    Args:
        turn: Turn in revolutions, for the clip or for each frame.
    """

    name: ClassVar[str] = "hue"
    parity: ClassVar[Parity] = close(0.001)

    turn: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip to [0, 1] and turn the hue of HSV; value and chroma stay.

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            sextants = 6 * (at_frame(self.turn, t) % 1)
            _turn(np.ascontiguousarray(x[t]).reshape(-1), np.float32(sextants), out[t].reshape(-1))
        return out

    def apply_torch(self, x: Tensor) -> Tensor:
        """Turn the hue."""
        from degradekit.ops.device.colour import turned

        need_rgb(x, self.name, axis=1)
        return turned(x, self.turn)


class Hue(Op):
    """Turns every colour around the wheel of HSV; greys stay. Imitates white balance and colour decoding gone wrong.

    Args:
        turn_range: Turn in revolutions, -1/2 to 1/2; 0 leaves the image, 1/3 makes red green.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB in [0, 1]; what lies outside is clipped before.

    Source: The arithmetic of torchvision's ``adjust_hue``; A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978;
    GFPGAN (arXiv:2101.04061) draws U[-0.1, 0.1].

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Hue.model_validate({"turn_range": "1/3"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "hue"), Geometry(1, 1, 1))
        >>> x = np.float32([[[[0.75, 0.25, 0.25]]]])
        >>> draw.apply(x).round(6).tolist()
        [[[[0.25, 0.75, 0.25]]]]
        >>> bool((HueDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "hue"
    draws: ClassVar[type[Draw]] = HueDraw

    turn_range: Annotated[Dist, Within(-0.5, 0.5, hint="a turn is in revolutions: write 30/360")]

    def draw(self, u: Draws, g: Geometry) -> HueDraw:
        """Choose the turn."""
        return HueDraw(self.turn_range.draw(u, "turn", g.t))


@kernel
def _turn(x: FloatImage, sextants: float32, out: FloatImage) -> None:
    for i in range(0, x.size, 3):
        red, green, blue = unit(x[i]), unit(x[i + 1]), unit(x[i + 2])
        value = max(red, green, blue)
        chroma = value - min(red, green, blue)
        scale = float32(1) / (chroma if chroma > 0 else float32(1))
        hue = (red - green) * scale + float32(4)
        hue = (blue - red) * scale + float32(2) if value == green else hue
        hue = (green - blue) * scale if value == red else hue
        hue += sextants
        out[i] = _channel(hue + float32(5), value, chroma)
        out[i + 1] = _channel(hue + float32(3), value, chroma)
        out[i + 2] = _channel(hue + float32(1), value, chroma)


@inline
def _channel(hue: float32, value: float32, chroma: float32) -> float32:
    """One channel, by the distance of ``hue`` (in sextants) from the channel's own."""
    k = hue - float32(6) * np.floor(hue * float32(1 / 6))
    return value - chroma * unit(min(k, float32(4) - k))
