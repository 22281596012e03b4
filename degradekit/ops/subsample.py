"""Subsample: keep every s-th pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from pydantic import model_validator

from degradekit.dist import Const, Dist, Within
from degradekit.errors import OpError
from degradekit.ops.base import EXACT, HELD, Draw, Op, Parity
from degradekit.rng import Draws
from degradekit.types import Affine, FloatImage, Geometry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Subsample", "SubsampleDraw"]


@dataclass(frozen=True, slots=True)
class SubsampleDraw(Draw):
    """Every ``step``-th pixel, from ``offset`` on, in both directions.

    Args:
        step: In px.
        offset: First row and column that is kept.
    """

    name: ClassVar[str] = "subsample"
    parity: ClassVar[Parity] = EXACT
    moves_only: ClassVar[bool] = True

    step: int
    offset: int

    def apply(self, x: FloatImage) -> FloatImage:
        """Keep the pixels."""
        return np.ascontiguousarray(x[:, self.offset :: self.step, self.offset :: self.step])

    def apply_torch(self, x: Tensor) -> Tensor:
        """Keep the same pixels."""
        return x[..., self.offset :: self.step, self.offset :: self.step]

    def out_geometry(self, g: Geometry) -> Geometry:
        """As many pixels as fit, at least one from ``offset`` on."""
        return g.resized(*(len(range(self.offset, side, self.step)) for side in g.size))

    def grid(self, g: Geometry) -> Affine:
        """x_in = step x + offset, and likewise y."""
        step, offset = float(self.step), float(self.offset)
        return (step, 0.0, offset, 0.0, step, offset)


class Subsample(Op):
    """Keeps every s-th pixel and throws the others away: a downscale that aliases and, in general, shifts.

    Whether it shifts depends on what stands before it. A step of s with offset 0 after a symmetric blur shows the top
    left pixel of each s x s block, (s - 1) / 2 px from its middle. A ``shifted_gaussian`` before it takes the shift
    away, and for odd s the offset (s - 1) / 2 does. The alignment records it either way.

    Args:
        step_range: s in px, 1 to 64; larger keeps less, 1 keeps all.
        offset_range: First row and column that is kept, 0 to s - 1. Blur-and-decimate data of video super-resolution
            come in two kinds that do not mix: DUF and EDVR keep offset 0, BasicVSR samples the middle of the blocks.

    Shape: ``[T, H, W, C] -> [T, ceil((H - offset) / s), ceil((W - offset) / s), C]``.

    Range: any; values are not touched.

    Source: K. Zhang, J. Liang, L. Van Gool, R. Timofte, 2021, arXiv:2103.14006, section 3.2 (D_nearest); Y. Jo et al.,
    "Deep video super-resolution network using dynamic upsampling filters", CVPR 2018 (blur and decimation).

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> draw = Subsample.model_validate({"step_range": 3}).draw(Draws(sample_key(0, "cat.png", 0), "down"),
        ...     Geometry(1, 4, 7, 1))
        >>> x = np.arange(28, dtype=np.float32).reshape(1, 4, 7, 1)
        >>> draw.apply(x)[0, :, :, 0].tolist()
        [[0.0, 3.0, 6.0], [21.0, 24.0, 27.0]]
        >>> bool((SubsampleDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "subsample"
    draws: ClassVar[type[Draw]] = SubsampleDraw

    step_range: Annotated[Dist, Within(1, 64, integer=True), HELD]
    offset_range: Annotated[Dist, Within(0, 63, integer=True), HELD] = Const(0)

    @model_validator(mode="after")
    def _offset_within_a_step(self) -> Self:
        if self.offset_range.support()[1] >= self.step_range.support()[0]:
            raise ValueError("offset_range reaches a whole step: it lies between 0 and the smallest step less 1")
        return self

    def draw(self, u: Draws, g: Geometry) -> SubsampleDraw:
        """Choose the step and the offset.

        Raises:
            OpError: The offset lies outside the clip.
        """
        draw = SubsampleDraw(int(self.step_range.sample(u, "step")), int(self.offset_range.sample(u, "offset")))
        if draw.offset >= min(g.size):
            raise OpError(f"subsample: offset {draw.offset} lies outside a clip of {g.h}x{g.w} px; make it smaller")
        return draw
