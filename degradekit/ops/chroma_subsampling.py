"""Chroma subsampling: colour at a fraction of the resolution, without a codec around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Pick, Words
from degradekit.ops.base import Draw, Op
from degradekit.ops.colour import LUMA, clip01, from_ycbcr, need_rgb, to_ycbcr
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry

__all__ = ["LAYOUTS", "ChromaSubsampling", "ChromaSubsamplingDraw"]

LAYOUTS: dict[str, tuple[int, int]] = {
    "4:4:4": (1, 1),
    "4:4:0": (2, 1),
    "4:2:2": (1, 2),
    "4:2:0": (2, 2),
    "4:1:1": (1, 4),
    "4:1:0": (2, 4),
}
"""Rows and columns of the image per chroma sample."""


@dataclass(frozen=True, slots=True)
class ChromaSubsamplingDraw(Draw):
    """One way down and up again.

    Args:
        layout: Name in ``LAYOUTS``.
        matrix: ``bt601``, ``bt709`` or ``bt2020``.
        down: ``box`` or ``triangle``.
        up: ``nearest`` or ``linear``.
    """

    name: ClassVar[str] = "chroma_subsampling"

    layout: str
    matrix: str
    down: str
    up: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Subsample both colour differences, enlarge them again, and clip to [0, 1]; 4:4:4 returns ``x`` itself.

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        if self.layout == "4:4:4":
            return x
        y, cb, cr = to_ycbcr(x, self.matrix)
        return clip01(from_ycbcr(y, self._round_trip(cb), self._round_trip(cr), self.matrix))

    def _round_trip(self, plane: FloatImage) -> FloatImage:
        sides = plane.shape[1:]
        for axis, factor in enumerate(LAYOUTS[self.layout], start=1):
            plane = _shrink(plane, axis, factor, _taps(factor, self.down)) if factor > 1 else plane
        for axis, factor in enumerate(LAYOUTS[self.layout], start=1):
            plane = _enlarge(plane, axis, factor, self.up) if factor > 1 else plane
        return plane[:, : sides[0], : sides[1]]


class ChromaSubsampling(Op):
    """Keeps brightness and stores colour at a fraction of the resolution, as almost all video and most JPEGs do.

    Colour bleeds over edges by up to a chroma sample; chroma samples sit in the middle of the pixels that they stand
    for, so nothing shifts. A side that is no multiple of the factor goes on with its last pixel.

    Args:
        layout: One or a choice of ``4:4:4`` (nothing happens), ``4:4:0``, ``4:2:2``, ``4:2:0``, ``4:1:1``, ``4:1:0``
            (4 columns by 2 rows per sample).
        matrix: Of Y'CbCr: ``bt601``, ``bt709`` or ``bt2020``, or a choice.
        down: ``box`` averages the pixels of a sample, ``triangle`` twice as many with falling weights (softer, less
            aliasing); one or a choice.
        up: ``nearest`` repeats samples (blocky), ``linear`` interpolates between them; one or a choice.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB as encoded; saturates. Planes stay float32: nothing is rounded to 8 bit.

    Source: ITU-R BT.601-7; the layouts as in C. Poynton, "Digital Video and HD", 2nd edition, 2012, chapter 12.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = ChromaSubsampling.model_validate({"layout": {"4:2:0": 0.5, "4:2:2": 0.5}, "up": "nearest"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "chroma"), Geometry(1, 8, 8))
        >>> x = np.random.default_rng(0).uniform(0.3, 0.7, (1, 8, 8, 3)).astype(np.float32)
        >>> y = draw.apply(x)
        >>> np.allclose(to_ycbcr(y, "bt601")[0], to_ycbcr(x, "bt601")[0], atol=1e-6)
        True
        >>> bool((ChromaSubsamplingDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "chroma_subsampling"
    draws: ClassVar[type[Draw]] = ChromaSubsamplingDraw

    layout: Annotated[Pick, Words(*LAYOUTS)] = Pick(("4:2:0",))
    matrix: Annotated[Pick, Words(*LUMA)] = Pick(("bt601",))
    down: Annotated[Pick, Words("box", "triangle")] = Pick(("box",))
    up: Annotated[Pick, Words("nearest", "linear")] = Pick(("linear",))

    def draw(self, u: Draws, g: Geometry) -> ChromaSubsamplingDraw:
        """Choose the layout, the matrix and the filters."""
        return ChromaSubsamplingDraw(
            self.layout.draw(u, "layout"),
            self.matrix.draw(u, "matrix"),
            self.down.draw(u, "down"),
            self.up.draw(u, "up"),
        )


def _taps(factor: int, down: str) -> tuple[float, ...]:
    """Weights of neighbouring pixels, centred on the sample: 1 1 or 1 3 3 1 for a factor of 2."""
    if down == "box":
        return (1 / factor,) * factor
    rising = [2 * i + 1 for i in range(factor)]
    return tuple(weight / (2 * factor**2) for weight in rising + rising[::-1])


def _shrink(plane: FloatImage, axis: int, factor: int, taps: tuple[float, ...]) -> FloatImage:
    """Weighted sums at every ``factor``-th place; the edge pixel goes on outside."""
    count = -(-plane.shape[axis] // factor)
    before = (len(taps) - factor) // 2
    pads = [(0, 0)] * 3
    pads[axis] = (before, before + count * factor - plane.shape[axis])
    padded = np.pad(plane, pads, mode="edge")
    out = padded[_every(axis, 0, count, factor)] * np.float32(taps[0])
    for i, weight in enumerate(taps[1:], start=1):
        out += padded[_every(axis, i, count, factor)] * np.float32(weight)
    return out


def _enlarge(plane: FloatImage, axis: int, factor: int, up: str) -> FloatImage:
    """Repeat samples, or interpolate between their centres; the edge sample goes on outside."""
    if up == "nearest":
        return np.repeat(plane, factor, axis=axis)
    count = plane.shape[axis]
    pads = [(0, 0)] * 3
    pads[axis] = (1, 1)
    padded = np.pad(plane, pads, mode="edge")
    out = np.empty([n * factor if i == axis else n for i, n in enumerate(plane.shape)], np.float32)
    for i in range(factor):
        offset = (i + 0.5) / factor - 0.5
        neighbour = padded[_every(axis, 0 if offset < 0 else 2, count, 1)]
        out[_every(axis, i, count, factor)] = plane * np.float32(1 - abs(offset)) + neighbour * np.float32(abs(offset))
    return out


def _every(axis: int, first: int, count: int, step: int) -> tuple[slice, ...]:
    """Index of ``count`` places along an axis."""
    return (*[slice(None)] * axis, slice(first, first + (count - 1) * step + 1, step))
