"""Halo: lines of overshoot beside edges, a fixed distance away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.colour import by_frame, clip01, luma, need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Halo", "HaloDraw"]

_AXES = {"horizontal": (2,), "vertical": (1,), "both": (1, 2)}


@dataclass(frozen=True, slots=True)
class HaloDraw(Draw):
    """Peaking of determined strength.

    Args:
        distance: Delay in px, for the clip or for each frame.
        amount: Gain of the peaking.
        direction: ``horizontal``, ``vertical`` or ``both``.
        lines: ``both``, ``light`` or ``dark``.
    """

    name: ClassVar[str] = "halo"

    distance: Series
    amount: Series
    direction: str
    lines: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add amount (2 Y - Y delayed - Y advanced) / 2 to all channels, summed over the axes, and clip to [0, 1].

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        y = luma(x)
        peaks = np.zeros(y.shape, np.float32)
        for t in range(len(x)):
            distance = at_frame(self.distance, t)
            for axis in _AXES[self.direction]:
                peaks[t] += _peaks(y[t], axis - 1, distance)
        peaks *= by_frame(self.amount, len(x))[..., 0]
        if self.lines != "both":
            cut = np.maximum if self.lines == "light" else np.minimum
            cut(peaks, np.float32(0), out=peaks)
        return clip01(x + peaks[..., None])


class Halo(Op):
    """Draws light and dark lines beside edges, as the edge enhancement of old televisions, tapes and DVDs does.

    A peaking circuit compares luma with itself, delayed and advanced by a fixed time, and adds the difference: every
    edge gets a line as wide as that distance on both sides, a wider and harder one than sharpening leaves.

    Args:
        distance_range: Delay in px at this step's resolution, 0.25 to 16, broken ones too; larger lines are wider.
        amount_range: Gain, 0 to 8; an edge of height 1 overshoots by half of it.
        direction: ``horizontal`` (analogue video), ``vertical`` or ``both``, or a choice.
        lines: ``both``, only ``light`` or only ``dark`` ones, or a choice.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``; edge pixels go on outside.

    Range: float32 sRGB as encoded; saturates. Colour differences stay where nothing saturates.

    Source: Second-order peaking (aperture correction), C. Poynton, "Digital Video and HD", 2nd edition, 2012.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Halo.model_validate({"distance_range": 2, "amount_range": 0.4, "direction": "horizontal"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "halo"), Geometry(1, 1, 8))
        >>> x = np.repeat(np.float32([0.3, 0.3, 0.3, 0.3, 0.7, 0.7, 0.7, 0.7]), 3).reshape(1, 1, 8, 3)
        >>> (draw.apply(x)[0, 0, :, 0] * 100).round().tolist()
        [30.0, 30.0, 22.0, 22.0, 78.0, 78.0, 70.0, 70.0]
        >>> bool((HaloDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "halo"
    draws: ClassVar[type[Draw]] = HaloDraw

    distance_range: Annotated[Dist, Within(0.25, 16)]
    amount_range: Annotated[Dist, Within(0, 8)]
    direction: Annotated[Pick, Words(*_AXES)] = Pick(("both",))
    lines: Annotated[Pick, Words("both", "light", "dark")] = Pick(("both",))

    def draw(self, u: Draws, g: Geometry) -> HaloDraw:
        """Choose distance, amount and which lines."""
        return HaloDraw(
            self.distance_range.draw(u, "distance", g.t),
            self.amount_range.draw(u, "amount", g.t),
            self.direction.draw(u, "direction"),
            self.lines.draw(u, "lines"),
        )


def _peaks(y: FloatImage, axis: int, distance: float) -> FloatImage:
    """Y less the mean of its values ``distance`` px before and after, between pixels by linear interpolation."""
    whole = math.floor(distance)
    part, n = np.float32(distance - whole), y.shape[axis]
    pads = [(0, 0), (0, 0)]
    pads[axis] = (whole + 1, whole + 1)
    padded = np.pad(y, pads, mode="edge")

    def pair(offset: int) -> FloatImage:
        lines = (slice(None),) * axis
        before, after = (slice(whole + 1 + o, whole + 1 + o + n) for o in (-offset, offset))
        total: FloatImage = padded[(*lines, before)] + padded[(*lines, after)]
        return total

    mean: FloatImage = pair(whole) * (np.float32(0.5) * (1 - part))
    if part:
        mean += pair(whole + 1) * (np.float32(0.5) * part)
    return np.subtract(y, mean, out=mean)
