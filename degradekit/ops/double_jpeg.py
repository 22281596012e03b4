"""Double JPEG: two compressions whose 8x8 grids do not lie on each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, cast

import cv2
import numpy as np

from degradekit.dist import Dist, Integer, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.ops.base import HELD, Draw, Op, at_frame
from degradekit.ops.libjpeg import SUBSAMPLING, Subsampling, jpeg_round_trip
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["DoubleJpeg", "DoubleJpegDraw"]


@dataclass(frozen=True, slots=True)
class DoubleJpegDraw(Draw):
    """Two encodings and decodings.

    Args:
        first: libjpeg quality of the first, whole numbers 1..100, for the clip or for each frame.
        second: The same of the second.
        offset_y: Rows by which the first grid begins above the picture, 0..15.
        offset_x: Columns by which it begins to the left of it.
        subsampling: Chroma of both: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    """

    name: ClassVar[str] = "double_jpeg"

    first: Series
    second: Series
    offset_y: int
    offset_x: int
    subsampling: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame twice.

        Raises:
            OpError: The clip is neither RGB nor grey.
        """
        if x.shape[3] not in (1, 3):
            raise OpError(f"double_jpeg: encodes RGB or grey, the clip has {x.shape[3]} channels; convert it before")
        return np.stack([self._frame(frame, t) for t, frame in enumerate(x)])

    def _frame(self, frame: FloatImage, t: int) -> FloatImage:
        subsampling = cast(Subsampling, self.subsampling)
        h, w, channels = frame.shape
        larger = cv2.copyMakeBorder(frame, self.offset_y, 0, self.offset_x, 0, cv2.BORDER_REFLECT_101)
        larger = larger.reshape(h + self.offset_y, w + self.offset_x, channels)  # OpenCV drops a single channel
        once = jpeg_round_trip(larger, int(at_frame(self.first, t)), subsampling)
        cut = np.ascontiguousarray(once[self.offset_y :, self.offset_x :])
        return jpeg_round_trip(cut, int(at_frame(self.second, t)), subsampling)


class DoubleJpeg(Op):
    """Compresses as JPEG, cuts rows and columns off, and compresses again, as edited and forwarded pictures are.

    The first blocks stay visible under the second ones, off their grid, which two ``jpeg`` steps cannot do: between
    those the grids coincide unless the picture is resized. The rows and columns that are cut off are made by reflecting
    the picture, so that its size and place stay.

    Args:
        first_range: libjpeg quality of the first compression, 1 to 100; larger is closer to the input.
        second_range: The same of the second. Fractions are rounded.
        offset_y_range: Rows cut off between the two, whole numbers 0 to 15; 0 and, without chroma subsampling, 8 leave
            the grids on each other.
        offset_x_range: The same for columns.
        subsampling: Chroma resolution of both: ``4:4:4``, ``4:2:2``, ``4:2:0``, or a choice among them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame by itself.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.

    Source: ITU-T T.81 (1992), as in the op ``jpeg``; F. Jiang et al., "Towards Flexible Blind JPEG Artifacts Removal",
    2021, arXiv:2109.14573, for non-aligned double JPEG.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = DoubleJpeg.model_validate({"first_range": [10, 40], "second_range": [60, 95]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "jpeg"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.2)
        True
        >>> bool((DoubleJpegDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "double_jpeg"
    draws: ClassVar[type[Draw]] = DoubleJpegDraw

    first_range: Annotated[Dist, Within(1, 100)]
    second_range: Annotated[Dist, Within(1, 100)]
    offset_y_range: Annotated[Dist, Within(0, 15, integer=True), HELD] = Integer(0, 7)
    offset_x_range: Annotated[Dist, Within(0, 15, integer=True), HELD] = Integer(0, 7)
    subsampling: Annotated[Pick, Words(*SUBSAMPLING)] = Pick(("4:2:0",))

    def draw(self, u: Draws, g: Geometry) -> DoubleJpegDraw:
        """Choose both qualities, the offset and the subsampling."""
        return DoubleJpegDraw(
            _whole(self.first_range.draw(u, "first", g.t)),
            _whole(self.second_range.draw(u, "second", g.t)),
            int(self.offset_y_range.sample(u, "offset_y")),
            int(self.offset_x_range.sample(u, "offset_x")),
            self.subsampling.draw(u, "subsampling"),
        )


def _whole(quality: Series) -> Series:
    if isinstance(quality, tuple):
        return tuple(math.floor(value + 0.5) for value in quality)
    return math.floor(quality + 0.5)
