"""JPEG 2000: wavelets cut to a ratio or to a fidelity."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from PIL import Image
from pydantic import model_validator

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.coded import through_files
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["Jpeg2000", "Jpeg2000Draw"]

_MODES = {"ratio": "rates", "psnr": "dB"}


@dataclass(frozen=True, slots=True)
class Jpeg2000Draw(Draw):
    """One encoding and decoding.

    Args:
        measure: ``ratio`` or ``psnr``.
        amount: Compression ratio, or decibels; for the clip or for each frame.
    """

    name: ClassVar[str] = "jpeg2000"

    measure: str
    amount: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, round to 8 bits, compress and decompress every frame.

        Raises:
            OpError: The clip is neither RGB nor grey, or the encoder refuses it.
        """
        return through_files(x, self.name, self._code)

    def _code(self, picture: Array, t: int) -> Array:
        file = io.BytesIO()
        Image.fromarray(picture).save(
            file,
            "JPEG2000",
            no_jp2=True,
            irreversible=True,
            mct=1,
            num_resolutions=_resolutions(min(picture.shape[:2])),
            quality_mode=_MODES[self.measure],
            quality_layers=[at_frame(self.amount, t)],
        )
        return np.asarray(Image.open(file, formats=["JPEG2000"]))


class Jpeg2000(Op):
    """Compresses as a JPEG 2000 file and decompresses, as cinemas, archives and scanners of documents do.

    Has no blocks: fine wavelets are rounded away, which smears texture and lets edges ring softly. The irreversible
    9-7 wavelet and colour transform are used, over as many resolutions, up to six, as leave the coarsest 8 px.

    Args:
        ratio_range: Size of the 8-bit samples over that of the file, 1 to 1000; larger loses more: 10 is hard to see,
            50 is blurred. Either this or ``psnr_range``.
        psnr_range: Fidelity that the encoder cuts to in decibels, 15 to 60; larger is closer to the input. Photographs
            come out within about 1 dB of it.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3; every frame is a file of its own.

    Range: float32 sRGB; clipped to [0, 1] and rounded to 8 bits on the way in, 8-bit levels over 255 on the way out.
    Bits depend on the build of OpenJPEG, whose version goes with that of Pillow in ``dataset.json``.

    Source: ITU-T T.800 (2002), JPEG 2000 part 1.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Jpeg2000.model_validate({"ratio_range": {"log_uniform": [10, 100]}})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "jpeg2000"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.3)
        True
        >>> bool((Jpeg2000Draw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "jpeg2000"
    draws: ClassVar[type[Draw]] = Jpeg2000Draw

    ratio_range: Annotated[Dist, Within(1, 1000)] | None = None
    psnr_range: Annotated[Dist, Within(15, 60)] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.ratio_range is None) == (self.psnr_range is None):
            raise ValueError("jpeg2000 needs either ratio_range or psnr_range; write ratio_range: [10, 60], say")
        return self

    def draw(self, u: Draws, g: Geometry) -> Jpeg2000Draw:
        """Choose the ratio or the fidelity."""
        if self.psnr_range is not None:
            return Jpeg2000Draw("psnr", self.psnr_range.draw(u, "psnr", g.t))
        assert self.ratio_range is not None  # the model asks for one of the two
        return Jpeg2000Draw("ratio", self.ratio_range.draw(u, "ratio", g.t))


def _resolutions(side: int) -> int:
    """At most 6; coarser wavelets than 8 px make OpenJPEG miss the fidelity by far (38 levels at 50 dB)."""
    return min(max(side.bit_length() - 3, 1), 6)
