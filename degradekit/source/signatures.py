"""Telling formats apart by their first bytes, and naming what is no image in words a user understands."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Format", "describe", "format_of"]

Format: TypeAlias = Literal["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"]

_FORMATS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
_OTHERS = (
    (b"GIF8", "a GIF (256 colours, often animated)"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 image"),
    (b"8BPS", "a Photoshop document"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file (run git lfs pull)"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
)
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


def format_of(head: bytes) -> Format | None:
    """Format of a file by its first bytes (16 or more), or None.

    Example:
        >>> format_of(b"BM" + bytes(14))
        'BMP'
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        # The major brand may be the general mif1; then the compatible brands tell AVIF from HEIC.
        box = head[8 : int.from_bytes(head[:4], "big")]
        return "AVIF" if any(box[i : i + 4] in _AVIF_BRANDS for i in range(0, len(box), 4)) else None
    return next((name for magic, name in _FORMATS if head.startswith(magic)), None)


def describe(head: bytes) -> str:
    """What a file that is no image of a known format seems to be.

    Args:
        head: Its first bytes, some hundreds.

    Example:
        >>> describe(b""), describe(b"GIF89a"), describe(b"hello")
        ('empty (0 bytes)', 'a GIF (256 colours, often animated)', "text ('hello')")
    """
    if not head:
        return "empty (0 bytes)"
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        return "a HEIC image" if head[8:12] in _HEIF_BRANDS else "an MP4 or QuickTime video"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:1] == b"<":
        return "an HTML or XML page (an error page that was saved under the image's name?)"
    try:
        shown = head[:-3].decode() if len(head) > 64 else head.decode()  # a letter may be cut in the middle
    except UnicodeDecodeError:
        shown = ""
    if shown and all(letter.isprintable() or letter in "\t\r\n" for letter in shown):
        return f"text ({shown[:24]!r})"
    return f"of an unknown format (it starts with {head[:8].hex(' ')})"
