"""Quantise: few levels, in RGB, in luma or in Y'CbCr; posterisation and banding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.ops.base import EXACT, Draw, Op, Parity
from degradekit.ops.colour import by_frame, clip01, from_ycbcr, luma, need_rgb, to_ycbcr
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Quantise", "QuantiseDraw"]


@dataclass(frozen=True, slots=True)
class QuantiseDraw(Draw):
    """A staircase.

    Args:
        levels: How many levels, for the clip or for each frame.
        rounding: ``nearest`` or ``truncate``.
        space: ``rgb``, ``luma`` or ``ycbcr``.
    """

    name: ClassVar[str] = "quantise"
    parity: ClassVar[Parity] = EXACT

    levels: Series
    rounding: str
    space: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Quantise and clip to [0, 1].

        Raises:
            OpError: ``luma`` or ``ycbcr`` on a clip that has not three channels.
        """
        levels = by_frame(self.levels, len(x))
        if self.space == "rgb":
            return self._stairs(clip01(x.copy()), levels)
        need_rgb(x, f"quantise in {self.space}")
        if self.space == "luma":
            y = clip01(luma(x))
            return clip01(x + (self._stairs(y.copy(), levels[..., 0]) - y)[..., None])
        y, *chroma = to_ycbcr(x, "bt601")
        half = np.float32(0.5)
        cb, cr = (self._stairs(clip01(c + half), levels[..., 0]) - half for c in chroma)
        return clip01(from_ycbcr(self._stairs(clip01(y), levels[..., 0]), cb, cr, "bt601"))

    def apply_torch(self, x: Tensor) -> Tensor:
        """Quantise and clip to [0, 1]."""
        from degradekit.ops.device.colour import from_ycbcr, luma, stairs, to_ycbcr
        from degradekit.ops.device.numbers import unit

        if self.space == "rgb":
            return stairs(unit(x), self.levels, self.rounding)
        need_rgb(x, f"quantise in {self.space}", axis=1)
        if self.space == "luma":
            y = unit(luma(x))
            return unit(x + (stairs(y, self.levels, self.rounding) - y))
        y, *chroma = to_ycbcr(x)
        cb, cr = (stairs(unit(c + 0.5), self.levels, self.rounding) - 0.5 for c in chroma)
        return unit(from_ycbcr(stairs(unit(y), self.levels, self.rounding), cb, cr))

    def _stairs(self, x: FloatImage, levels: FloatImage) -> FloatImage:
        """The nearest level, or the level of 8-bit values with their low bits cut off; in place."""
        if self.rounding == "nearest":
            x *= levels - 1
            x += np.float32(0.5)
            np.floor(x, out=x)
            x *= np.float32(1) / (levels - 1)
            return x
        x *= np.float32(255)
        x += np.float32(0.5)
        np.floor(x, out=x)
        x *= levels / np.float32(256)
        np.floor(x, out=x)
        x *= np.float32(256 / 255) / levels
        return x


class Quantise(Op):
    """Rounds to few levels, so that smooth gradients break into bands, and clips to [0, 1].

    ``rgb`` posterises, as a 16-bit colour screen or an image saved with too few bits. ``luma`` moves only brightness
    to its steps and leaves the colour: the bands that video encoders leave in skies. ``ycbcr`` quantises brightness
    and both colour differences.

    Args:
        levels_range: Levels a channel, whole numbers 2 to 65536; smaller is coarser. Bits are powers of two:
            ``{choice: [8, 16, 32]}`` is 3, 4 or 5 bits.
        rounding: ``nearest`` of levels spread evenly over [0, 1], or ``truncate``, which cuts the low bits of 8-bit
            values and so darkens; one or a choice.
        space: ``rgb``, ``luma`` or ``ycbcr`` (BT.601), or a choice among them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; ``luma`` and ``ycbcr`` need C = 3.

    Range: float32 sRGB as encoded; saturates.

    Source: Uniform quantisation: floor(x (n - 1) + 1/2) / (n - 1), and floor(v n / 256) 256 / n of 8-bit v.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Quantise.model_validate({"levels_range": {"choice": [3]}})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "bands"), Geometry(1, 1, 4))
        >>> x = np.float32([0.1, 0.3, 0.7, 0.9]).reshape(1, 1, 4, 1)
        >>> draw.apply(x).ravel().tolist()
        [0.0, 0.5, 0.5, 1.0]
        >>> bool((QuantiseDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "quantise"
    draws: ClassVar[type[Draw]] = QuantiseDraw

    levels_range: Annotated[Dist, Within(2, 65536, integer=True)]
    rounding: Annotated[Pick, Words("nearest", "truncate")] = Pick(("nearest",))
    space: Annotated[Pick, Words("rgb", "luma", "ycbcr")] = Pick(("rgb",))

    def draw(self, u: Draws, g: Geometry) -> QuantiseDraw:
        """Choose the number of levels and how."""
        return QuantiseDraw(
            self.levels_range.draw(u, "levels", g.t), self.rounding.draw(u, "rounding"), self.space.draw(u, "space")
        )
