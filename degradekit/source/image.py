"""Decoding a source image, strictly and completely, to upright sRGB.

One decoder per format, chosen for strictness first and speed second (one megapixel photograph, one thread):

======  =====================  ==================================================================================
PNG     imagecodecs (libpng)   every chunk's CRC is checked; 16-bit samples are exact; 24 ms (Pillow 35-43)
JPEG    Pillow (libjpeg-turbo) 7 ms; imagecodecs needs 4.5 but fills what a truncated file lacks, and says nothing
TIFF    imagecodecs (libtiff)  16-bit samples are exact in every layout; Pillow for palette, CMYK, YCbCr, 1..4 bits
others  Pillow                 WebP, BMP, and AVIF (10 and 12 bits are rounded to 8 there)
======  =====================  ==================================================================================

PNG is the only one of these formats that carries checksums: bytes that were altered in the middle of another file
may decode to an image that differs, whatever the decoder.
"""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
from PIL import JpegImagePlugin, TiffImagePlugin, features
from PIL.ImageFile import ImageFile

from degradekit.errors import SourceError
from degradekit.source.colour import composite, to_srgb, unpremultiply
from degradekit.source.extract import Extract
from degradekit.source.files import open_source
from degradekit.source.header import ImageHeader, inspect, unreadable
from degradekit.types import Array

__all__ = ["decode", "decoders", "orient", "read_image"]

_PHOTOMETRIC, _PLANAR, _EXTRA_SAMPLES = 262, 284, 338
_LOADED = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}
"""Pillow mode -> the mode that it is expanded to without loss; modes that are not named stay."""


def read_image(uri: str, extract: Extract | None = None) -> Array:
    """Open and decode one image to upright, opaque sRGB; see :func:`decode`.

    Args:
        uri: See :func:`degradekit.source.open_source`.
        extract: Its ``alpha``, ``icc`` and ``max_pixels`` apply; default those of an empty request.

    Raises:
        SourceError: The file cannot be opened or decoded.

    Example:
        >>> from degradekit.source import list_images
        >>> image = read_image(list_images("sample").images[0].uri)
        >>> image.shape, image.dtype
        ((512, 512, 3), dtype('uint8'))
    """
    with open_source(uri) as file, unreadable(uri, "an image"):
        data = file.read()
    return decode(data, uri, extract)


def decode(data: bytes, uri: str, extract: Extract | None = None) -> Array:
    """Decode the bytes of one image file to upright, opaque sRGB.

    Args:
        data: The whole file.
        uri: What to call it in errors.
        extract: Its ``alpha``, ``icc`` and ``max_pixels`` apply; default those of an empty request.

    Returns:
        ``[H, W, 3]``, uint16 where the file has 16 bits a channel, else uint8; grey is repeated three times.

    Raises:
        SourceError: The file is truncated, damaged, animated, too large, of another kind, or its transparency or
            profile is refused.
    """
    extract = extract or Extract()
    picture, header = inspect(io.BytesIO(data), uri, max_pixels=extract.max_pixels)
    if header.frames != 1:
        raise SourceError(
            f"{uri} has {header.frames} frames or pages; a source image has one: "
            "save the one that is wanted as its own file"
        )
    profile = picture.info.get("icc_profile") if extract.icc == "convert" else None
    with unreadable(uri, header.format):
        samples, upright = _decode(picture, header, data)
    orientation = 1 if upright else header.orientation
    stored = (header.w, header.h) if orientation >= 5 else (header.h, header.w)
    if samples.shape[:2] != stored:
        raise SourceError(f"{uri} decodes to {samples.shape[:2]} px where its header says {stored}; replace the file")
    opaque = {1: 1, 2: 1, 3: 3, 4: 4 if header.mode == "CMYK" else 3}[samples.shape[2]]
    rgb = to_srgb(samples[..., :opaque], profile, uri=uri)
    if samples.shape[2] > opaque:
        rgb = composite(rgb, samples[..., opaque], extract.alpha, uri=uri)
    return np.ascontiguousarray(orient(rgb, orientation))


def orient(image: Array, orientation: int) -> Array:
    """Turn stored rows and columns upright.

    Args:
        image: ``[H, W, ...]``.
        orientation: EXIF tag 0x0112, 1..8: where the stored first row and first column belong.

    Returns:
        A view; height and width are exchanged for 5..8.

    Source: EXIF 2.32 (CIPA DC-008), tag Orientation.

    Example:
        >>> orient(np.array([[1, 2, 3]]), 6).tolist()
        [[1], [2], [3]]
    """
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


def decoders() -> dict[str, str]:
    """Which library decodes which format here, with versions; JPEG decoders may differ from each other by a level.

    Example:
        >>> decoders()["PNG"].startswith("imagecodecs")
        True
    """
    pillow, codecs = f"Pillow {features.version('pil')}", f"imagecodecs {imagecodecs.__version__}"
    return {
        "PNG": f"{codecs} ({imagecodecs.png_version()})",
        "JPEG": f"{pillow} (libjpeg-turbo {features.version('libjpeg_turbo')})",
        "TIFF": f"{codecs} ({imagecodecs.tiff_version()}); {pillow} (libtiff {features.version('libtiff')})",
        "WEBP": f"{pillow} (libwebp {features.version('webp')})",
        "AVIF": f"{pillow} (libavif {features.version('avif')})",
        "BMP": pillow,
    }


def _decode(picture: ImageFile, header: ImageHeader, data: bytes) -> tuple[Array, bool]:
    """Samples ``[H, W, C]``, and whether they are upright already."""
    if header.format == "PNG":
        return _three_axes(imagecodecs.png_decode(data)), False
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        if header.depth == 16 or (picture.tag_v2.get(_PHOTOMETRIC) in (0, 1, 2) and header.mode not in ("1", "P")):
            return _decode_tiff(picture, header, data), False
        return _load(picture), True  # Pillow turns a TIFF when it loads it
    samples = _load(picture)
    if header.format == "JPEG" and _ends_early(samples, data):
        raise ValueError("its data end before the image does")
    return samples, False


def _three_axes(samples: Array) -> Array:
    return samples if samples.ndim == 3 else samples[..., None]


def _load(picture: ImageFile) -> Array:
    mode = _LOADED.get(picture.mode, picture.mode)
    if picture.mode == "P" and "transparency" in picture.info:
        mode = "RGBA"
    picture.load()
    return _three_axes(np.asarray(picture if mode == picture.mode else picture.convert(mode)))


def _decode_tiff(picture: TiffImagePlugin.TiffImageFile, header: ImageHeader, data: bytes) -> Array:
    tags = picture.tag_v2
    samples: Array = imagecodecs.tiff_decode(data)
    if samples.ndim == 3 and tags.get(_PLANAR, 1) == 2:
        samples = np.moveaxis(samples, 0, -1)
    samples = _three_axes(samples)
    if tags.get(_PHOTOMETRIC) == 0:  # 0 is white
        samples = np.iinfo(samples.dtype).max - samples
    colours = 1 if header.mode[0] == "L" else 3
    extra = tags.get(_EXTRA_SAMPLES, (2,))[0] if samples.shape[2] > colours else 0
    if extra == 0:  # channels without a meaning
        return samples[..., :colours]
    colour, alpha = samples[..., :colours], samples[..., colours]
    if extra == 1:
        colour = unpremultiply(colour, alpha)
    return np.concatenate([colour, alpha[..., None]], axis=2)


def _ends_early(samples: Array, data: bytes) -> bool:
    """Whether a JPEG lacks its end marker, or has it before its last block, whose luma libjpeg then fills with grey.

    A last pixel of that luma may be real. Then bytes that are put before the end marker change nothing, because all
    blocks are there; where blocks are missing, the bytes are decoded in their place. (Not found: a progressive file
    that ends in a later scan, which lacks detail rather than blocks, and a loss within the very last block.)
    """
    end = data.find(b"\xff\xd9", _first_scan(data))
    if end < 0:
        return True
    red, green, blue = samples[-1, -1, :3].tolist() if samples.shape[2] >= 3 else samples[-1, -1].tolist() * 3
    if not 126 < 0.299 * red + 0.587 * green + 0.114 * blue < 130:
        return False
    longer = JpegImagePlugin.JpegImageFile(io.BytesIO(data[:end] + b"\x5a\xa5\x3c\x96" * 64 + data[end:]), "")
    return not np.array_equal(_three_axes(np.asarray(longer)), samples)


def _first_scan(data: bytes) -> int:
    position = 2
    while data[position + 1] != 0xDA:
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position
