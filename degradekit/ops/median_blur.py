"""Median filter: every sample becomes the middle one of a square around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import cv2
import numpy as np
from numpy import int16

from degradekit.dist import Dist, Within
from degradekit.jit import kernel
from degradekit.ops.base import HELD, Draw, Op
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry

__all__ = ["MedianBlur", "MedianBlurDraw"]


@dataclass(frozen=True, slots=True)
class MedianBlurDraw(Draw):
    """A median over one square.

    Args:
        size: Side of the square in px, odd.
    """

    name: ClassVar[str] = "median_blur"

    size: int

    def apply(self, x: FloatImage) -> FloatImage:
        """Filter every channel on its own, at 16 bit."""
        return x if self.size == 1 else np.stack([_filter(frame, self.size) for frame in x])


class MedianBlur(Op):
    """Takes the middle value of the square around each sample, which removes specks and fine lines and keeps edges.

    It imitates the despeckling of scanners, cameras and editors, and leaves flat patches with rounded corners.

    Args:
        size_range: Side of the square in px at this step's resolution, odd, 1 to 15; larger removes more, 1 nothing.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, each channel on its own; borders continue by reflection.

    Range: float32 in [0, 1]; the picture is cut to [0, 1] and rounded to 16 bit, which 8- and 16-bit pictures are.

    Source: J. W. Tukey, "Exploratory data analysis", 1977; the median as the largest threshold that at most half of
    the values stay below, bit by bit: P. E. Danielsson, "Getting the median faster", CGIP 17, 1981.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = MedianBlur.model_validate({"size_range": {"choice": [3, 5]}})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32)
        >>> x[:, :, 32:] = 1
        >>> speck = x.copy()
        >>> speck[:, 20, 20] = 1
        >>> y = draw.apply(speck)
        >>> bool((y == x).all())
        True
        >>> bool((MedianBlurDraw.from_json(draw.to_json()).apply(speck) == y).all())
        True
    """

    name: ClassVar[str] = "median_blur"
    draws: ClassVar[type[Draw]] = MedianBlurDraw

    size_range: Annotated[Dist, Within(1, 15, odd=True), HELD]

    def draw(self, u: Draws, g: Geometry) -> MedianBlurDraw:
        """Choose the size."""
        return MedianBlurDraw(int(self.size_range.sample(u, "size")))


def _filter(frame: FloatImage, size: int) -> FloatImage:
    """The frame as int16 levels from -32768 on, filtered, and back."""
    h, w, c = frame.shape
    levels = np.clip(frame, 0, 1)
    levels *= np.float32(65535)
    levels += np.float32(0.5 - 32768)
    np.floor(levels, out=levels)
    whole = levels.astype(np.int16)
    reach = size // 2
    edges = (reach, reach, reach, reach, cv2.BORDER_REFLECT_101)
    eight = _eight_bit(whole) if size > 5 else None
    padded = cv2.copyMakeBorder(whole if eight is None else eight, *edges).reshape(h + 2 * reach, w + 2 * reach, c)
    if size <= 5 and c <= 4:
        middle: Array = cv2.medianBlur(padded, size).reshape(padded.shape)[reach : reach + h, reach : reach + w]
    else:
        middle = np.empty((h, w * c), np.int16)
        _median(padded.reshape(h + 2 * reach, -1), size, c, middle, 16 if eight is None else 8)
    out = middle.reshape(frame.shape).astype(np.float32)
    if eight is not None:
        return out / np.float32(255)
    out += np.float32(32768)
    out /= np.float32(65535)
    return out


def _eight_bit(levels: Array) -> Array | None:
    """The frame as levels 0..255 where it has no others, as a stored GT and a decoded JPEG; they take half the time."""
    for part in (levels[:1], levels):  # most others are told by their first row
        place = part.astype(np.int32)
        place += 32768
        eight = place // 257
        if not np.array_equal(eight * 257, place):
            return None
    return eight.astype(np.int16)


@kernel
def _median(x: Array, size: int, c: int, out: Array, bits: int) -> None:
    """Medians of int16 samples over squares of any size, where OpenCV has 3 and 5; ``bits`` is 16, or 8 for 0..255.

    A row at a time, bit by bit from the highest: a threshold stays raised where at most half of the window lie below.
    """
    h, n = out.shape
    half = int16(size * size // 2)
    trial, below = np.empty(n, np.int16), np.empty(n, np.int16)
    for y in range(h):
        median = out[y]
        for i in range(n):
            median[i] = int16(-32768 if bits == 16 else 0)
        for bit in range(bits - 1, -1, -1):
            step = int16(1 << bit)  # 2^15 wraps, and so does the sum
            for i in range(n):
                trial[i] = int16(median[i] + step)
                below[i] = int16(0)
            for dy in range(size):
                row = x[y + dy]
                _count1(row, trial, below)
                dx = 1
                if size % 4 == 3:
                    _count2(row[c:], row[2 * c :], trial, below)
                    dx = 3
                while dx < size:
                    _count4(row[dx * c :], row[(dx + 1) * c :], row[(dx + 2) * c :], row[(dx + 3) * c :], trial, below)
                    dx += 4
            for i in range(n):
                median[i] = int16(median[i] + int16(step * int16(below[i] <= half)))


# Real calls, not inlined: inside the loops above, LLVM would leave these scalar.
@kernel
def _count1(a: Array, trial: Array, below: Array) -> None:
    for i in range(trial.size):
        below[i] = int16(below[i] + int16(a[i] < trial[i]))


@kernel
def _count2(a: Array, b: Array, trial: Array, below: Array) -> None:
    for i in range(trial.size):
        below[i] = int16(below[i] + int16(int16(a[i] < trial[i]) + int16(b[i] < trial[i])))


@kernel
def _count4(a: Array, b: Array, c: Array, d: Array, trial: Array, below: Array) -> None:
    for i in range(trial.size):
        left = int16(int16(a[i] < trial[i]) + int16(b[i] < trial[i]))
        right = int16(int16(c[i] < trial[i]) + int16(d[i] < trial[i]))
        below[i] = int16(below[i] + int16(left + right))
