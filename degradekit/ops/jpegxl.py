"""JPEG XL: the lossy mode with variable blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import imagecodecs
import numpy as np

from degradekit.dist import Const, Dist, Within
from degradekit.ops.base import HELD, Draw, Op, at_frame
from degradekit.ops.coded import through_files
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["JpegXl", "JpegXlDraw"]


@dataclass(frozen=True, slots=True)
class JpegXlDraw(Draw):
    """One encoding and decoding.

    Args:
        distance: Butteraugli distance 0.05..25, for the clip or for each frame.
        effort: Of the encoder, 1..9.
    """

    name: ClassVar[str] = "jpegxl"

    distance: Series
    effort: int

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame.

        Raises:
            OpError: The clip is neither RGB nor grey, or the encoder refuses it.
        """
        return through_files(x, self.name, self._code)

    def _code(self, picture: Array, t: int) -> Array:
        distance = at_frame(self.distance, t)
        data = imagecodecs.jpegxl_encode(picture, distance=distance, effort=self.effort, lossless=False, numthreads=1)
        return np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))


class JpegXl(Op):
    """Compresses as a lossy JPEG XL file and decompresses.

    Keeps what is seen at a distance: blocks of 8 to 256 px chosen by content, an edge-preserving filter over their
    borders, and colours of the eye's cones, in which saturated blue and yellow move most.

    Args:
        distance_range: Butteraugli distance 0.05 to 25; larger loses more. libjxl's tools take a quality of 90, 75, 50
            or 30 for a distance of 1, 2.35, 4.6 or 6.4.
        effort_range: Whole numbers 1 to 9; larger makes smaller files and takes longer: 4 ms at 3 and 40 ms at 7 for
            a picture of 256x256 px. 7 is usual.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame is a file of its own.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.
    Bits depend on the build of libjxl, whose version goes with that of imagecodecs in ``dataset.json``.

    Source: ISO/IEC 18181-1 (2022); libjxl's documentation for distance and effort.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = JpegXl.model_validate({"distance_range": [1, 15], "effort_range": 3})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "jpegxl"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.2)
        True
        >>> bool((JpegXlDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "jpegxl"
    draws: ClassVar[type[Draw]] = JpegXlDraw

    distance_range: Annotated[Dist, Within(0.05, 25)]
    effort_range: Annotated[Dist, Within(1, 9, integer=True), HELD] = Const(7)

    def draw(self, u: Draws, g: Geometry) -> JpegXlDraw:
        """Choose distance and effort."""
        return JpegXlDraw(self.distance_range.draw(u, "distance", g.t), int(self.effort_range.sample(u, "effort")))
