"""AVIF: a still picture of AV1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import imagecodecs
import numpy as np

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.ops.base import HELD, Draw, Op, at_frame
from degradekit.ops.coded import through_files
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["Avif", "AvifDraw"]


@dataclass(frozen=True, slots=True)
class AvifDraw(Draw):
    """One encoding and decoding.

    Args:
        quality: 0..100, rounded to whole numbers, for the clip or for each frame.
        speed: Of the encoder, 0..10.
        subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    """

    name: ClassVar[str] = "avif"

    quality: Series
    speed: int
    subsampling: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame.

        Raises:
            OpError: The clip is neither RGB nor grey, or the encoder refuses it.
        """
        return through_files(x, self.name, self._code)

    def _code(self, picture: Array, t: int) -> Array:
        data = imagecodecs.avif_encode(
            picture,
            level=math.floor(at_frame(self.quality, t) + 0.5),
            speed=self.speed,
            pixelformat=self.subsampling.replace(":", ""),
            codec="aom",
            numthreads=1,
        )
        return np.asarray(imagecodecs.avif_decode(data, numthreads=1))


class Avif(Op):
    """Compresses as an AVIF file and decompresses.

    Blurs detail away and keeps edges clean, with few visible blocks; at low quality surfaces turn into gradients.

    Args:
        quality_range: 0 to 100 as in libavif; larger is closer to the input. Fractions are rounded.
        speed_range: Whole numbers 0 to 10; larger is quicker and a little worse. A picture of 256x256 px took 0.5 s at
            4, 0.1 s at 6 and 0.03 s at 8 on a core of 2020's make.
        subsampling: Chroma resolution: ``4:4:4``, ``4:2:2``, ``4:2:0``, or a choice among them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame is a file of its own.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.
    Bits depend on the builds of libavif and libaom, whose versions go with that of imagecodecs in ``dataset.json``.

    Source: AV1 Image File Format 1.1 (Alliance for Open Media, 2022).

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Avif.model_validate({"quality_range": [20, 95], "speed_range": 8})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "avif"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.2)
        True
        >>> bool((AvifDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "avif"
    draws: ClassVar[type[Draw]] = AvifDraw

    quality_range: Annotated[Dist, Within(0, 100)]
    speed_range: Annotated[Dist, Within(0, 10, integer=True), HELD] = Const(6)
    subsampling: Annotated[Pick, Words("4:4:4", "4:2:2", "4:2:0")] = Pick(("4:2:0",))

    def draw(self, u: Draws, g: Geometry) -> AvifDraw:
        """Choose quality, speed and subsampling."""
        return AvifDraw(
            self.quality_range.draw(u, "quality", g.t),
            int(self.speed_range.sample(u, "speed")),
            self.subsampling.draw(u, "subsampling"),
        )
