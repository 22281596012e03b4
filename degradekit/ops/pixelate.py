"""Pixelate: replace blocks by their mean colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from degradekit.dist import Dist, Within
from degradekit.ops.base import HELD, Draw, Op
from degradekit.ops.resample import resize
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry

__all__ = ["Pixelate", "PixelateDraw"]


@dataclass(frozen=True, slots=True)
class PixelateDraw(Draw):
    """A grid of blocks.

    Args:
        h: Blocks from top to bottom.
        w: Blocks from left to right.
    """

    name: ClassVar[str] = "pixelate"

    h: int
    w: int

    def apply(self, x: FloatImage) -> FloatImage:
        """Shrink by area, enlarge by the nearest pixel."""
        return resize(resize(x, self.h, self.w, mode="area"), x.shape[1], x.shape[2], mode="nearest")


class Pixelate(Op):
    """Replaces blocks by their mean colour, as in pixel art, mosaics over faces, and pictures enlarged without filter.

    The picture is shrunk by area to a whole number of blocks and enlarged again by the nearest pixel.

    Args:
        block_range: Side of a block in px at this step's resolution, 1 to 64; larger is coarser, 1 changes nothing. A
            fraction makes blocks of two sizes, and blocks divide the picture evenly, so a side may differ a little.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``.

    Range: float32, as encoded (not in linear light); means of the input.

    Source: Block averaging; ``area`` and ``nearest`` of :mod:`degradekit.ops.resample`.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Pixelate.model_validate({"block_range": 2})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "pixels"), Geometry(1, 2, 4, 1))
        >>> x = np.arange(8, dtype=np.float32).reshape(1, 2, 4, 1)
        >>> draw.apply(x)[0, :, :, 0].tolist()
        [[2.5, 2.5, 4.5, 4.5], [2.5, 2.5, 4.5, 4.5]]
        >>> bool((PixelateDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "pixelate"
    draws: ClassVar[type[Draw]] = PixelateDraw

    block_range: Annotated[Dist, Within(1, 64, hint="the side of a block is in px"), HELD]

    def draw(self, u: Draws, g: Geometry) -> PixelateDraw:
        """Choose the size of the blocks."""
        block = self.block_range.sample(u, "block")
        return PixelateDraw(*(max(1, int(side / block + 0.5)) for side in g.size))
