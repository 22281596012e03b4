"""Sending the frames of a clip through image files in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from degradekit.errors import OpError
from degradekit.types import Array, FloatImage

__all__ = ["eight_bits", "through_files"]


def eight_bits(x: FloatImage) -> Array:
    """Clip to [0, 1] and round to 8-bit levels, halves up.

    Example:
        >>> eight_bits(np.float32([-0.1, 0.5, 0.2, 1.3])).tolist()
        [0, 128, 51, 255]
    """
    levels = np.clip(x, np.float32(0), np.float32(1))
    levels *= np.float32(255)
    levels += np.float32(0.5)
    return levels.astype(np.uint8)


def through_files(x: FloatImage, name: str, code: Callable[[Array, int], Array]) -> FloatImage:
    """Encode and decode every frame as a file of its own.

    Args:
        x: ``[T, H, W, 3]``, or ``[T, H, W, 1]``, which is coded as a picture of three equal channels whose green
            comes back.
        name: Of the op, for errors.
        code: Takes a uint8 ``[H, W, 3]`` and the number of the frame, and gives back what was decoded.

    Returns:
        float32, 8-bit levels over 255.

    Raises:
        OpError: The clip is neither RGB nor grey, or the codec refuses the picture.
    """
    channels = x.shape[3]
    if channels not in (1, 3):
        raise OpError(f"{name}: encodes RGB or grey, the clip has {channels} channels; convert it before this step")
    pictures = np.repeat(eight_bits(x), 3, axis=3) if channels == 1 else eight_bits(x)
    out = np.empty_like(x)
    for t, picture in enumerate(pictures):
        try:
            decoded = code(picture, t)
        except (RuntimeError, OSError, ValueError) as error:
            size = f"{picture.shape[0]}x{picture.shape[1]} px"
            raise OpError(f"{name}: the codec refuses a picture of {size} ({error}); resize it before") from error
        np.divide(decoded[..., 1:2] if channels == 1 else decoded, np.float32(255), out=out[t])
    return out
