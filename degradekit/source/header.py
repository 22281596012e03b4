"""What an image file says about itself: size, depth, orientation, frames, without decoding a pixel.

Pillow's readers are used directly rather than through ``Image.open``, whose limit of pixels is a global of the process
and speaks by warnings; the limit here is an argument.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeAlias

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

from degradekit.errors import SourceError
from degradekit.source.extract import MAX_PIXELS
from degradekit.source.files import open_source
from degradekit.source.signatures import Format, describe, format_of

__all__ = ["ImageHeader", "inspect", "read_header", "unreadable"]

_READERS: dict[Format, type[ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,  # the first image of a multi-picture file: its others are previews, depth
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}
_ORIENTATION = 0x0112
_BITS, _PHOTOMETRIC, _SAMPLES, _SAMPLE_FORMAT = 258, 262, 277, 339

Depth: TypeAlias = Literal[8, 16]


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an image file says about itself.

    Args:
        h: Height in px after the orientation is applied.
        w: Width in px after the orientation is applied.
        channels: Stored channels: 1 grey or palette, 2 with alpha, 3 colour, 4 colour with alpha, or CMYK.
        depth: 16 where a channel has 16 bits, else 8 (fewer bits are expanded).
        mode: Pillow's name of the stored colours: ``1``, ``L``, ``LA``, ``P``, ``RGB``, ``RGBA``, ``CMYK``, ...
        orientation: EXIF orientation, 1..8; 1 is upright.
        frames: Frames or pages; more than 1 is no single image.
        has_icc: Whether a colour profile is embedded.
        format: ``PNG``, ``JPEG``, ``WEBP``, ``TIFF``, ``BMP`` or ``AVIF``, by content and not by name.
    """

    h: int
    w: int
    channels: int
    depth: Depth
    mode: str
    orientation: int
    frames: int
    has_icc: bool
    format: Format


def read_header(uri: str, *, max_pixels: int = MAX_PIXELS) -> ImageHeader:
    """Read an image's header.

    Args:
        uri: See :func:`degradekit.source.open_source`; an object of a store is fetched whole.
        max_pixels: Largest height times width that is accepted.

    Raises:
        SourceError: The file cannot be opened, is no image of a known format, is truncated where that shows without
            decoding, holds other than 1..8- or 16-bit integers, or exceeds ``max_pixels``.

    Example:
        >>> from degradekit.source import list_images
        >>> read_header(list_images("sample").images[0].uri)
        ImageHeader(h=512, w=512, channels=3, depth=8, mode='RGB', orientation=1, frames=1, has_icc=True, format='PNG')
    """
    with open_source(uri) as file:
        return inspect(file, uri, max_pixels=max_pixels)[1]


def inspect(file: BinaryIO, uri: str, *, max_pixels: int) -> tuple[ImageFile, ImageHeader]:
    """Open a file with its reader; the pixels are still to be loaded.

    Args:
        file: At its start.
        uri: What to call it in errors.
        max_pixels: Largest height times width that is accepted.
    """
    with unreadable(uri, "an image"):
        head = file.read(512)
        file.seek(0)
    kind = format_of(head)
    if kind is None:
        raise SourceError(f"{uri} is {describe(head)}; degradekit reads {', '.join(_READERS)}")
    with unreadable(uri, kind):
        picture = _READERS[kind](file, "")
        stored_h, stored_w = _stored_size(picture)
        _limit(uri, stored_h, stored_w, max_pixels)
        channels, depth, mode = _samples(picture, file, uri)
        orientation = _orientation(picture, file)
        h, w = (stored_w, stored_h) if orientation >= 5 else (stored_h, stored_w)
        frames = int(getattr(picture, "n_frames", 1))
        has_icc = bool(picture.info.get("icc_profile"))
    return picture, ImageHeader(h, w, channels, depth, mode, orientation, frames, has_icc, kind)


@contextmanager
def unreadable(uri: str, kind: str) -> Iterator[None]:
    """Turn whatever a decoder raises on bad bytes into one sentence.

    Raises:
        SourceError: Names the file and what the decoder said.
    """
    try:
        yield
    except (  # what Pillow and imagecodecs were seen to raise on damaged files; Warning is for ``python -W error``
        ArithmeticError,
        AttributeError,
        EOFError,
        Image.DecompressionBombError,
        LookupError,
        OSError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
        Warning,
        struct.error,
        zlib.error,
    ) as error:
        said = str(error).strip() or type(error).__name__
        raise SourceError(f"{uri} cannot be read as {kind} ({said}); replace or remove the file") from error


def _stored_size(picture: ImageFile) -> tuple[int, int]:
    if isinstance(picture, TiffImagePlugin.TiffImageFile):  # its size is already turned
        return int(picture.tag_v2[257]), int(picture.tag_v2[256])
    return picture.height, picture.width


def _limit(uri: str, h: int, w: int, max_pixels: int) -> None:
    if h < 1 or w < 1:
        raise SourceError(f"{uri} says it is {h}x{w} px; replace or remove the file")
    if h * w > max_pixels:
        raise SourceError(
            f"{uri} says it is {h}x{w} px, {h * w / 1e6:.0f} million; the limit max_pixels is {max_pixels}: "
            "raise extract.max_pixels in the recipe if the file is to be trusted, or remove the file"
        )


def _samples(picture: ImageFile, file: BinaryIO, uri: str) -> tuple[int, Depth, str]:
    if isinstance(picture, PngImagePlugin.PngImageFile):
        file.seek(24)
        bits, colour = file.read(2)
        mode = _PNG_MODES[colour]
        return (1 if mode == "P" else len(mode)), (16 if bits == 16 else 8), mode
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        return _tiff_samples(picture, uri)
    return len(picture.getbands()), 8, picture.mode


def _tiff_samples(picture: TiffImagePlugin.TiffImageFile, uri: str) -> tuple[int, Depth, str]:
    tags = picture.tag_v2
    bits, formats = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (1,))
    channels = int(tags.get(_SAMPLES, len(bits)))
    depth = 16 if set(bits) == {16} else 8
    ink_16 = depth == 16 and picture.mode == "CMYK"
    if set(formats) - {1, 4} or not (depth == 16 or set(bits) <= {1, 2, 4, 8}) or picture.mode == "LAB" or ink_16:
        kinds = {1: "unsigned", 2: "signed", 3: "floating-point", 4: "untyped"}
        kind = "/".join(sorted(kinds.get(item, "complex") for item in set(formats)))
        raise SourceError(
            f"{uri} is a TIFF of {'/'.join(map(str, sorted(set(bits))))}-bit {kind} samples (Pillow mode "
            f"{picture.mode}); convert it to 8- or 16-bit grey or RGB"
        )
    if depth == 16:  # Pillow names the 8-bit mode that it would reduce them to
        colours = "RGB" if tags.get(_PHOTOMETRIC) == 2 else "L"
        return channels, 16, colours + ("A" if channels > len(colours) else "")
    return channels, 8, picture.mode


def _orientation(picture: ImageFile, file: BinaryIO) -> int:
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        found = picture.tag_v2.get(_ORIENTATION, 1)
    else:
        if isinstance(picture, PngImagePlugin.PngImageFile):
            late = _exif_after_pixels(file, first=picture.tile[0].offset - 8)
            if late and "exif" not in picture.info:
                picture.info["exif"] = b"Exif\0\0" + late
        # Not ``picture.getexif()``: for a PNG without EXIF that decodes the pixels.
        found = Image.Image.getexif(picture).get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def _exif_after_pixels(file: BinaryIO, *, first: int) -> bytes:
    """Walk the chunks of a PNG from its first IDAT to IEND; ImageMagick, for one, writes EXIF behind the pixels."""
    exif = b""
    file.seek(first)
    while (chunk := file.read(8))[4:] != b"IEND":
        if len(chunk) < 8:
            raise EOFError("it ends before its last chunk")
        length = int.from_bytes(chunk[:4], "big")
        if chunk[4:] == b"eXIf":
            exif = file.read(length)
            length = 0
        file.seek(length + 4, 1)
    if len(file.read(4)) < 4:
        raise EOFError("it ends within its last chunk")
    return exif
