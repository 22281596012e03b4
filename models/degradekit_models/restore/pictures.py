"""Reading and writing pictures of 8 and 16 bits, grey or colour, with or without alpha, their colour profile kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from degradekit_models.errors import ModelError
from degradekit_models.whole import written_whole

__all__ = ["SUFFIXES", "Picture", "read_picture", "suffix_for", "write_picture"]

Array: TypeAlias = np.ndarray[Any, Any]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
"""What is read; BMP is written as PNG, which holds more."""
_OPAQUE = (".jpg", ".jpeg")
_DEEP = (".png", ".tif", ".tiff")
_ORIENTATION = 0x0112
_TURNS: dict[int, tuple[int, bool]] = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}
"""EXIF orientation -> quarter turns to the left, then whether to mirror left and right."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: float32 ``[H,W,3]`` in [0, 1]; of a grey picture, three equal channels.
        alpha: float32 ``[H,W]`` in [0, 1], or None.
        bits: 8 or 16 for each channel.
        grey: whether the file has one channel of colour.
        profile: ICC colour profile, or None.
    """

    rgb: Array
    alpha: Array | None = None
    bits: int = 8
    grey: bool = False
    profile: bytes | None = None


def read_picture(path: str | Path) -> Picture:
    """Decodes a picture, upright.

    Raises:
        ModelError: the file is missing, is no picture, or has samples of another kind than 8 or 16 bits.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = folder + "/grey.png"
        ...     write_picture(file, Picture(np.full((2, 3, 3), 0.2, np.float32), grey=True))
        ...     picture = read_picture(file)
        >>> picture.grey, picture.rgb.shape, round(float(picture.rgb[0, 0, 0]), 3)
        (True, (2, 3, 3), 0.2)
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}.") from None
    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if levels is None:
        raise ModelError(f"{path}: is no picture that can be decoded, or is damaged; replace it.")
    if levels.dtype not in (np.uint8, np.uint16):
        raise ModelError(f"{path}: has {levels.dtype} samples; 8 and 16 bits are read.")
    if (
        levels.ndim == 3
        and levels.shape[2] == 4
        and levels.dtype == np.uint8
        and path.suffix.lower() in (".tif", ".tiff")
    ):
        levels = _straight_alpha(data, levels)
    orientation, profile = _header(data)
    turns, mirrored = _TURNS.get(orientation, (0, False))
    levels = np.rot90(levels, turns)
    levels = levels[:, ::-1] if mirrored else levels
    values = np.ascontiguousarray(levels, np.float32) / np.float32(np.iinfo(levels.dtype).max)
    grey = values.ndim == 2
    if grey:
        values = np.repeat(values[..., None], 3, axis=2)
    alpha = np.ascontiguousarray(values[..., 3]) if values.shape[2] == 4 else None
    rgb = np.ascontiguousarray(values[..., 2::-1])
    return Picture(rgb, alpha, bits=8 * levels.itemsize, grey=grey, profile=profile)


def write_picture(path: str | Path, picture: Picture, *, quality: int = 95) -> None:
    """Encodes a picture; the file is complete or not there.

    Args:
        path: the suffix names the format: PNG, JPEG, WebP or TIFF. JPEG and WebP hold 8 bits.
        picture: values beyond [0, 1] are clipped.
        quality: of JPEG and WebP, 1..100.

    Raises:
        ModelError: the format is unknown or cannot hold alpha, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or suffix == ".bmp":
        raise ModelError(f"{path}: {suffix or 'no suffix'} is not written; use .png, .jpg, .webp or .tif.")
    if picture.alpha is not None and suffix in _OPAQUE:
        raise ModelError(f"{path}: JPEG holds no alpha; use .png, .webp or .tif.")
    if picture.bits == 16 and suffix not in _DEEP:
        picture = replace(picture, bits=8)
    data = _encode_16(picture, suffix) if picture.bits == 16 else _encode_8(picture, suffix, quality)
    try:
        with written_whole(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}; choose a place that can be written.") from None


def suffix_for(path: Path, picture: Picture) -> str:
    """The suffix of the source where its format holds the picture and is written, else ``.png``.

    Example:
        >>> suffix_for(Path("a.bmp"), Picture(np.zeros((1, 1, 3), np.float32)))
        '.png'
    """
    suffix = path.suffix.lower()
    held = suffix != ".bmp" and not (picture.alpha is not None and suffix in _OPAQUE)
    return suffix if held else ".png"


def _straight_alpha(data: bytes, levels: Array) -> Array:
    """A TIFF of 8 bits with alpha, of which OpenCV returns colours times alpha."""
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image)[..., (2, 1, 0, 3)] if image.mode == "RGBA" else levels


def _header(data: bytes) -> tuple[int, bytes | None]:
    """EXIF orientation and colour profile; of files that Pillow does not know, none."""
    try:
        with Image.open(BytesIO(data)) as image:
            return int(image.getexif().get(_ORIENTATION, 1)), image.info.get("icc_profile")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1, None


def _levels(picture: Picture, kind: type[np.unsignedinteger[Any]]) -> tuple[Array, Array | None]:
    """Rounded colour, ``[H,W]`` if grey, and alpha."""
    top = np.float32(np.iinfo(kind).max)
    rgb = (picture.rgb.clip(0, 1) * top).round().astype(kind)
    alpha = None if picture.alpha is None else (picture.alpha.clip(0, 1) * top).round().astype(kind)
    return (np.ascontiguousarray(rgb[..., 0]) if picture.grey else rgb), alpha


def _encode_8(picture: Picture, suffix: str, quality: int) -> bytes:
    colour, alpha = _levels(picture, np.uint8)
    if alpha is not None:
        colour = np.dstack((colour, alpha))
    options: dict[str, Any] = {"icc_profile": picture.profile} if picture.profile else {}
    form = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}.get(suffix, "TIFF")
    if form in ("JPEG", "WEBP"):
        options |= {"quality": quality}
    if form == "JPEG":
        options |= {"subsampling": 0}
    if form == "PNG":
        options |= {"compress_level": 3}
    buffer = BytesIO()
    Image.fromarray(colour).save(buffer, form, **options)
    return buffer.getvalue()


def _encode_16(picture: Picture, suffix: str) -> bytes:
    colour, alpha = _levels(picture, np.uint16)
    if alpha is not None:
        colour = np.dstack((colour, colour, colour, alpha) if picture.grey else (colour[..., ::-1], alpha))
    elif not picture.grey:
        colour = colour[..., ::-1]
    done, data = cv2.imencode(suffix, np.ascontiguousarray(colour))
    if not done:
        raise ModelError(f"a picture of 16 bits cannot be encoded as {suffix}.")
    return data.tobytes()
