"""From the decoded source image to the HR crop: reduce the whole image, cut the window, pad where it is short."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from PIL import Image

from degradekit.source.extract import scaled_size
from degradekit.source.landmarks import Points
from degradekit.types import Array, Window

__all__ = ["cut", "cut_all", "flatness", "is_flat", "rescale", "window_points"]


def cut(image: Array, window: Window) -> Array:
    """Take one HR crop; the image is reduced first where the window asks for it.

    Args:
        image: uint8 or uint16 ``[H, W, 3]``.
        window: Its ``y``, ``x``, ``h``, ``w`` are px of the image reduced by ``window.scale``. Rows and columns
            beyond the bottom and right border are reflected without repeating the border pixel.

    Returns:
        ``[window.h, window.w, 3]`` of the image's dtype, C-contiguous.

    Example:
        >>> ramp = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        >>> cut(ramp, Window(0, 0, 2, 4))[0, :, 0].tolist()
        [0, 3, 0, 3]
    """
    return next(cut_all(image, [window]))


def cut_all(image: Array, windows: Iterable[Window]) -> Iterator[Array]:
    """Take several HR crops, reducing the image once for each run of windows with the same scale."""
    reduced, factor = image, 1.0
    for window in windows:
        if window.scale != factor:
            reduced, factor = rescale(image, window.scale), window.scale
        yield _take(reduced, window)


def _take(image: Array, window: Window) -> Array:
    crop = image[window.y : window.y + window.h, window.x : window.x + window.w]
    below, right = window.h - crop.shape[0], window.w - crop.shape[1]
    if below or right:
        padded: Array = cv2.copyMakeBorder(crop, 0, below, 0, right, cv2.BORDER_REFLECT_101)
        return padded
    return np.ascontiguousarray(crop)


def window_points(points: Points, window: Window, size: tuple[int, int]) -> Points:
    """Where points of an image lie in a crop of it.

    Args:
        points: (x, y) in px of the image, the middle of its first pixel at 0.
        window: The crop.
        size: (height, width) of the image.

    Example:
        >>> window_points(((9.5, 5.5),), Window(1, 2, 4, 4, scale=0.5), (20, 40))
        ((2.5, 1.5),)
    """
    h, w = scaled_size(size, window.scale)
    sy, sx = h / size[0], w / size[1]
    return tuple(((x + 0.5) * sx - 0.5 - window.x, (y + 0.5) * sy - 0.5 - window.y) for x, y in points)


def rescale(image: Array, factor: float) -> Array:
    """Reduce a whole image with Pillow's antialiased Lanczos filter (three lobes), as DF2K's multi-scale HR.

    Args:
        image: uint8 or uint16 ``[H, W, 3]``.
        factor: In (0, 1]; smaller reduces more.

    Returns:
        ``[H', W', 3]`` of the same dtype, size :func:`degradekit.source.scaled_size`, rounded to nearest and clipped
        (8 bits also between the horizontal and the vertical pass, as Pillow does).

    Example:
        >>> rescale(np.full((8, 6, 3), 77, np.uint8), 0.5)[..., 0].tolist()
        [[77, 77, 77], [77, 77, 77], [77, 77, 77], [77, 77, 77]]
    """
    h, w = scaled_size((image.shape[0], image.shape[1]), factor)
    if (h, w) == image.shape[:2]:
        return image
    if image.dtype == np.uint8:
        return np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.LANCZOS))
    # Pillow has no 16-bit colour: one float plane at a time.
    planes = (Image.fromarray(image[..., c].astype(np.float32)) for c in range(image.shape[2]))
    floats = np.stack([np.asarray(plane.resize((w, h), Image.Resampling.LANCZOS)) for plane in planes], axis=-1)
    reduced: Array = np.clip(np.rint(floats), 0, 65535).astype(np.uint16)
    return reduced


def flatness(patch: Array) -> float:
    """Standard deviation of a patch in 8-bit levels: that of its most varied channel.

    Args:
        patch: uint8 or uint16 ``[H, W, C]``.

    Example:
        >>> flatness(np.array([[[10], [30]]], np.uint8))
        10.0
    """
    levels = 1.0 if patch.dtype == np.uint8 else 257.0
    return float(cv2.meanStdDev(patch)[1].max()) / levels


def is_flat(patch: Array, limit: float) -> bool:
    """Whether no channel of a patch varies by ``limit`` 8-bit levels (standard deviation)."""
    return flatness(patch) < limit
