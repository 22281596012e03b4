"""JPEG: libjpeg's loss, bit for bit, without the file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, cast

import numpy as np
from pydantic import Field

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.ops.base import EXACT, Draw, Op, Parity, at_frame
from degradekit.ops.libjpeg import SUBSAMPLING, Subsampling, jpeg_round_trip, quantisation_tables
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Jpeg", "JpegDraw"]


@dataclass(frozen=True, slots=True)
class JpegDraw(Draw):
    """One encoding and decoding.

    Args:
        quality: libjpeg quality, whole numbers 1..100, for the clip or for each frame.
        subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
        swapped: Red is encoded as blue and blue as red.
    """

    name: ClassVar[str] = "jpeg"
    parity: ClassVar[Parity] = EXACT
    unlisted: ClassVar[frozenset[str]] = frozenset({"swapped"})

    quality: Series
    subsampling: str
    swapped: bool = False

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame.

        Raises:
            OpError: The clip is neither RGB nor grey.
        """
        _need_picture(x.shape[3])
        if self.swapped:
            return np.ascontiguousarray(
                replace(self, swapped=False).apply(np.ascontiguousarray(x[..., ::-1]))[..., ::-1]
            )
        subsampling = cast(Subsampling, self.subsampling)
        frames = [jpeg_round_trip(frame, int(at_frame(self.quality, t)), subsampling) for t, frame in enumerate(x)]
        return frames[0][np.newaxis] if len(frames) == 1 else np.stack(frames)

    def apply_torch(self, x: Tensor) -> Tensor:
        """Clip, round to 8 bits, compress and decompress every frame."""
        return self.apply_group([self], [x])[0]

    @classmethod
    def apply_group(cls, draws: Sequence[Self], xs: Sequence[Tensor]) -> list[Tensor]:
        """Code all frames of all clips at once."""
        from degradekit.ops.device.jpeg import Coding, code_clips

        for x in xs:
            _need_picture(x.shape[1])
        codings = [
            [Coding(quantisation_tables(int(at_frame(draw.quality, t))), draw.subsampling) for t in range(len(x))]
            for draw, x in zip(draws, xs, strict=True)
        ]
        clips = [x.flip(1) if draw.swapped else x for draw, x in zip(draws, xs, strict=True)]
        coded = code_clips(clips, codings)
        return [x.flip(1) if draw.swapped else x for draw, x in zip(draws, coded, strict=True)]


class Jpeg(Op):
    """Compresses as a JPEG file and decompresses, as cameras, messengers and web sites do to every picture.

    Brings 8x8 blocks, ringing at edges and, where chroma is subsampled, colours that bleed over edges. The result is
    what libjpeg-turbo's default encoder and decoder make (``cv2.imencode`` and ``cv2.imdecode``), bit for bit; the
    lossless part of the format is left out. A second JPEG in a recipe is a second step.

    Args:
        quality_range: libjpeg quality 1 to 100; larger is closer to the input. Fractions are rounded, since libjpeg
            knows whole numbers only; ``{integer: [30, 95]}`` gives both ends their full chance.
        subsampling: Chroma resolution: ``4:4:4`` (as luma), ``4:2:2`` (half as wide), ``4:2:0`` (half as wide and
            high, what nearly all software writes), or a choice among them; nothing to a grey clip.
        compat: Faults of other software to reproduce. ``swapped_channels: true`` encodes red as blue and blue as red,
            as mmagic's training configurations do: red then loses the detail that blue should. Real-ESRGAN's own JPEG,
            with all its faults, is the op ``diffjpeg``.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame is a file of its own.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.

    Source: ITU-T T.81 (1992); libjpeg's quality scale. Differs from Real-ESRGAN's DiffJPEG, which transposes the luma
    table, takes any real quality, keeps fractions before and after, and repeats chroma samples.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Jpeg.model_validate({"quality_range": {"integer": [30, 95]}})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "jpeg"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.1)
        True
        >>> bool((JpegDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "jpeg"
    draws: ClassVar[type[Draw]] = JpegDraw

    quality_range: Annotated[Dist, Within(1, 100)]
    subsampling: Annotated[Pick, Words(*SUBSAMPLING)] = Pick(("4:2:0",))
    compat: dict[Literal["swapped_channels"], bool] = Field(default_factory=dict)

    def draw(self, u: Draws, g: Geometry) -> JpegDraw:
        """Choose quality and subsampling."""
        quality = self.quality_range.draw(u, "quality", g.t)
        whole = tuple(map(_whole, quality)) if isinstance(quality, tuple) else _whole(quality)
        return JpegDraw(whole, self.subsampling.draw(u, "subsampling"), self.compat.get("swapped_channels", False))


def _need_picture(channels: int) -> None:
    if channels not in (1, 3):
        raise OpError(f"jpeg: encodes RGB or grey, the clip has {channels} channels; convert it before this step")


def _whole(quality: float) -> int:
    return math.floor(quality + 0.5)
