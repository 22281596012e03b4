"""Palette: a picture in N colours of its own, as GIF and PNG8 store it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.colour import need_rgb
from degradekit.ops.diffusion import DIFFUSIONS, diffuse_palette, nearest
from degradekit.ops.median_cut import k_means, median_cut
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Palette", "PaletteDraw"]

_METHODS = {"median_cut": median_cut, "k_means": k_means}


@dataclass(frozen=True, slots=True)
class PaletteDraw(Draw):
    """How many colours, how they are chosen and how pixels get them.

    The colours follow from the pixels alone, so they are not stored.

    Args:
        colours: Size of the palette, for the clip or for each frame.
        method: ``median_cut`` or ``k_means``.
        dither: ``none`` or a name in ``DIFFUSIONS``.
        scan: ``raster`` or ``serpentine``, the direction of the error diffusion.
    """

    name: ClassVar[str] = "palette"

    colours: Series
    method: str
    dither: str
    scan: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Give every pixel a colour of its frame's palette.

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            palette = _METHODS[self.method](x[t], int(at_frame(self.colours, t)))
            if self.dither == "none":
                indices = nearest(x[t], palette)
            else:
                indices = diffuse_palette(x[t], palette, method=self.dither, serpentine=self.scan == "serpentine")
            out[t] = (palette.astype(np.float32) / np.float32(255))[indices]
        return out


class Palette(Op):
    """Reduces every frame to N colours chosen for it, with or without error diffusion, as GIF and PNG8 do.

    Colours are counted in bins of 5 bits a channel. ``median_cut`` cuts the box of bins with the largest count times
    side at its median until there are N; ``k_means`` starts there and runs eight Lloyd iterations. Pixels get the
    nearest of these 8-bit colours in encoded RGB. Nothing is random.

    Args:
        colours_range: Size of the palette, whole numbers 2 to 256; smaller is coarser.
        method: ``median_cut`` or ``k_means``, or a choice.
        dither: ``none``, or an error diffusion: ``floyd_steinberg``, ``jarvis``, ``stucki``, ``atkinson``, ``burkes``,
            ``sierra``, ``sierra2``, ``sierra_lite``; one or a choice.
        scan: ``raster`` or ``serpentine``, the direction of the error diffusion; one or a choice.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB; every value is an 8-bit level in [0, 1].

    Source: P. Heckbert, "Color image quantization for frame buffer display", SIGGRAPH 1982.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Palette.model_validate({"colours_range": {"integer": [8, 16]}})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "gif"), Geometry(1, 32, 32))
        >>> x = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
        >>> y = draw.apply(x)
        >>> len(np.unique(y.reshape(-1, 3), axis=0)) == draw.colours
        True
        >>> bool((PaletteDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "palette"
    draws: ClassVar[type[Draw]] = PaletteDraw

    colours_range: Annotated[Dist, Within(2, 256, integer=True)] = Const(256)
    method: Annotated[Pick, Words(*_METHODS)] = Pick(("median_cut",))
    dither: Annotated[Pick, Words("none", *DIFFUSIONS)] = Pick(("none",))
    scan: Annotated[Pick, Words("raster", "serpentine")] = Pick(("raster",))

    def draw(self, u: Draws, g: Geometry) -> PaletteDraw:
        """Choose the size of the palette and the methods."""
        return PaletteDraw(
            self.colours_range.draw(u, "colours", g.t),
            self.method.draw(u, "method"),
            self.dither.draw(u, "dither"),
            self.scan.draw(u, "scan"),
        )
