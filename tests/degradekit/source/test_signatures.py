import pytest

from degradekit.source.signatures import describe, format_of


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(8), "PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(12), "JPEG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WEBP"),
        (b"II*\0" + bytes(12), "TIFF"),
        (b"MM\0+" + bytes(12), "TIFF"),
        (b"BM" + bytes(14), "BMP"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", None),
        (b"RIFF\x10\0\0\0AVI LIST", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_formats_are_told_by_content(head, name):
    assert format_of(head) == name


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "empty (0 bytes)"),
        (b"GIF89a\1\0\1\0", "a GIF"),
        (b"\xff\x0a\x00", "a JPEG XL"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isom", "video"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("Grüße, kein Bild.\n".encode(), "text ('Grüße, kein Bild.\\n')"),
        (("ä" * 200).encode()[:255], "text ('ää"),
        (b"\x00\x01\x02\x03", "unknown format (it starts with 00 01 02 03)"),
        (b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7", "it starts with ff fe fd fc fb fa f9 f8"),
    ],
)
def test_what_is_no_image_is_named(head, words):
    assert words in describe(head)
