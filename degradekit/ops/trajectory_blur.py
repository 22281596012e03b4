"""Blur along a random path: the shake of a camera that is held by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np

from degradekit.dist import Dist, Uniform, Within
from degradekit.fields import normal_field, uniform_field
from degradekit.jit import kernel
from degradekit.ops.base import HELD, Draw, Op
from degradekit.ops.convolve import convolve_frames
from degradekit.ops.trace import trace
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["TrajectoryBlur", "TrajectoryBlurDraw", "shake_path"]

_POINTS = 2000
_JERKS = 1 << 40
"""Element from which on the field's uniform numbers are used; its normal numbers begin at 0."""


@dataclass(frozen=True, slots=True)
class TrajectoryBlurDraw(Draw):
    """A convolution with one path, or one for each frame; the path is regenerated from ``field``.

    Args:
        length: Of the path in px.
        anxiety: How much the three causes below count.
        inertia: Pull back to the beginning.
        jerk: Chance of a turn back.
        tremor: Strength of the random changes of direction.
        angle: Direction at the beginning, radians from the x axis towards the y axis.
        over_time: ``hold`` or ``iid``: the frames share one path, or have one each.
        field: Name of the field.
    """

    name: ClassVar[str] = "trajectory_blur"

    length: Series
    anxiety: Series
    inertia: float
    jerk: float
    tremor: float
    angle: float
    over_time: str
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Convolve every channel with the path, moved so that its centre of gravity is the middle pixel."""
        frame = tuple(float(t) for t in range(len(x))) if self.over_time == "iid" and len(x) > 1 else 0.0
        return convolve_frames(x, partial(_kernel, self), self.length, self.anxiety, frame)


class TrajectoryBlur(Op):
    """Smears the picture along a winding path, as an unsteady hand does during a long exposure.

    A point of light walks 2000 steps of equal length; every step turns its direction by a random tremor, by a pull
    back to the beginning, and now and then by a jerk that turns it around. The kernel is the time that the point
    spends on each pixel; it is centred, so nothing shifts on average.

    Args:
        length_range: Length of the path in px at this step's resolution, 0 to 100; larger smears more, 0 changes
            nothing. The blur is shorter than the path where the path winds.
        anxiety_range: How much tremor, pull and jerks count, 0 to 1: at 0 the path is a straight line, around 0.005 it
            winds, and at 0.05 it curls up: 30 px of it fit into a kernel of 5x5.
        inertia_range: Strength of the pull back to the beginning.
        jerk_range: Chance of a jerk at a step is ``jerk`` times ``anxiety``.
        tremor_range: Strength of the tremor.
        over_time: ``hold`` smears all frames of a clip alike, ``iid`` draws a path for each.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; borders continue by reflection.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: G. Boracchi, A. Foi, "Modeling the performance of image restoration from motion blur", IEEE TIP 21(8), 2012,
    as used by O. Kupyn et al., "DeblurGAN", arXiv:1711.07064, algorithm 1; the defaults are the ranges of its code,
    which draws paths of 60 px with an anxiety of 0.003 to 0.01.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = TrajectoryBlur.model_validate({"length_range": [5, 30], "anxiety_range": {"choice": [0.001, 0.005]}})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
        >>> y = draw.apply(x)
        >>> bool(y.std() < x.std() / 2 and abs(y.mean() - x.mean()) < 0.01)
        True
        >>> bool((TrajectoryBlurDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "trajectory_blur"
    draws: ClassVar[type[Draw]] = TrajectoryBlurDraw

    length_range: Annotated[Dist, Within(0, 100, hint="the length is in px")]
    anxiety_range: Annotated[Dist, Within(0, 1)]
    inertia_range: Annotated[Dist, Within(0, 10), HELD] = Uniform(0.0, 0.7)
    jerk_range: Annotated[Dist, Within(0, 1), HELD] = Uniform(0.0, 0.2)
    tremor_range: Annotated[Dist, Within(0, 100), HELD] = Uniform(0.0, 10.0)
    over_time: Literal["hold", "iid"] = "hold"

    def draw(self, u: Draws, g: Geometry) -> TrajectoryBlurDraw:
        """Choose the strengths and the path."""
        return TrajectoryBlurDraw(
            length=self.length_range.draw(u, "length", g.t),
            anxiety=self.anxiety_range.draw(u, "anxiety", g.t),
            inertia=self.inertia_range.sample(u, "inertia"),
            jerk=self.jerk_range.sample(u, "jerk"),
            tremor=self.tremor_range.sample(u, "tremor"),
            angle=math.pi * (2 * u.uniform("angle") - 1),
            over_time=self.over_time,
            field=u.field("path"),
        )


def shake_path(draw: TrajectoryBlurDraw, length: float, anxiety: float, frame: int = 0) -> tuple[Array, Array]:
    """Where the point of light is, x and y in px, 2000 times; it begins at 0.

    Args:
        draw: Strengths, direction and field.
        length: Of the path in px.
        anxiety: See the op.
        frame: Element of the field: step i of frame f uses the normal numbers 2 (2000 f + i) and the next one, and the
            uniform numbers 2^40 after these.

    Returns:
        Two float64 arrays ``[2000]``.
    """
    first = 2 * _POINTS * frame
    turns = normal_field(draw.field, 2 * _POINTS, first=first).astype(np.float64)
    jerks = uniform_field(draw.field, 2 * _POINTS, first=_JERKS + first).astype(np.float64)
    numbers = np.array([length / (_POINTS - 1), anxiety, draw.inertia, draw.jerk, draw.tremor, draw.angle])
    x, y = _walk(turns, jerks, numbers)
    return x, y


def _kernel(draw: TrajectoryBlurDraw, length: float, anxiety: float, frame: float) -> Array:
    x, y = shake_path(draw, length, anxiety, int(frame))
    return trace(x.mean() - x, y.mean() - y)  # mirrored, because convolve correlates


@kernel
def _walk(turns: Array, jerks: Array, numbers: Array) -> tuple[Array, Array]:
    """Steps of equal length; velocities are in steps, positions in px."""
    step, anxiety, inertia, jerk, tremor, angle = numbers
    x, y = np.zeros(_POINTS), np.zeros(_POINTS)
    vx, vy = math.cos(angle), math.sin(angle)
    for i in range(_POINTS - 1):
        ax = anxiety * (tremor * turns[2 * i] - inertia * x[i])
        ay = anxiety * (tremor * turns[2 * i + 1] - inertia * y[i])
        if jerks[2 * i] < jerk * anxiety:
            back = math.pi + jerks[2 * i + 1] - 0.5
            ax += 2 * (vx * math.cos(back) - vy * math.sin(back))
            ay += 2 * (vx * math.sin(back) + vy * math.cos(back))
        vx, vy = vx + ax, vy + ay
        speed = math.sqrt(vx * vx + vy * vy)
        if speed > 0.0:
            vx, vy = vx / speed, vy / speed
        x[i + 1], y[i + 1] = x[i] + step * vx, y[i] + step * vy
    return x, y
