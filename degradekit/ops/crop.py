"""Crop: a window of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from degradekit.errors import OpError
from degradekit.ops.base import EXACT, Draw, Op, Parity
from degradekit.rng import Draws
from degradekit.types import Affine, FloatImage, Geometry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Crop", "CropDraw"]

_Side = Annotated[int, Field(ge=1, le=65535)]
_Offset = Annotated[int, Field(ge=0, le=65535)]


@dataclass(frozen=True, slots=True)
class CropDraw(Draw):
    """One window.

    Args:
        y: Top row.
        x: Left column.
        h: Height in px.
        w: Width in px.
    """

    name: ClassVar[str] = "crop"
    parity: ClassVar[Parity] = EXACT
    moves_only: ClassVar[bool] = True

    y: int
    x: int
    h: int
    w: int

    def apply(self, x: FloatImage) -> FloatImage:
        """Cut the window out of every frame.

        Raises:
            OpError: It reaches outside.
        """
        self._check(x.shape[1], x.shape[2])
        return np.ascontiguousarray(x[:, self.y : self.y + self.h, self.x : self.x + self.w])

    def apply_torch(self, x: Tensor) -> Tensor:
        """Cut the window out."""
        self._check(x.shape[-2], x.shape[-1])
        return x[..., self.y : self.y + self.h, self.x : self.x + self.w]

    def _check(self, h: int, w: int) -> None:
        if self.y + self.h > h or self.x + self.w > w:
            raise OpError(
                f"crop: a window of {self.h}x{self.w} px at ({self.y}, {self.x}) reaches outside a clip of {h}x{w} px"
            )

    def out_geometry(self, g: Geometry) -> Geometry:
        """The size of the window."""
        return g.resized(self.h, self.w)

    def grid(self, g: Geometry) -> Affine:
        """A shift by the offsets."""
        return (1.0, 0.0, float(self.x), 0.0, 1.0, float(self.y))


class Crop(Op):
    """Cuts a window out; the pixels stay as they are.

    Before a JPEG step, a crop moves the grid of blocks against an earlier one, as in a picture that was cropped and
    saved again.

    Args:
        size: (height, width) of the window in px, or one number for both; larger keeps more.
        position: ``random`` (every place equally likely), ``centre`` (rounded to the top left), or the explicit
            (top row, left column) in px.

    Shape: ``[T, H, W, C] -> [T, h, w, C]``, the same window in every frame.

    Range: any; values are not touched.

    Source: An operation without a choice; the grid of an LQ-to-GT alignment records the offsets.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> g = Geometry(1, 8, 8, 1)
        >>> draw = Crop(size=(2, 3), position="centre").draw(Draws(sample_key(0, "cat.png", 0), "crop"), g)
        >>> x = np.arange(64, dtype=np.float32).reshape(g.shape)
        >>> draw.apply(x)[0, :, :, 0].tolist()
        [[26.0, 27.0, 28.0], [34.0, 35.0, 36.0]]
        >>> bool((CropDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "crop"
    draws: ClassVar[type[Draw]] = CropDraw

    size: _Side | tuple[_Side, _Side]
    position: Literal["random", "centre"] | tuple[_Offset, _Offset] = "random"

    def draw(self, u: Draws, g: Geometry) -> CropDraw:
        """Choose the place.

        Raises:
            OpError: The window does not fit into the clip.
        """
        h, w = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        room_y, room_x = g.h - h, g.w - w
        if isinstance(self.position, tuple):
            y, x = self.position
        elif self.position == "centre":
            y, x = room_y // 2, room_x // 2
        else:
            y, x = u.integer("y", max(room_y, 0) + 1), u.integer("x", max(room_x, 0) + 1)
        if not (0 <= y <= room_y and 0 <= x <= room_x):
            raise OpError(
                f"crop: a window of {h}x{w} px at ({y}, {x}) does not fit into {g.h}x{g.w} px; make it smaller"
            )
        return CropDraw(y, x, h, w)
