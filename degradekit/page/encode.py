"""Pictures as data URIs, without loss."""

from __future__ import annotations

import io
from base64 import b64encode

from PIL import Image

from degradekit.types import Array

__all__ = ["data_uri", "first_frame"]

FRAME_MS = 120
"""How long a frame of a playing clip stays: 8 frames a second, slow enough to see noise change."""


def data_uri(clip: Array) -> str:
    """A lossless WebP in the text of a page; a clip of several frames plays and starts over.

    Args:
        clip: uint8 ``[T, h, w, 3]``.

    Example:
        >>> import numpy as np
        >>> data_uri(np.zeros((1, 2, 2, 3), np.uint8))[:23]
        'data:image/webp;base64,'
    """
    first, *rest = (Image.fromarray(frame) for frame in clip)
    file = io.BytesIO()
    playing = {"save_all": True, "append_images": rest, "duration": FRAME_MS, "loop": 0} if rest else {}
    first.save(file, "WEBP", lossless=True, quality=70, method=3, **playing)
    return f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"


def first_frame(clip: Array) -> Array:
    """The clip's first frame as a clip."""
    return clip[:1]
