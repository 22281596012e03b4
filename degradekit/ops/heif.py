"""HEIF: a still picture of HEVC, as telephones store it."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import model_validator

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.coded import through_files
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["Heif", "HeifDraw"]

_MISSING = "heif needs the package pillow-heif, which is not installed; pip install 'degradekit[heif]'"


@dataclass(frozen=True, slots=True)
class HeifDraw(Draw):
    """One encoding and decoding.

    Args:
        quality: 0..100, rounded to whole numbers, for the clip or for each frame.
        subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    """

    name: ClassVar[str] = "heif"

    quality: Series
    subsampling: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame.

        Raises:
            OpError: pillow-heif is not installed, the clip is neither RGB nor grey, or the encoder refuses it.
        """
        if not _installed():
            raise OpError(_MISSING)
        return through_files(x, self.name, self._code)

    def _code(self, picture: Array, t: int) -> Array:
        import pillow_heif  # optional

        image = pillow_heif.from_bytes("RGB", (picture.shape[1], picture.shape[0]), picture.tobytes())
        quality = math.floor(at_frame(self.quality, t) + 0.5)
        chroma = self.subsampling.replace(":", "")
        file = io.BytesIO()
        image.save(file, quality=quality, chroma=chroma, enc_params={"x265:pools": "none"})  # one thread
        file.seek(0)
        return np.asarray(pillow_heif.open_heif(file, convert_hdr_to_8bit=True))


class Heif(Op):
    """Compresses as a HEIF file (HEIC) and decompresses, as telephones have stored photographs since 2017.

    HEVC predicts blocks of 4 to 32 px from their neighbours: detail is smoothed, edges stay clean, chroma smears.

    Args:
        quality_range: 0 to 100 as in libheif; larger is closer to the input. Fractions are rounded.
        subsampling: Chroma resolution: ``4:4:4``, ``4:2:2``, ``4:2:0`` (what telephones write), or a choice.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame is a file of its own.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.
    Bits depend on the builds of libheif, x265 and libde265 inside pillow-heif, an optional package: a recipe with this
    op does not load without it (``pip install 'degradekit[heif]'``).

    Source: ISO/IEC 23008-12 (2017), HEIF.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Heif.model_validate({"quality_range": [20, 95]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "heif"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.2)
        True
        >>> bool((HeifDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "heif"
    draws: ClassVar[type[Draw]] = HeifDraw

    quality_range: Annotated[Dist, Within(0, 100)]
    subsampling: Annotated[Pick, Words("4:4:4", "4:2:2", "4:2:0")] = Pick(("4:2:0",))

    @model_validator(mode="after")
    def _codec_is_installed(self) -> Self:
        if not _installed():
            raise ValueError(_MISSING)
        return self

    def draw(self, u: Draws, g: Geometry) -> HeifDraw:
        """Choose quality and subsampling."""
        return HeifDraw(self.quality_range.draw(u, "quality", g.t), self.subsampling.draw(u, "subsampling"))


def _installed() -> bool:
    return find_spec("pillow_heif") is not None
