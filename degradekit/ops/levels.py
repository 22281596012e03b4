"""Levels: black and white points, of the input and of the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import model_validator

from degradekit.dist import Const, Dist, Within
from degradekit.ops.base import Draw, Op
from degradekit.ops.colour import by_frame, clip01
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Levels", "LevelsDraw"]


@dataclass(frozen=True, slots=True)
class LevelsDraw(Draw):
    """A straight line, cut at both ends.

    Args:
        black: Input that becomes ``out_black``, for the clip or for each frame.
        white: Input that becomes ``out_white``.
        out_black: Darkest output.
        out_white: Brightest output.
    """

    name: ClassVar[str] = "levels"

    black: Series
    white: Series
    out_black: Series
    out_white: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Return out_black + (out_white - out_black) clip((x - black) / (white - black))."""
        black, white, low, high = (
            by_frame(v, len(x)) for v in (self.black, self.white, self.out_black, self.out_white)
        )
        out = x - black
        out *= np.float32(1) / (white - black)
        clip01(out)
        out *= high - low
        out += low
        return out


class Levels(Op):
    """Moves the black and white points, as a scanner, a faded print or the levels dialog of an editor does.

    Input points inside [0, 1] crush shadows and highlights for good; output points inside [0, 1] wash the image out.

    Args:
        black_range: Input level, -1/2 to 1, that becomes the darkest output; larger crushes more shadows.
        white_range: Input level, 0 to 3/2, that becomes the brightest output; smaller crushes more highlights.
        out_black_range: Darkest output level, 0 to 1; larger is foggier.
        out_white_range: Brightest output level, 0 to 1; smaller is duller.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``.

    Range: float32 sRGB as encoded; saturates at the input points, so the result lies in [0, 1].

    Source: The line through (black, out_black) and (white, out_white), cut at both.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Levels.model_validate({"black_range": 0.2, "white_range": 0.7})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "levels"), Geometry(1, 1, 3))
        >>> x = np.float32([0.1, 0.45, 0.8]).reshape(1, 1, 3, 1)
        >>> draw.apply(x).round(6).ravel().tolist()
        [0.0, 0.5, 1.0]
        >>> bool((LevelsDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "levels"
    draws: ClassVar[type[Draw]] = LevelsDraw

    black_range: Annotated[Dist, Within(-0.5, 1)] = Const(0.0)
    white_range: Annotated[Dist, Within(0, 1.5)] = Const(1.0)
    out_black_range: Annotated[Dist, Within(0, 1)] = Const(0.0)
    out_white_range: Annotated[Dist, Within(0, 1)] = Const(1.0)

    @model_validator(mode="after")
    def _black_is_below_white(self) -> Self:
        black, white = self.black_range.support()[1], self.white_range.support()[0]
        if white - black < 0.01:
            raise ValueError(
                f"black_range reaches up to {black:g} and white_range down to {white:g}; keep 0.01 between"
            )
        return self

    def draw(self, u: Draws, g: Geometry) -> LevelsDraw:
        """Choose the four points."""
        return LevelsDraw(
            self.black_range.draw(u, "black", g.t),
            self.white_range.draw(u, "white", g.t),
            self.out_black_range.draw(u, "out_black", g.t),
            self.out_white_range.draw(u, "out_white", g.t),
        )
