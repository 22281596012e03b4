"""DiffJPEG: the JPEG of Real-ESRGAN's training code with its quirks, for data that must match it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.jit import inline, kernel
from degradekit.ops.base import Draw, Op, Parity, at_frame, close
from degradekit.ops.colour import need_rgb
from degradekit.ops.libjpeg import quantisation_tables
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DiffJpeg", "DiffJpegDraw"]


@dataclass(frozen=True, slots=True)
class DiffJpegDraw(Draw):
    """One pass.

    Args:
        quality: Real number 1..99, for the clip or for each frame.
    """

    name: ClassVar[str] = "diffjpeg"
    parity: ClassVar[Parity] = close(0.01)

    quality: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip to [0, 1] and send every frame through the transform and back.

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        return np.stack([_round_trip(frame, at_frame(self.quality, t)) for t, frame in enumerate(x)])

    def apply_torch(self, x: Tensor) -> Tensor:
        """Send every frame through the same transform; a coefficient midway between two steps may fall apart."""
        import torch

        from degradekit.ops.device.diffjpeg import round_trip

        need_rgb(x, self.name, axis=1)
        return torch.stack([round_trip(frame, *_tables(at_frame(self.quality, t))) for t, frame in enumerate(x)])


class DiffJpeg(Op):
    """Compresses as the DiffJPEG layer inside Real-ESRGAN does; for real JPEG use ``jpeg``.

    Differs from a JPEG file in five ways that show: the luma table is transposed, so that horizontal detail loses what
    vertical detail should; steps are real numbers, below 1 at high quality; input is not rounded to 8 bits, and
    neither is the output; chroma samples are repeated instead of interpolated; and sides that are no multiples of 16
    are continued in black, which rings into the last rows and columns.

    Args:
        quality_range: 1 to 99, fractions count; larger is closer to the input.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``; every frame by itself.

    Range: float32 sRGB; clipped to [0, 1] before and after.

    Source: Wang et al., Real-ESRGAN, 2021, arXiv:2107.10833, and its published code; M. Lomnitz, DiffJPEG; ITU-T T.81.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = DiffJpeg.model_validate({"quality_range": [30, 95]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "jpeg"), Geometry(1, 32, 32))
        >>> x = np.linspace(0, 1, 32 * 32 * 3, dtype=np.float32).reshape(1, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.2)
        True
        >>> bool((DiffJpegDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "diffjpeg"
    draws: ClassVar[type[Draw]] = DiffJpegDraw

    quality_range: Annotated[Dist, Within(1, 99)]

    def draw(self, u: Draws, g: Geometry) -> DiffJpegDraw:
        """Choose the quality."""
        return DiffJpegDraw(self.quality_range.draw(u, "quality", g.t))


def _round_trip(x: FloatImage, quality: float) -> FloatImage:
    h, w, _ = x.shape
    high, wide = h + -h % 16, w + -w % 16
    y, c = np.empty((high, wide)), np.empty((2, high // 2, wide // 2))
    _from_rgb(x, y, c)
    luma, chroma = _tables(quality)
    _requantise(y, luma)
    _requantise(c.reshape(high, wide // 2), chroma)
    out = np.empty(x.shape, np.float32)
    _to_rgb(y, c, out)
    return out


def _tables(quality: float) -> tuple[Array, Array]:
    """Steps of luma, transposed, and chroma: those of the standard times a real factor."""
    luma, chroma = quantisation_tables(50)
    factor = 50 / quality if quality < 50 else 2 - quality / 50
    return luma.T * factor, chroma * factor


@kernel
def _from_rgb(x: FloatImage, luma: Array, chroma: Array) -> None:
    """Planes around 0 in levels; what lies beyond the picture is black."""
    luma[:] = -128.0
    chroma[:] = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            r, g, b = _level(x[i, j, 0]), _level(x[i, j, 1]), _level(x[i, j, 2])
            luma[i, j] = 0.299 * r + 0.587 * g + 0.114 * b - 128.0
            chroma[0, i // 2, j // 2] += (-0.168736 * r - 0.331264 * g + 0.5 * b) / 4
            chroma[1, i // 2, j // 2] += (0.5 * r - 0.418688 * g - 0.081312 * b) / 4


@inline
def _level(v: np.float32) -> float:
    return min(max(np.float64(v), 0.0), 1.0) * 255.0


@kernel
def _to_rgb(luma: Array, chroma: Array, out: FloatImage) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            y, cb, cr = luma[i, j] + 128.0, chroma[0, i // 2, j // 2], chroma[1, i // 2, j // 2]
            out[i, j, 0] = min(max((y + 1.402 * cr) / 255, 0.0), 1.0)
            out[i, j, 1] = min(max((y - 0.344136 * cb - 0.714136 * cr) / 255, 0.0), 1.0)
            out[i, j, 2] = min(max((y + 1.772 * cb) / 255, 0.0), 1.0)


@kernel
def _requantise(plane: Array, table: Array) -> None:
    """Round the orthonormal DCT of every 8x8 block of a float64 plane to multiples of a table's steps, in place."""
    basis = np.empty((8, 8))
    for u in range(8):
        for i in range(8):
            basis[u, i] = (0.5 if u else np.sqrt(0.125)) * np.cos((2 * i + 1) * u * np.pi / 16)
    half, whole = np.empty((8, 8)), np.empty((8, 8))
    for y in range(0, plane.shape[0], 8):
        for x in range(0, plane.shape[1], 8):
            block = plane[y : y + 8, x : x + 8]
            _product(basis, block, half)
            _product(half, basis.T, whole)
            for v in range(8):
                for u in range(8):
                    whole[v, u] = np.rint(whole[v, u] / table[v, u]) * table[v, u]
            _product(basis.T, whole, half)
            _product(half, basis, block)


@kernel
def _product(a: Array, b: Array, out: Array) -> None:
    for i in range(8):
        for j in range(8):
            out[i, j] = 0.0
        for k in range(8):
            for j in range(8):
                out[i, j] += a[i, k] * b[k, j]
