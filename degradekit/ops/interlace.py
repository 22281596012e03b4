"""Interlace: two fields of different moments in one frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Interlace", "InterlaceDraw"]


@dataclass(frozen=True, slots=True)
class InterlaceDraw(Draw):
    """Where the second field comes from and how both are shown.

    Args:
        source: ``next`` frame, or ``shift`` of this one.
        shift: Px by which the second field of ``shift`` lies to the right, for the clip or for each frame.
        second: Which lines are the later field: ``odd`` (the second, fourth, …) or ``even``.
        display: ``comb``, ``blend`` or ``bob``.
    """

    name: ClassVar[str] = "interlace"

    source: str
    shift: Series
    second: str
    display: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Put every frame together from its two fields."""
        later = slice(1 if self.second == "odd" else 0, None, 2)
        out = np.array(x, np.float32, order="C")
        if self.display == "bob":
            above, below = _neighbours(out)
            out[:, later] = (above[:, later] + below[:, later]) * np.float32(0.5)
            return out
        if self.source == "next":
            out[:-1, later] = x[1:, later]
        else:
            for t in range(len(x)):
                out[t, later] = _moved(x[t, later], at_frame(self.shift, t))
        if self.display == "blend":
            above, below = _neighbours(out)
            out += (above + below) * np.float32(0.5)
            out *= np.float32(0.5)
        return out


class Interlace(Op):
    """Weaves every frame out of two fields of different moments, as interlaced video does: combs at moving edges.

    In a clip the later field is taken from the next frame (``next``; the last frame stays whole), so that combs follow
    the real motion. An image has no next frame: there, and with ``shift``, the later field is the same picture moved
    sideways.

    Args:
        source: ``next`` or ``shift``, or a choice; an image always gets ``shift``.
        shift_range: Px by which the later field of ``shift`` lies to the right, -64 to 64, broken ones too.
        second: Which lines are the later field: ``odd`` (the second, fourth, …: top field first) or ``even``; one or a
            choice.
        display: ``comb`` shows the lines as they are, ``blend`` averages lines 1 2 1 with their neighbours (a soft
            deinterlacer: ghosts), ``bob`` interpolates the lines of the later field from the earlier one (half the
            vertical resolution); one or a choice.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; edge pixels go on outside.

    Range: float32; means of input samples, so they stay in their range.

    Source: C. Poynton, "Digital Video and HD", 2nd edition, 2012, on interlace and deinterlacing.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Interlace.model_validate({"shift_range": 1, "second": "odd"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "comb"), Geometry(1, 2, 4))
        >>> x = np.tile(np.arange(4, dtype=np.float32) / 4, 2).reshape(1, 2, 4, 1)
        >>> draw.apply(x)[0, :, :, 0].tolist()
        [[0.0, 0.25, 0.5, 0.75], [0.0, 0.0, 0.25, 0.5]]
        >>> bool((InterlaceDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "interlace"
    draws: ClassVar[type[Draw]] = InterlaceDraw

    source: Annotated[Pick, Words("next", "shift")] = Pick(("next",))
    shift_range: Annotated[Dist, Within(-64, 64)] = Const(0.0)
    second: Annotated[Pick, Words("odd", "even")] = Pick(("odd",))
    display: Annotated[Pick, Words("comb", "blend", "bob")] = Pick(("comb",))

    def draw(self, u: Draws, g: Geometry) -> InterlaceDraw:
        """Choose the fields."""
        source = self.source.draw(u, "source") if g.t > 1 else "shift"
        return InterlaceDraw(
            source=source,
            shift=self.shift_range.draw(u, "shift", g.t) if source == "shift" else 0.0,
            second=self.second.draw(u, "second"),
            display=self.display.draw(u, "display"),
        )


def _neighbours(x: FloatImage) -> tuple[FloatImage, FloatImage]:
    """The lines above and below every line; at the edges the only neighbour stands for both."""
    above, below = np.concatenate([x[:, 1:2], x[:, :-1]], axis=1), np.concatenate([x[:, 1:], x[:, -2:-1]], axis=1)
    return (above, below) if x.shape[1] > 1 else (x, x)


def _moved(lines: FloatImage, shift: float) -> FloatImage:
    """Lines ``[H, W, C]``, ``shift`` px further to the right, by linear interpolation."""
    whole, n = math.ceil(shift), lines.shape[1]
    part, reach = np.float32(whole - shift), abs(whole) + 1
    padded = np.pad(lines, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    moved = padded[:, reach - whole : reach - whole + n] * (np.float32(1) - part)
    moved += padded[:, reach - whole + 1 : reach - whole + 1 + n] * part
    return moved
