"""Ideal low-pass filter, for ringing and overshoot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from degradekit.dist import Dist, Within
from degradekit.ops import kernels
from degradekit.ops.base import Draw, Op
from degradekit.ops.ellipse import KernelSize
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.rng import Draws
from degradekit.types import Geometry, Series

__all__ = ["Sinc", "SincDraw"]


@dataclass(frozen=True, slots=True)
class SincDraw(FilterDraw):
    """A convolution with one low-pass filter, or one for each frame.

    Args:
        size: Side of the kernel in px, odd.
        cutoff: Radius of the frequencies that pass, in radians per px.
    """

    name: ClassVar[str] = "sinc"

    size: int
    cutoff: Series

    def kernels(self) -> Kernels:
        """One low-pass filter."""
        return Kernels(kernels.sinc, (self.size, self.cutoff))


class Sinc(Op):
    """Cuts off the frequencies above a radius, and so leaves ringing around edges.

    It imitates sharpening and compression that overshoot: bright and dark lines along every edge.

    Args:
        size_range: Side of the kernel in px, odd. Ringing needs room: the first negative lobe begins at a distance of
            3.83 / cutoff, so 7 px at a cutoff of pi/3 blur and do not ring.
        cutoff_range: Radius of the frequencies that pass, in radians per px, above 0 and up to pi; smaller blurs more
            and rings wider. Even pi is no identity: it removes the corners of the spectrum.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded; overshoots [0, 1] at edges by up to a fifth of their height, and is not clipped.

    Source: Real-ESRGAN, arXiv:2107.10833, section 3.3.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Sinc.model_validate({"size_range": 21, "cutoff_range": ["pi/3", "pi/2"]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "sinc"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> y = draw.apply(x)
        >>> bool(y.max() > 1.05 and y.min() < -0.05)
        True
        >>> bool((SincDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "sinc"
    draws: ClassVar[type[Draw]] = SincDraw

    size_range: KernelSize
    cutoff_range: Annotated[Dist, Within(0.01, math.pi, hint="the cutoff is in radians per px: write pi/3")]

    def draw(self, u: Draws, g: Geometry) -> SincDraw:
        """Choose the size and the cutoff."""
        return SincDraw(int(self.size_range.sample(u, "size")), self.cutoff_range.draw(u, "cutoff", g.t))
