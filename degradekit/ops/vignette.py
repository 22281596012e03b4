"""Vignette: darker towards the corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Within
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Vignette", "VignetteDraw"]


@dataclass(frozen=True, slots=True)
class VignetteDraw(Draw):
    """A falloff.

    Args:
        strength: What is lost half a diagonal from the centre, in [0, 1], for the clip or for each frame.
        centre_x: Centre, in widths from the middle, to the right.
        centre_y: Centre, in heights from the middle, downwards.
    """

    name: ClassVar[str] = "vignette"

    strength: Series
    centre_x: Series
    centre_y: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Multiply by the falloff."""
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            strength, centre_x, centre_y = (at_frame(v, t) for v in (self.strength, self.centre_x, self.centre_y))
            gain = _falloff(x.shape[1], x.shape[2], strength, (centre_x, centre_y))
            np.multiply(x[t], gain[..., None], out=out[t])
        return out


class Vignette(Op):
    """Darkens towards the corners by the cosine-fourth law, as simple lenses, old cameras and projectors do.

    The gain is cos^4 = (1 + k r^2)^-2, with r the distance from the centre in half diagonals and k such that it has
    lost ``strength`` at r = 1, where the corners are unless the centre moves.

    Args:
        strength_range: Part lost at r = 1, 0 to 0.95; larger is darker.
        centre_range: Centre off the middle, in widths (and, drawn anew, in heights), -0.5 to 0.5.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; square pixels.

    Range: float32 sRGB as encoded, which is where ``strength`` is measured (a loss of 0.4 there is about two thirds
    of the light); [0, 1] goes to [0, 1].

    Source: The cosine-fourth law of illumination: R. Kingslake, "Lens Design Fundamentals", 1978.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Vignette.model_validate({"strength_range": 0.36})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "vignette"), Geometry(1, 101, 101))
        >>> y = draw.apply(np.ones((1, 101, 101, 3), np.float32))
        >>> (y[0, [50, 0], [50, 0], 0] * 100).round().tolist()
        [100.0, 64.0]
        >>> bool((VignetteDraw.from_json(draw.to_json()).apply(y) == draw.apply(y)).all())
        True
    """

    name: ClassVar[str] = "vignette"
    draws: ClassVar[type[Draw]] = VignetteDraw

    strength_range: Annotated[Dist, Within(0, 0.95)]
    centre_range: Annotated[Dist, Within(-0.5, 0.5)] = Const(0.0)

    def draw(self, u: Draws, g: Geometry) -> VignetteDraw:
        """Choose the strength and the centre."""
        centres = (self.centre_range.draw(u, name, g.t) for name in ("centre_x", "centre_y"))
        return VignetteDraw(self.strength_range.draw(u, "strength", g.t), *centres)


def _falloff(h: int, w: int, strength: float, centre: tuple[float, float]) -> FloatImage:
    """Gain of every pixel."""
    half = max(((h - 1) ** 2 + (w - 1) ** 2) / 4, 1.0)
    k = (1 - strength) ** -0.5 - 1
    xs = np.arange(w) - (w - 1) / 2 - centre[0] * w
    ys = np.arange(h) - (h - 1) / 2 - centre[1] * h
    gain: FloatImage = np.add.outer(1 + ys * ys * (k / half), xs * xs * (k / half)).astype(np.float32)
    gain *= gain
    return np.divide(np.float32(1), gain, out=gain)
