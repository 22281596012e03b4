"""Colour and neighbour differences of 8-bit RGB images: what is left of a photograph is small numbers that zstd packs.

An image becomes three planes, G, R - G and B - G; in each, a value becomes itself minus the one to the left, minus the
one above, plus the one above to the left (outside is 0). Everything is modulo 256, so both ways are exact. Undoing it
is two cumulative sums, which ``docs/codecs.md`` does in four lines of numpy; here it is one pass without branches.

Source: the plane predictor is predictor 4 of lossless JPEG (ITU-T T.81, table H.1), the colour differences are those
of WebP's and JPEG-LS' (HP1) lossless modes.
"""

from __future__ import annotations

import numpy as np

from degradekit.jit import kernel
from degradekit.types import Array

__all__ = ["differences", "undo"]


def differences(image: Array) -> Array:
    """Planes of differences of an image.

    Args:
        image: uint8 ``[H, W, 3]``.

    Returns:
        uint8 ``[3, H, W]``.

    Example:
        >>> differences(np.full((2, 2, 3), 7, np.uint8)).tolist()
        [[[7, 0], [0, 0]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]]
    """
    h, w, _ = image.shape
    planes = np.empty((3, h, w), np.uint8)
    _differences(image, planes, np.zeros((3, w), np.uint8))
    return planes


def undo(planes: Array) -> Array:
    """The image whose differences these are.

    Args:
        planes: uint8 ``[3, H, W]``, writable.

    Returns:
        uint8 ``[H, W, 3]``.

    Example:
        >>> image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 11
        >>> bool((undo(differences(image)) == image).all())
        True
    """
    _, h, w = planes.shape
    image = np.empty((h, w, 3), np.uint8)
    _undo(planes, image, np.zeros((3, w), np.uint8))
    return image


@kernel
def _differences(image: Array, planes: Array, above: Array) -> None:
    h, w, _ = image.shape
    for y in range(h):
        left0 = left1 = left2 = np.uint8(0)
        for x in range(w):
            g = image[y, x, 1]
            r = np.uint8(image[y, x, 0] - g)
            b = np.uint8(image[y, x, 2] - g)
            step0 = np.uint8(g - above[0, x])
            step1 = np.uint8(r - above[1, x])
            step2 = np.uint8(b - above[2, x])
            planes[0, y, x] = np.uint8(step0 - left0)
            planes[1, y, x] = np.uint8(step1 - left1)
            planes[2, y, x] = np.uint8(step2 - left2)
            left0, left1, left2 = step0, step1, step2
            above[0, x], above[1, x], above[2, x] = g, r, b


@kernel
def _undo(planes: Array, image: Array, above: Array) -> None:
    h, w, _ = image.shape
    for y in range(h):
        step0 = step1 = step2 = np.uint8(0)
        for x in range(w):
            step0 = np.uint8(step0 + planes[0, y, x])
            step1 = np.uint8(step1 + planes[1, y, x])
            step2 = np.uint8(step2 + planes[2, y, x])
            g = np.uint8(above[0, x] + step0)
            r = np.uint8(above[1, x] + step1)
            b = np.uint8(above[2, x] + step2)
            above[0, x], above[1, x], above[2, x] = g, r, b
            image[y, x, 0] = np.uint8(r + g)
            image[y, x, 1] = g
            image[y, x, 2] = np.uint8(b + g)
