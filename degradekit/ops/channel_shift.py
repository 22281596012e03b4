"""Channel shift: a constant added to each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import EXACT, Draw, Op, Parity
from degradekit.ops.colour import by_frame, clip01, need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ChannelShift", "ChannelShiftDraw"]


@dataclass(frozen=True, slots=True)
class ChannelShiftDraw(Draw):
    """Three constants.

    Args:
        red: Added to red, in [0, 1] units, for the clip or for each frame.
        green: Added to green.
        blue: Added to blue.
    """

    name: ClassVar[str] = "channel_shift"
    parity: ClassVar[Parity] = EXACT

    red: Series
    green: Series
    blue: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Add and clip to [0, 1].

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        return clip01(x + np.concatenate([by_frame(v, len(x)) for v in (self.red, self.green, self.blue)], axis=3))

    def apply_torch(self, x: Tensor) -> Tensor:
        """Add and clip to [0, 1]."""
        from degradekit.ops.device.colour import shifted

        need_rgb(x, self.name, axis=1)
        return shifted(x, self.red, self.green, self.blue)


class ChannelShift(Op):
    """Adds a constant to each channel, drawn for each on its own, and clips to [0, 1]: a colour cast.

    Args:
        shift_range: What is added, -1 to 1 (recipes may write [-20/255, 20/255]); larger casts are stronger.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; saturates.

    Source: GFPGAN (arXiv:2101.04061), whose training adds U[-20, 20] / 255 to each channel with probability 0.3.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = ChannelShift.model_validate({"shift_range": ["-20/255", "20/255"]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "cast"), Geometry(1, 2, 2))
        >>> x = np.full((1, 2, 2, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(np.allclose(y - x, [draw.red, draw.green, draw.blue], atol=1e-6))
        True
        >>> bool((ChannelShiftDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "channel_shift"
    draws: ClassVar[type[Draw]] = ChannelShiftDraw

    shift_range: Annotated[Dist, Within(-1, 1, hint="a shift is in [-1, 1]: write [-20/255, 20/255]")]

    def draw(self, u: Draws, g: Geometry) -> ChannelShiftDraw:
        """Choose one shift a channel."""
        red, green, blue = (self.shift_range.draw(u, channel, g.t) for channel in ("red", "green", "blue"))
        return ChannelShiftDraw(red, green, blue)
