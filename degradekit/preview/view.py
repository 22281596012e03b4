"""The part of a picture that is shown: where its detail is, and the same part of every later picture."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from degradekit.types import Array

__all__ = ["FRAMES", "View", "busiest", "eight_bit"]

FRAMES = 8
"""Frames of a clip that are shown: a page of clips stays below 10 MB."""


class View(NamedTuple):
    """A rectangle in shares of the picture's height and width."""

    top: float
    left: float
    height: float
    width: float

    def of(self, clip: Array) -> Array:
        """Cut the rectangle from a clip ``[T, H, W, C]`` of any size; 8 bit RGB, the first frames."""
        h, w = clip.shape[1:3]
        y, x = min(round(self.top * h), h - 1), min(round(self.left * w), w - 1)
        height, width = max(1, round(self.height * h)), max(1, round(self.width * w))
        return eight_bit(clip[:FRAMES, y : y + height, x : x + width])


def eight_bit(clip: Array) -> Array:
    """uint8 RGB of a stored clip of any depth, grey or RGB."""
    shown = (clip >> 8).astype(np.uint8) if clip.dtype == np.uint16 else clip
    return np.ascontiguousarray(np.repeat(shown, 3, axis=3) if shown.shape[3] == 1 else shown)


def busiest(clip: Array, side: int) -> View:
    """The square with the most detail: the largest sum of gradients of luma in the first frame.

    Args:
        clip: uint8 or uint16 ``[T, H, W, 3]``.
        side: Side in px, cut to the picture.
    """
    frame = eight_bit(clip[:1])[0]
    h, w = frame.shape[:2]
    sh, sw = min(side, h), min(side, w)
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    steps = np.abs(np.diff(luma, axis=0, append=luma[-1:])) + np.abs(np.diff(luma, axis=1, append=luma[:, -1:]))
    # A root, so that one hard edge does not outweigh a textured surface.
    total = cv2.integral(np.sqrt(steps))
    sums = total[sh:, sw:] - total[:-sh, sw:] - total[sh:, :-sw] + total[:-sh, :-sw]
    y, x = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return View(float(y) / h, float(x) / w, sh / h, sw / w)
