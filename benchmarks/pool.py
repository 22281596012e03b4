"""The pictures that every benchmark works on: decoded 400x400 crops, the same ones for the same folder."""

from __future__ import annotations

import numpy as np

from degradekit.source import list_images, read_image

__all__ = ["GT", "crops"]

GT = 400
MOST = 48


def crops(photos: str) -> np.ndarray:
    """Cut crops from the photographs of a folder.

    Args:
        photos: A folder, or ``sample`` for the photographs that scikit-image carries.

    Returns:
        uint8 RGB ``[N, 400, 400, 3]``: the tiles of every picture from its top left corner, at most 48 of all tiles,
        evenly spaced.
    """
    tiles = []
    for ref in list_images(photos).images:
        image = read_image(ref.uri)
        if image.dtype != np.uint8:
            image = (image >> 8).astype(np.uint8)
        h, w = image.shape[:2]
        tiles += [image[y : y + GT, x : x + GT] for y in range(0, h - GT + 1, GT) for x in range(0, w - GT + 1, GT)]
    if not tiles:
        raise SystemExit(f"{photos} holds no picture of {GT} px or more on both sides")
    chosen = np.unique(np.linspace(0, len(tiles) - 1, MOST).round().astype(int))
    return np.ascontiguousarray(np.stack([tiles[i] for i in chosen]))
