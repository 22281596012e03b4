"""Chromatic aberration: red and blue of another size, and beside green."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Const, Dist, Within
from degradekit.jit import kernel
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.colour import need_rgb
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["ChromaticAberration", "ChromaticAberrationDraw"]


@dataclass(frozen=True, slots=True)
class ChromaticAberrationDraw(Draw):
    """Where red and blue lie relative to green.

    Args:
        red_scale: Red is larger than green by this part of its size.
        blue_scale: Blue is larger than green by this part of its size.
        red_x: Red lies this many px to the right of green.
        red_y: Red lies this many px below green.
        blue_x: Blue lies this many px to the right of green.
        blue_y: Blue lies this many px below green.
    """

    name: ClassVar[str] = "chromatic_aberration"

    red_scale: Series
    blue_scale: Series
    red_x: Series
    red_y: Series
    blue_x: Series
    blue_y: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Interpolate red and blue linearly at their places; green stays, and edge pixels go on outside.

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        out = np.array(x, np.float32, order="C")
        places = ((0, self.red_scale, self.red_x, self.red_y), (2, self.blue_scale, self.blue_x, self.blue_y))
        for t in range(len(x)):
            for channel, scale, dx, dy in places:
                growth, right, down = (at_frame(value, t) for value in (scale, dx, dy))
                if growth or right or down:
                    columns, rows = (_look(n, growth, shift) for n, shift in ((x.shape[2], right), (x.shape[1], down)))
                    _resample(x[t], channel, *rows, *columns, out[t])
        return out


class ChromaticAberration(Op):
    """Enlarges and moves red and blue against green, as simple lenses and badly converged tubes and prints do.

    Lenses scale (lateral aberration): coloured fringes grow towards the corners, usually with opposite signs for red
    and blue. Tubes, film separations and prints shift the whole plane.

    Args:
        scale_range: By what part red, and drawn anew blue, is larger than green, about the middle of the image; -0.1
            to 0.1. In 400 px, 0.005 is 1 px at the edges.
        shift_range: Px that red, and drawn anew blue, lies off green, in x and in y; -64 to 64.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``; geometry is green's, so the pair stays aligned.

    Range: float32 sRGB as encoded; values are interpolated linearly and stay in their range.

    Source: V. Rudakova, P. Monasse, "Precise correction of lateral chromatic aberration in images", 2013, whose model
    has further radial terms.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = ChromaticAberration.model_validate({"scale_range": [-0.004, 0.004]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "lens"), Geometry(1, 32, 32))
        >>> x = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
        >>> y = draw.apply(x)
        >>> bool((y[..., 1] == x[..., 1]).all()), bool((y[..., 0] == x[..., 0]).all())
        (True, False)
        >>> bool((ChromaticAberrationDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "chromatic_aberration"
    draws: ClassVar[type[Draw]] = ChromaticAberrationDraw

    scale_range: Annotated[Dist, Within(-0.1, 0.1, hint="a scale is a part of the size: write 0.005")] = Const(0.0)
    shift_range: Annotated[Dist, Within(-64, 64)] = Const(0.0)

    def draw(self, u: Draws, g: Geometry) -> ChromaticAberrationDraw:
        """Choose scale and shift of red and of blue."""
        red, blue = (self.scale_range.draw(u, name, g.t) for name in ("red_scale", "blue_scale"))
        shifts = (self.shift_range.draw(u, name, g.t) for name in ("red_x", "red_y", "blue_x", "blue_y"))
        return ChromaticAberrationDraw(red, blue, *shifts)


def _look(n: int, growth: float, shift: float) -> tuple[Array, FloatImage]:
    """Lower and upper neighbour, int64 [2, n], of ``n`` places along an axis, and the weight of the upper one."""
    middle = (n - 1) / 2
    at = np.clip((np.arange(n) - middle - shift) / (1 + growth) + middle, 0, n - 1)
    low = np.floor(at).astype(np.int64)
    return np.stack([low, np.minimum(low + 1, n - 1)]), (at - low).astype(np.float32)


@kernel
def _resample(
    x: FloatImage, c: int, rows: Array, down: FloatImage, columns: Array, right: FloatImage, out: FloatImage
) -> None:
    for i in range(len(down)):
        upper, lower = x[rows[0, i]], x[rows[1, i]]
        for j in range(len(right)):
            low, high = columns[0, j], columns[1, j]
            above = upper[low, c] + (upper[high, c] - upper[low, c]) * right[j]
            below = lower[low, c] + (lower[high, c] - lower[low, c]) * right[j]
            out[i, j, c] = above + (below - above) * down[i]
