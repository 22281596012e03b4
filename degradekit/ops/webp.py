"""WebP: the lossy format of VP8 key frames."""

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

__all__ = ["Webp", "WebpDraw"]


@dataclass(frozen=True, slots=True)
class WebpDraw(Draw):
    """One encoding and decoding.

    Args:
        quality: 0..100, for the clip or for each frame.
        method: Effort of the encoder, 0..6.
    """

    name: ClassVar[str] = "webp"

    quality: Series
    method: int

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame.

        Raises:
            OpError: The clip is neither RGB nor grey, or a side exceeds the 16383 px of the format.
        """
        return through_files(x, self.name, self._code)

    def _code(self, picture: Array, t: int) -> Array:
        quality = at_frame(self.quality, t)
        data = imagecodecs.webp_encode(picture, level=quality, method=self.method, lossless=False, numthreads=1)
        return np.asarray(imagecodecs.webp_decode(data, hasalpha=False))


class Webp(Op):
    """Compresses as a lossy WebP file and decompresses, as web sites and messengers do.

    Smooths where JPEG shows blocks: blocks of 4 to 16 px are predicted from their neighbours and their borders are
    filtered. Chroma is always halved in both directions.

    Args:
        quality_range: 0 to 100; larger is closer to the input. Chroma is subsampled even at 100.
        method_range: Effort, whole numbers 0 to 6; larger is slower and decides better what to keep; 4 is usual.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame is a file of its own.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.
    Bits depend on the build of libwebp, whose version ``dataset.json`` records with that of imagecodecs.

    Source: RFC 6386 (2011), VP8; RFC 9649 (2024), WebP.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Webp.model_validate({"quality_range": [20, 95]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "webp"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.2)
        True
        >>> bool((WebpDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "webp"
    draws: ClassVar[type[Draw]] = WebpDraw

    quality_range: Annotated[Dist, Within(0, 100)]
    method_range: Annotated[Dist, Within(0, 6, integer=True), HELD] = Const(4)

    def draw(self, u: Draws, g: Geometry) -> WebpDraw:
        """Choose quality and method."""
        return WebpDraw(self.quality_range.draw(u, "quality", g.t), int(self.method_range.sample(u, "method")))
