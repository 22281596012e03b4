"""Masks by formula: how much each pixel belongs to a part of the picture, from 0 to 1.

Places and sizes are parts of the picture's sides, so that a mask is the same whatever the number of px. An edge rises
from 0 to 1 over ``feather``, half of it on each side, by the smoothstep 3 t^2 - 2 t^3; never over less than 1 px.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from degradekit.fields import uniform_field
from degradekit.ops.smooth import smooth_field
from degradekit.types import FloatImage

__all__ = ["Spot", "clouds", "ellipse", "gradient", "rectangle", "text"]

_WORDS = 32
"""Words a line at most."""
_GLYPH, _LETTER = 0.7, 0.55
"""Height of a letter in lines, and its width in heights."""


class Spot(NamedTuple):
    """A place in the picture.

    Args:
        x: Centre, in widths from the left edge.
        y: Centre, in heights from the top edge.
        width: Full width, in widths.
        height: Full height, in heights.
        angle: Radians by which it is turned, clockwise as displayed.
        feather: Width of its edge, in shorter sides.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float
    feather: float


def ellipse(h: int, w: int, spot: Spot) -> FloatImage:
    """An ellipse, float32 ``[h, w]``; its feather is measured along the shorter axis.

    Example:
        >>> mask = ellipse(101, 101, Spot(0.5, 0.5, 0.5, 0.5, 0.0, 0.0))
        >>> bool(mask[50, 50] == 1 and mask[0, 0] == 0 and abs(mask.mean() - math.pi / 16) < 0.001)
        True
    """
    a, b = max(spot.width * w / 2, 0.5), max(spot.height * h / 2, 0.5)
    across, down = _turned(h, w, spot)
    across /= np.float32(a)
    down /= np.float32(b)
    across *= across
    down *= down
    across += down
    np.sqrt(across, out=across)
    np.subtract(np.float32(1), across, out=across)
    across *= np.float32(min(a, b))
    return _edge(across, _feather(h, w, spot.feather))


def rectangle(h: int, w: int, spot: Spot) -> FloatImage:
    """A rectangle, float32 ``[h, w]``."""
    across, down = _turned(h, w, spot)
    np.subtract(np.float32(spot.width * w / 2), np.abs(across, out=across), out=across)
    np.subtract(np.float32(spot.height * h / 2), np.abs(down, out=down), out=down)
    return _edge(np.minimum(across, down, out=across), _feather(h, w, spot.feather))


def gradient(h: int, w: int, spot: Spot) -> FloatImage:
    """One side of a line through the centre, float32 ``[h, w]``: a straight rise along ``angle``, over ``feather``."""
    across, _ = _turned(h, w, spot)
    return _rise(across, _feather(h, w, spot.feather))


def clouds(h: int, w: int, spot: Spot, *, coverage: float, field: str) -> FloatImage:
    """Patches of a smooth random field, float32 ``[h, w]``.

    Args:
        h: Height in px.
        w: Width in px.
        spot: Its ``width`` is the size of the patches, in longer sides; the place does not count.
        coverage: Share of the picture that they cover, on average over many fields.
        field: Name of the normal field.
    """
    size = max(spot.width, 0.02)
    above = smooth_field(field, h, w, size=size) - np.float32(NormalDist().inv_cdf(1 - coverage))
    above *= np.float32(size * max(h, w))
    return _edge(above, _feather(h, w, spot.feather))


def text(h: int, w: int, spot: Spot, *, lines: int, field: str) -> FloatImage:
    """Lines of words, a rectangle each, as subtitles have them, float32 ``[h, w]``; upright whatever the angle.

    Args:
        h: Height in px.
        w: Width in px.
        spot: The block; every line is centred in it and as long as whole words allow.
        lines: How many lines share its height.
        field: Name of the uniform field that the lengths of words are taken from.
    """
    pitch = spot.height * h / lines
    letter = max(pitch * _GLYPH * _LETTER, 0.5)
    top = spot.y * h - spot.height * h / 2
    feather = _feather(h, w, spot.feather)
    out = np.zeros((h, w), np.float32)
    for i in range(lines):
        ends = _words(spot.width * w, letter, uniform_field(field, _WORDS, first=i * _WORDS))
        left = spot.x * w - (ends[-1][1] if ends else 0) / 2
        at = np.arange(w) + 0.5 - left
        inside = np.full(w, -math.inf)
        for start, end in ends:
            np.maximum(inside, np.minimum(at - start, end - at), out=inside)
        tall = pitch * _GLYPH / 2 - np.abs(np.arange(h) + 0.5 - top - (i + 0.5) * pitch)
        near = np.flatnonzero(tall > -feather)
        line = np.minimum.outer(tall[near], inside).astype(np.float32)
        out[near] = np.maximum(out[near], _edge(line, feather))
    return out


def _words(room: float, letter: float, chances: FloatImage) -> list[tuple[float, float]]:
    """Start and end of the words of a line in px: 2 to 9 letters each, a letter between them."""
    ends: list[tuple[float, float]] = []
    at = 0.0
    for chance in chances:
        end = at + letter * (2 + math.floor(8 * float(chance)))
        if end > room:
            break
        ends.append((at, end))
        at = end + letter
    return ends


def _turned(h: int, w: int, spot: Spot) -> tuple[FloatImage, FloatImage]:
    """Px from the centre along the turned axes."""
    x, y = np.arange(w) + 0.5 - spot.x * w, np.arange(h) + 0.5 - spot.y * h
    cosine, sine = math.cos(spot.angle), math.sin(spot.angle)
    parts = [values.astype(np.float32) for values in (y * sine, x * cosine, y * cosine, -x * sine)]
    return np.add.outer(parts[0], parts[1]), np.add.outer(parts[2], parts[3])


def _feather(h: int, w: int, feather: float) -> float:
    """Width of an edge in px."""
    return max(feather * min(h, w), 1.0)


def _rise(inside: FloatImage, feather: float) -> FloatImage:
    """0 to 1 over ``feather`` px about the edge; ``inside`` is the distance from it, positive inside; in place."""
    inside *= np.float32(1 / feather)
    inside += np.float32(0.5)
    return np.clip(inside, np.float32(0), np.float32(1), out=inside)


def _edge(inside: FloatImage, feather: float) -> FloatImage:
    """The same as a smoothstep."""
    t = _rise(inside, feather)
    slope = t * np.float32(-2)
    slope += np.float32(3)
    t *= t
    t *= slope
    return t
