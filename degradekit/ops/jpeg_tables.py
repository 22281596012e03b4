"""JPEG with quantisation tables of one's own: those of a camera, an editor or another encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias, cast

import numpy as np
from pydantic import BeforeValidator, Field, StrictInt

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.libjpeg import SUBSAMPLING, Subsampling, round_trip, scaled_table
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["JpegTables", "JpegTablesDraw"]


def _rows(value: Any) -> Any:
    """Eight rows of eight numbers, or 64 numbers, as 64 numbers."""
    rows = isinstance(value, Sequence) and len(value) == 8 and all(isinstance(row, Sequence) for row in value)
    return [step for row in value for step in row] if rows else value


Table: TypeAlias = Annotated[
    tuple[Annotated[StrictInt, Field(ge=1, le=255)], ...],
    Field(min_length=64, max_length=64),
    BeforeValidator(_rows),
]


@dataclass(frozen=True, slots=True)
class JpegTablesDraw(Draw):
    """One encoding and decoding.

    Args:
        luma: 64 steps 1..255, row by row; rows are vertical frequencies.
        chroma: The same for both colour differences.
        quality: libjpeg quality, whole numbers 1..100, that scales both; 50 leaves them.
        subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    """

    name: ClassVar[str] = "jpeg_tables"

    luma: tuple[int, ...]
    chroma: tuple[int, ...]
    quality: Series
    subsampling: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame.

        Raises:
            OpError: The clip is neither RGB nor grey.
        """
        if x.shape[3] not in (1, 3):
            raise OpError(f"jpeg_tables: encodes RGB or grey, the clip has {x.shape[3]} channels; convert it before")
        subsampling = cast(Subsampling, self.subsampling)
        return np.stack([round_trip(frame, self._tables(t), subsampling) for t, frame in enumerate(x)])

    def _tables(self, t: int) -> tuple[Array, Array]:
        quality = int(at_frame(self.quality, t))
        luma, chroma = (np.array(table, np.int32).reshape(8, 8) for table in (self.luma, self.chroma))
        return scaled_table(luma, quality), scaled_table(chroma, quality)


class JpegTables(Op):
    """Compresses as a JPEG file with given quantisation tables and decompresses.

    Cameras, editors and web services have tables of their own, which decide what remains: flat ones keep texture and
    ring, steep ones blur. ``djpeg -verbose -verbose`` or exiftool shows the tables of a file. Apart from the tables
    this is the op ``jpeg``.

    Args:
        luma: 64 steps, whole numbers 1 to 255, in eight rows or one, as in the standard's table K.1: rows are vertical
            frequencies, not the zigzag order of the file. Larger loses more of that frequency.
        chroma: The same for both colour differences.
        quality_range: libjpeg quality 1 to 100 that scales both tables; larger is closer to the input, 50 leaves them
            as they are. Fractions are rounded.
        subsampling: Chroma resolution: ``4:4:4``, ``4:2:2``, ``4:2:0``, or a choice among them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame is a file of its own.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.

    Source: ITU-T T.81 (1992), annex A.3.4; libjpeg's scaling of tables.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = JpegTables.model_validate({"luma": [16] * 64, "chroma": [[30] * 8] * 8})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "jpeg"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.1)
        True
        >>> bool((JpegTablesDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "jpeg_tables"
    draws: ClassVar[type[Draw]] = JpegTablesDraw

    luma: Table
    chroma: Table
    quality_range: Annotated[Dist, Within(1, 100)] = Const(50)
    subsampling: Annotated[Pick, Words(*SUBSAMPLING)] = Pick(("4:2:0",))

    def draw(self, u: Draws, g: Geometry) -> JpegTablesDraw:
        """Choose quality and subsampling."""
        quality = self.quality_range.draw(u, "quality", g.t)
        whole = tuple(map(_whole, quality)) if isinstance(quality, tuple) else _whole(quality)
        return JpegTablesDraw(self.luma, self.chroma, whole, self.subsampling.draw(u, "subsampling"))


def _whole(quality: float) -> int:
    return math.floor(quality + 0.5)
