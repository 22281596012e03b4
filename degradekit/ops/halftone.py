"""Halftone: tones as dots or lines of ink whose size varies; screentone when there is one grey screen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32, int32, uint32

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.fields import unit
from degradekit.jit import kernel
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.colour import clip01, luma, need_rgb
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Halftone", "HalftoneDraw"]

_SHAPES = {"dot": 0, "diamond": 1, "line": 2}
_ANGLES = {"grey": (45,), "rgb": (15, 45, 75), "cmyk": (15, 75, 0, 45)}
"""Degrees between a screen and the drawn angle; 30 between strong inks, as printers do against moire."""
_TABLE = 1024
_HARDEST = 1e-3


@dataclass(frozen=True, slots=True)
class HalftoneDraw(Draw):
    """Screens of determined cell and angle.

    Args:
        cell: Period of the screens in px, for the clip or for each frame.
        angle: Radians added to every screen's own angle, clockwise as displayed; lines run along it.
        softness: Width in px over which ink goes from 0 to 1.
        shape: ``dot``, ``diamond`` or ``line``.
        inks: ``grey``, ``rgb`` or ``cmyk``.
        phase_x: Where the screens start, in cells.
        phase_y: The same downwards.
    """

    name: ClassVar[str] = "halftone"
    unlisted: ClassVar[frozenset[str]] = frozenset({"phase_x", "phase_y"})

    cell: Series
    angle: Series
    softness: Series
    shape: str
    inks: str
    phase_x: float
    phase_y: float

    def apply(self, x: FloatImage) -> FloatImage:
        """Screen the picture; the result lies in [0, 1].

        Raises:
            OpError: The clip has not three channels.
        """
        need_rgb(x, self.name)
        out = np.empty(x.shape, np.float32)
        for t in range(len(x)):
            ink = _separate(x[t], self.inks)
            for k, degrees in enumerate(_ANGLES[self.inks]):
                self._screen(ink[k], math.radians(degrees), t)
            _print(ink, self.inks, out[t])
        return out

    def _screen(self, ink: FloatImage, angle: float, t: int) -> None:
        """Replace tones of ink in [0, 1] by ink or none; in place."""
        cell, turn, softness = (at_frame(v, t) for v in (self.cell, self.angle, self.softness))
        across, down = math.cos(angle + turn) / cell, math.sin(angle + turn) / cell
        hardness = cell / (2 * max(softness, _HARDEST))
        grid = np.array([across, down, self.phase_x, self.phase_y, hardness], np.float32)
        _threshold(ink, grid, _SHAPES[self.shape], _coverage(self.shape))


class Halftone(Op):
    """Prints the picture: every tone becomes dots or lines of full ink that grow with it.

    ``grey`` with dots is the screentone of comics; ``cmyk`` is the rosette of magazines and newspapers, with all black
    taken out of the colours; ``rgb`` screens red, green and blue each on its own.

    Args:
        cell_range: Period of the screens in px at this step's resolution, 1.5 to 100; larger is coarser.
        angle_range: Radians added to every screen's own angle (grey 45, rgb 15 45 75, cmyk 15 75 0 45 degrees),
            clockwise as displayed; lines run along it.
        softness_range: Width in px over which an edge of ink goes from 0 to 1, 0 to 8; 1 is a sharp scan, 0 is jagged.
        shape: ``dot`` (round in light and dark tones, a chequerboard between), ``diamond`` or ``line``, or a choice.
        inks: ``grey``, ``rgb`` or ``cmyk``, or a choice.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``.

    Range: float32 sRGB in [0, 1]; what lies outside is clipped before. Thresholds are spread evenly, so every tone
    keeps its mean, as encoded.

    Source: Amplitude-modulated screening by threshold functions: R. Ulichney, "Digital Halftoning", 1987, chapter 5;
    the dot's cosines are parabolas here.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Halftone.model_validate({"cell_range": [4, 8], "inks": ["grey", "cmyk"]})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "print"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.75, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.mean() - 0.75) < 0.05 and y.min() < 0.1 and y.max() > 0.9)
        True
        >>> bool((HalftoneDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "halftone"
    draws: ClassVar[type[Draw]] = HalftoneDraw

    cell_range: Annotated[Dist, Within(1.5, 100)]
    angle_range: Annotated[Dist, Within(-2 * math.pi, 2 * math.pi, hint="angles are radians: write pi/4")] = Const(0.0)
    softness_range: Annotated[Dist, Within(0, 8)] = Const(1.0)
    shape: Annotated[Pick, Words(*_SHAPES)] = Pick(("dot",))
    inks: Annotated[Pick, Words(*_ANGLES)] = Pick(("cmyk",))

    def draw(self, u: Draws, g: Geometry) -> HalftoneDraw:
        """Choose the screens."""
        return HalftoneDraw(
            cell=self.cell_range.draw(u, "cell", g.t),
            angle=self.angle_range.draw(u, "angle", g.t),
            softness=self.softness_range.draw(u, "softness", g.t),
            shape=self.shape.draw(u, "shape"),
            inks=self.inks.draw(u, "inks"),
            phase_x=u.uniform("phase_x"),
            phase_y=u.uniform("phase_y"),
        )


def _separate(x: FloatImage, inks: str) -> FloatImage:
    """Tones of ink, float32 ``[inks, H, W]``: 1 is full ink."""
    one = np.float32(1)
    if inks == "grey":
        return one - clip01(luma(x))[None]
    planes = clip01(np.stack([x[..., 0], x[..., 1], x[..., 2]]))
    if inks == "rgb":
        return one - planes
    light = planes.max(axis=0)
    colours = (light - planes) / np.where(light > 0, light, one)
    return np.concatenate([colours, (one - light)[None]])


def _print(ink: FloatImage, inks: str, out: FloatImage) -> None:
    """Take the inks off white paper."""
    paper = np.float32(1) - ink
    out[...] = np.moveaxis(paper[:3] * paper[3] if inks == "cmyk" else paper, 0, -1)


@lru_cache(maxsize=3)
def _coverage(shape: str) -> FloatImage:
    """Share of a cell whose spot function lies below i / 1024, for i from 0 to 1024: it makes thresholds even."""
    # Cached because it sorts 65,000 numbers and never changes.
    n = 256
    at = (np.arange(n) + 0.5) / n - 0.5
    if shape == "line":
        spots = 2 * np.abs(at)
    else:
        wave = 2 * np.abs(at) if shape == "diamond" else np.array([_wave(value) for value in at])
        spots = np.add.outer(wave, wave).ravel() / 2
    steps = np.arange(_TABLE + 1) / _TABLE
    return (np.searchsorted(np.sort(spots), steps) / len(spots)).astype(np.float32)


def _wave(value: float) -> float:
    """(1 - cos(2 pi value)) / 2 in parabolas, for value in [-1/2, 1/2]."""
    distance = abs(value)
    return 8 * distance**2 if distance < 0.25 else 1 - 8 * (0.5 - distance) ** 2


@kernel
def _threshold(ink: FloatImage, grid: FloatImage, shape: int, table: FloatImage) -> None:
    across, down, phase_x, phase_y, hardness = grid[0], grid[1], grid[2], grid[3], grid[4]
    half, last = float32(0.5), uint32(len(table) - 2)
    for y in range(ink.shape[0]):
        for x in range(ink.shape[1]):
            u = float32(x) * across + float32(y) * down + phase_x
            v = float32(y) * across - float32(x) * down + phase_y
            a = abs(u - np.floor(u + half))
            b = abs(v - np.floor(v + half))
            if shape == 0:
                a = float32(8) * a * a if a < float32(0.25) else float32(1) - float32(8) * (half - a) * (half - a)
                b = float32(8) * b * b if b < float32(0.25) else float32(1) - float32(8) * (half - b) * (half - b)
                spot = (a + b) * half
            else:
                spot = a + b if shape == 1 else float32(2) * b
            place = spot * float32(_TABLE)
            i = min(uint32(int32(place)), last)
            threshold = table[i] + (table[i + uint32(1)] - table[i]) * (place - float32(int32(i)))
            tone = ink[y, x]
            # Edges get harder towards paper and full ink, so that they fit in and every tone keeps its mean.
            room = min(tone, float32(1) - tone)
            slope = max(hardness, half / max(room, float32(1e-6)))
            ink[y, x] = unit((tone - threshold) * slope + half) if room > 0 else tone
