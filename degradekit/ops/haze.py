"""Haze: airlight before the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Within
from degradekit.ops.base import HELD, Draw, Op, at_frame
from degradekit.ops.smooth import smooth_field
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Haze", "HazeDraw"]


@dataclass(frozen=True, slots=True)
class HazeDraw(Draw):
    """Transmission and airlight.

    Args:
        transmission: Mean share of the scene that comes through, for the clip or for each frame.
        airlight: Level of the haze in [0, 1].
        unevenness: Standard deviation of the transmission over the picture.
        size: Size of its clouds, in longer sides of the picture.
        field: Name of the normal field of the clouds, which stand still in a clip.
    """

    name: ClassVar[str] = "haze"

    transmission: Series
    airlight: Series
    unevenness: Series
    size: float
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Return t x + (1 - t) airlight."""
        _, h, w, _ = x.shape
        uneven = self.unevenness != 0
        clouds = (
            smooth_field(self.field, h, w, size=self.size)[..., None] if uneven else np.zeros((1, 1, 1), np.float32)
        )
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            mean, airlight, spread = (
                np.float32(at_frame(v, t)) for v in (self.transmission, self.airlight, self.unevenness)
            )
            through = np.clip(mean + spread * clouds, np.float32(0), np.float32(1))
            np.multiply(x[t], through, out=out[t])
            out[t] += (np.float32(1) - through) * airlight
        return out


class Haze(Op):
    """Mixes in airlight: fog, smoke, a dirty lens or light leaking into the camera; contrast fades, black turns grey.

    Args:
        transmission_range: Mean share of the scene that comes through, 0 to 1; smaller is thicker.
        airlight_range: Level of the haze in [0, 1]; 0.8 to 1 for fog, less for smoke.
        unevenness_range: Standard deviation of the transmission over the picture, 0 to 0.5; 0 is even.
        size_range: Size of the clouds of uneven haze, in longer sides of the picture, 0.02 to 2; held over a clip.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; the clouds stand still in a clip.

    Range: float32 sRGB as encoded; a mean of the picture and the airlight, so [0, 1] goes to [0, 1].

    Source: E. J. McCartney, "Optics of the Atmosphere", 1976: I = J t + A (1 - t).

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Haze.model_validate({"transmission_range": 0.5, "airlight_range": 0.9})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "haze"), Geometry(1, 1, 2))
        >>> x = np.float32([0, 1]).reshape(1, 1, 2, 1)
        >>> (draw.apply(x) * 100).round().ravel().tolist()
        [45.0, 95.0]
        >>> bool((HazeDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "haze"
    draws: ClassVar[type[Draw]] = HazeDraw

    transmission_range: Annotated[Dist, Within(0, 1)]
    airlight_range: Annotated[Dist, Within(0, 1)] = Const(1.0)
    unevenness_range: Annotated[Dist, Within(0, 0.5)] = Const(0.0)
    size_range: Annotated[Dist, Within(0.02, 2), HELD] = Const(0.3)

    def draw(self, u: Draws, g: Geometry) -> HazeDraw:
        """Choose transmission, airlight and the clouds."""
        return HazeDraw(
            transmission=self.transmission_range.draw(u, "transmission", g.t),
            airlight=self.airlight_range.draw(u, "airlight", g.t),
            unevenness=self.unevenness_range.draw(u, "unevenness", g.t),
            size=self.size_range.sample(u, "size"),
            field=u.field("clouds"),
        )
