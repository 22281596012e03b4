"""Dither: few levels, and a pattern that hides it: ordered or error diffusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.colour import by_frame, clip01
from degradekit.ops.diffusion import DIFFUSIONS, diffuse
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["BAYER", "Dither", "DitherDraw", "bayer"]

BAYER = {"bayer2": 2, "bayer4": 4, "bayer8": 8}
"""Ordered methods and the side of their pattern in px."""


@dataclass(frozen=True, slots=True)
class DitherDraw(Draw):
    """One way of dithering.

    Args:
        levels: Levels a channel, for the clip or for each frame.
        method: ``bayer2``, ``bayer4``, ``bayer8`` or a name in ``DIFFUSIONS``.
        scan: ``raster`` or ``serpentine``; ordered methods have no direction and ignore it.
    """

    name: ClassVar[str] = "dither"

    levels: Series
    method: str
    scan: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Dither; every value of the result is a multiple of 1 / (levels - 1) in [0, 1]."""
        if self.method in BAYER:
            return _ordered(x, by_frame(self.levels, len(x)) - 1, bayer(BAYER[self.method]))
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            levels = int(at_frame(self.levels, t))
            out[t] = diffuse(x[t], levels, method=self.method, serpentine=self.scan == "serpentine")
        return out


class Dither(Op):
    """Reduces each channel to few levels and dithers, as old screens, printers, GIFs and fax machines do.

    Ordered methods add a fixed pattern before rounding and leave a regular texture; error diffusion hands each
    pixel's rounding error to its neighbours and leaves grain and worms.

    Args:
        levels_range: Levels a channel, whole numbers 2 to 256; smaller is coarser, 2 leaves eight colours.
        method: One or a choice of ``bayer2``, ``bayer4``, ``bayer8`` (the pattern's side in px), ``floyd_steinberg``,
            ``jarvis``, ``stucki``, ``atkinson`` (gives away three quarters of the error: more contrast), ``burkes``,
            ``sierra``, ``sierra2``, ``sierra_lite``.
        scan: ``raster`` runs every row from left to right, ``serpentine`` turns round after each; one or a choice.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; channels and frames are dithered on their own.

    Range: float32 sRGB as encoded; saturates.

    Source: B. E. Bayer, "An optimum method for two-level rendition of continuous-tone pictures", ICC 1973; R. W. Floyd,
    L. Steinberg, "An adaptive algorithm for spatial greyscale", 1976; J. F. Jarvis, C. N. Judice, W. H. Ninke, 1976;
    P. Stucki, 1981; B. Atkinson (Macintosh, 1984); D. Burkes, 1988; F. Sierra, 1989.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Dither.model_validate({"levels_range": 2, "method": ["floyd_steinberg", "bayer4"]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "dither"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 1), 0.25, np.float32)
        >>> y = draw.apply(x)
        >>> np.unique(y).tolist(), bool(abs(y.mean() - 0.25) < 0.01)
        ([0.0, 1.0], True)
        >>> bool((DitherDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "dither"
    draws: ClassVar[type[Draw]] = DitherDraw

    levels_range: Annotated[Dist, Within(2, 256, integer=True)] = Const(2)
    method: Annotated[Pick, Words(*BAYER, *DIFFUSIONS)] = Pick(("floyd_steinberg",))
    scan: Annotated[Pick, Words("raster", "serpentine")] = Pick(("raster",))

    def draw(self, u: Draws, g: Geometry) -> DitherDraw:
        """Choose the number of levels, the method and its direction."""
        return DitherDraw(
            self.levels_range.draw(u, "levels", g.t), self.method.draw(u, "method"), self.scan.draw(u, "scan")
        )


def bayer(side: int) -> FloatImage:
    """Thresholds of an ordered dither: the multiples of side^-2, half a step off the ends, float32 ``[side, side]``.

    Args:
        side: A power of two.

    Example:
        >>> (bayer(2) * 4 - 0.5).tolist()
        [[0.0, 2.0], [3.0, 1.0]]
    """
    ranks = np.zeros((1, 1))
    while len(ranks) < side:
        ranks = np.block([[4 * ranks, 4 * ranks + 2], [4 * ranks + 3, 4 * ranks + 1]])
    return ((ranks + 0.5) / side**2).astype(np.float32)


def _ordered(x: FloatImage, top: FloatImage, pattern: FloatImage) -> FloatImage:
    """Round up where the part above a level exceeds the pattern's threshold."""
    _, h, w, _ = x.shape
    side = len(pattern)
    thresholds = np.tile(pattern, (-(-h // side), -(-w // side)))[:h, :w, None]
    out = clip01(x.copy())
    out *= top
    out += np.float32(1) - thresholds
    np.floor(out, out=out)
    np.minimum(out, top, out=out)
    out *= np.float32(1) / top
    return out
