"""Telecine: 3:2 pulldown, film frames spread over video fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Pick, Words
from degradekit.ops.base import Draw, Op
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry

__all__ = ["Telecine", "TelecineDraw"]

_CYCLE = 5
_FIELDS = ((0, 0), (1, 1), (1, 2), (2, 3), (3, 3))
"""Film frames whose first and second field make video frame 0, …, 4: AA BB BC CD DD."""


@dataclass(frozen=True, slots=True)
class TelecineDraw(Draw):
    """Where in the cycle the clip starts, and which lines are the second field.

    Args:
        phase: 0 to 4.
        second: ``odd`` (the second, fourth, … line) or ``even``.
    """

    name: ClassVar[str] = "telecine"

    phase: int
    second: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Put each frame together from the fields of its place in the cycle."""
        last = len(x) - 1
        first, second = (1, 0) if self.second == "even" else (0, 1)
        out = np.empty(x.shape, x.dtype)
        for t in range(len(x)):
            place = (t + self.phase) % _CYCLE
            for lines, film in ((first, _FIELDS[place][0]), (second, _FIELDS[place][1])):
                out[t, lines::2] = x[min(max(t - place + film, 0), last), lines::2]
        return out


class Telecine(Op):
    """Shows a clip as film after 3:2 pulldown: of five frames two are combed and one repeats the frame before it.

    Every five frames A B C D E become AA BB BC CD DD (first and second field), so D stands in for E: film at 24 frames
    a second, scanned to video of 30. The cycle starts anew after five frames, so the LQ never lags more than one frame
    behind the GT; that lag is the degradation. At the ends of a clip the frames that are missing are replaced by the
    first and the last one. An image stays as it is.

    Args:
        second: Which lines are the second field: ``odd`` (the second, fourth, …: top field first) or ``even``; one or
            a choice.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``.

    Range: values are moved, not changed.

    Source: C. Poynton, "Digital Video and HD", 2nd edition, 2012, on 2-3 pulldown.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> draw = TelecineDraw(phase=0, second="odd")
        >>> x = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1).repeat(2, axis=1)
        >>> draw.apply(x)[:, :, 0, 0].tolist()
        [[0.0, 0.0], [1.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 3.0]]
        >>> drawn = Telecine().draw(Draws(sample_key(0, "clip", 0), "film"), Geometry(5, 2, 1))
        >>> bool((TelecineDraw.from_json(drawn.to_json()).apply(x) == drawn.apply(x)).all())
        True
    """

    name: ClassVar[str] = "telecine"
    draws: ClassVar[type[Draw]] = TelecineDraw

    second: Annotated[Pick, Words("odd", "even")] = Pick(("odd",))

    def draw(self, u: Draws, g: Geometry) -> TelecineDraw:
        """Choose the start of the cycle and the order of the fields."""
        return TelecineDraw(u.integer("phase", _CYCLE), self.second.draw(u, "second"))
