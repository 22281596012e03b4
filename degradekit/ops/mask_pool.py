"""Masks that others painted or segmented, read from files; how one gets the size of a picture and into a plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from degradekit.ops.pool import ARRAY_SUFFIXES, pack, read_arrays, unpack
from degradekit.ops.resample import resize
from degradekit.types import Array, FloatImage

__all__ = ["pack_mask", "read_masks", "resized", "shrunk", "unpack_mask"]

PICTURES = (".png", ".bmp", ".webp", ".jpg", ".jpeg", ".tif", ".tiff")


def read_masks(path: Path) -> dict[str, Array]:
    """Read the masks of a pool.

    Args:
        path: A grey picture, or a ``.npy`` or ``.npz`` file with arrays ``[h, w]`` or ``[n, h, w]`` (bool, float in
            [0, 1], uint8 or uint16 over their whole range), or a folder of these.

    Returns:
        uint8 ``[h, w]`` each, 255 where steps act fully, by names for errors, in the order of the files.

    Raises:
        ValueError: A file cannot be read or holds no mask.
        SourceError: A picture cannot be read.
    """
    files = sorted(file for file in path.iterdir() if _is_one(file)) if path.is_dir() else [path]
    return {name: _levels(mask, path / name if path.is_dir() else path) for f in files for name, mask in _masks(f)}


def shrunk(levels: Array, h: int, w: int) -> Array:
    """A mask with no side larger than the picture's, by area means, so that a plan never holds more than it needs.

    Example:
        >>> shrunk(np.array([[0, 255, 255, 255]], np.uint8), 5, 2).tolist()
        [[128, 255]]
    """
    size = min(levels.shape[0], h), min(levels.shape[1], w)
    if size == levels.shape:
        return levels
    means = resize(_weights(levels), *size, mode="area")[0, ..., 0]
    rounded: Array = np.floor(means * 255 + np.float32(0.5)).astype(np.uint8)
    return rounded


def resized(levels: Array, h: int, w: int) -> FloatImage:
    """A mask of :func:`shrunk` as weights of a picture, float32 ``[h, w]``: smaller ones grow bilinearly."""
    return resize(_weights(levels), h, w, mode="bilinear")[0, ..., 0]


def pack_mask(levels: Array) -> tuple[int, str]:
    """A mask as text for a plan: 1 bit for each pixel where it is hard, else 8.

    Returns:
        The bits of a pixel, and the text.

    Example:
        >>> bits, text = pack_mask(np.array([[0, 255, 255]], np.uint8))
        >>> bits, text, unpack_mask(text, bits, (1, 3)).tolist()
        (1, 'YA==', [[0, 255, 255]])
    """
    hard = ((levels == 0) | (levels == 255)).all()
    return (1, pack(np.packbits(levels > 0))) if hard else (8, pack(levels))


def unpack_mask(text: str, bits: int, shape: tuple[int, int]) -> Array:
    """The mask that :func:`pack_mask` wrote, uint8.

    Raises:
        ValueError: The text has another length.
    """
    if bits == 8:
        return unpack(text, np.uint8, shape)
    count = shape[0] * shape[1]
    whole = unpack(text, np.uint8, (-(-count // 8),))
    return np.unpackbits(whole, count=count).reshape(shape) * np.uint8(255)


def _weights(levels: Array) -> FloatImage:
    weights: FloatImage = levels[None, ..., None].astype(np.float32)
    weights /= np.float32(255)
    return weights


def _is_one(file: Path) -> bool:
    return file.suffix.lower() in (*ARRAY_SUFFIXES, *PICTURES) and not file.name.startswith(".")


def _masks(file: Path) -> Iterator[tuple[str, Array]]:
    """The masks of one file by name."""
    if file.suffix.lower() in PICTURES:
        from degradekit.source.image import read_image  # loads the decoders: only pools of pictures pay

        picture = read_image(str(file))
        if (picture != picture[..., :1]).any():
            raise ValueError(f"{file} is a picture in colour; a mask is a grey one, white where the steps act")
        yield file.name, picture[..., 0]
        return
    if file.suffix.lower() not in ARRAY_SUFFIXES:
        raise ValueError(f"{file} is no pool of masks: give a grey picture, .npy or .npz, or a folder of them")
    for name, array in read_arrays(file):
        if array.ndim not in (2, 3):
            raise ValueError(f"{file.with_name(name)} is {array.dtype} {array.shape}; masks are [h, w] or [n, h, w]")
        if array.ndim == 2:
            yield name, array
        else:
            yield from ((f"{name}[{i}]", mask) for i, mask in enumerate(array))


def _levels(mask: Array, where: Path) -> Array:
    """A mask as it is kept: uint8."""
    if not mask.size:
        raise ValueError(f"{where} has {mask.shape} px; a mask has one at least")
    if mask.dtype == np.bool_:
        return mask * np.uint8(255)
    if mask.dtype == np.uint8 and mask.max() != 1:
        return mask.copy()  # of a picture, one of three channels: the others are let go
    if mask.dtype == np.uint16 and mask.max() != 1:
        return ((mask.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if mask.dtype.kind == "f" and np.isfinite(mask).all() and mask.min() >= 0 and mask.max() <= 1:
        return np.floor(mask * 255 + 0.5).astype(np.uint8)
    low, high = mask.min(), mask.max()
    raise ValueError(
        f"{where} is {mask.dtype} from {low} to {high}; masks are bool, float in [0, 1], or uint8 or uint16 up to 255 "
        "or 65535: save one of 0 and 1 as bool"
    )
