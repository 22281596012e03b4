"""Matrix error: Y'CbCr written with one standard's matrix and read with another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from degradekit.dist import Pick, Words
from degradekit.ops.base import Draw, Op
from degradekit.ops.colour import LUMA, clip01, from_ycbcr, need_rgb, to_ycbcr
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry

__all__ = ["MatrixError", "MatrixErrorDraw"]


@dataclass(frozen=True, slots=True)
class MatrixErrorDraw(Draw):
    """One mix-up.

    Args:
        written: Matrix that made Y'CbCr.
        read: Matrix that made RGB again.
    """

    name: ClassVar[str] = "matrix_error"

    written: str
    read: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Convert there and back, and clip to [0, 1]; returns ``x`` itself where both are the same.

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        if self.written == self.read:
            return x
        return clip01(from_ycbcr(*to_ycbcr(x, self.written), self.read))


class MatrixError(Op):
    """Reads Y'CbCr with another matrix than it was written with: greens and reds shift, greys stay.

    Happens to video without colour tags, when players guess BT.601 or BT.709 from the size.

    Args:
        written: Matrix that the video was made with: ``bt601``, ``bt709`` or ``bt2020``, or a choice.
        read: Matrix that it is shown with; the same as ``written`` leaves the image.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; saturates.

    Source: ITU-R BT.601-7, BT.709-6 and BT.2020-2.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> draw = MatrixError().draw(Draws(sample_key(0, "cat.png", 0), "matrix"), Geometry(1, 1, 2))
        >>> x = np.float32([[[[0.5, 0.5, 0.5], [0.2, 0.7, 0.2]]]])
        >>> y = draw.apply(x)
        >>> np.allclose(y[0, 0, 0], 0.5), np.allclose(y[0, 0, 1], x[0, 0, 1])
        (True, False)
        >>> bool((MatrixErrorDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "matrix_error"
    draws: ClassVar[type[Draw]] = MatrixErrorDraw

    written: Annotated[Pick, Words(*LUMA)] = Pick(("bt601",))
    read: Annotated[Pick, Words(*LUMA)] = Pick(("bt709",))

    def draw(self, u: Draws, g: Geometry) -> MatrixErrorDraw:
        """Choose both matrices."""
        return MatrixErrorDraw(self.written.draw(u, "written"), self.read.draw(u, "read"))
