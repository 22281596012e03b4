"""Grey: colour thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from degradekit.dist import Pick, Words
from degradekit.ops.base import EXACT, Draw, Op, Parity
from degradekit.ops.colour import LUMA, luma, need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Grey", "GreyDraw"]


@dataclass(frozen=True, slots=True)
class GreyDraw(Draw):
    """Luma in all three channels.

    Args:
        matrix: Whose weights.
    """

    name: ClassVar[str] = "grey"
    parity: ClassVar[Parity] = EXACT

    matrix: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Replace red, green and blue by luma; not clipped.

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        return np.repeat(luma(x, LUMA[self.matrix])[..., None], 3, axis=3)

    def apply_torch(self, x: Tensor) -> Tensor:
        """Replace red, green and blue by luma."""
        from degradekit.ops.device.colour import luma

        need_rgb(x, self.name, axis=1)
        return luma(x, LUMA[self.matrix]).expand_as(x)


class Grey(Op):
    """Replaces every colour by its luma, in three equal channels, as black-and-white photographs and copies are.

    Args:
        matrix: Whose weights of red, green and blue: one of ``bt601`` (0.299, 0.587, 0.114), ``bt709``, ``bt2020``, or
            a choice among them.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; [0, 1] goes to [0, 1], overshoot stays.

    Source: ITU-R BT.601-7, section 2.5.1; GFPGAN (arXiv:2101.04061) does it with probability 0.01.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> draw = Grey().draw(Draws(sample_key(0, "cat.png", 0), "grey"), Geometry(1, 1, 1))
        >>> x = np.float32([[[[1, 0, 0]]]])
        >>> np.allclose(draw.apply(x), 0.299)
        True
        >>> bool((GreyDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "grey"
    draws: ClassVar[type[Draw]] = GreyDraw

    matrix: Annotated[Pick, Words(*LUMA)] = Pick(("bt601",))

    def draw(self, u: Draws, g: Geometry) -> GreyDraw:
        """Choose the weights."""
        return GreyDraw(self.matrix.draw(u, "matrix"))
