import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from degradekit.errors import SourceError
from degradekit.source import read_header
from degradekit.source.header import ImageHeader


@pytest.mark.parametrize(
    ("form", "mode", "channels", "expected"),
    [
        ("PNG", "RGB", 3, "RGB"),
        ("PNG", "RGBA", 4, "RGBA"),
        ("PNG", "L", 1, "L"),
        ("PNG", "LA", 2, "LA"),
        ("PNG", "P", 1, "P"),
        ("PNG", "1", 1, "L"),
        ("JPEG", "RGB", 3, "RGB"),
        ("JPEG", "L", 1, "L"),
        ("JPEG", "CMYK", 4, "CMYK"),
        ("WEBP", "RGB", 3, "RGB"),
        ("WEBP", "RGBA", 4, "RGBA"),
        ("TIFF", "RGB", 3, "RGB"),
        ("TIFF", "CMYK", 4, "CMYK"),
        ("TIFF", "P", 1, "P"),
        ("TIFF", "1", 1, "1"),
        ("BMP", "RGB", 3, "RGB"),
        ("BMP", "P", 1, "P"),
        ("AVIF", "RGB", 3, "RGB"),
    ],
)
def test_every_format_and_mode_whatever_the_name(save, files, photo, form, mode, channels, expected):
    picture = Image.fromarray(photo).convert(mode)
    if mode == "RGBA":
        picture.putpixel((0, 0), (1, 2, 3, 4))  # WebP drops an alpha that is opaque everywhere
    uri = save(files.pillow(picture, form), "no-suffix")
    assert read_header(uri) == ImageHeader(37, 52, channels, 8, expected, 1, 1, False, form)


@pytest.mark.parametrize(("colour", "channels", "mode"), [(0, 1, "L"), (2, 3, "RGB"), (4, 2, "LA"), (6, 4, "RGBA")])
def test_sixteen_bit_png(save, files, colour, channels, mode):
    rows = np.zeros((2, 3 * channels * 2), np.uint8)
    header = read_header(save(files.png(rows, width=3, bits=16, colour=colour)))
    assert header == ImageHeader(2, 3, channels, 16, mode, 1, 1, False, "PNG")


@pytest.mark.parametrize(
    ("channels", "photometric", "tags", "mode"),
    [(1, 1, (), "L"), (1, 0, (), "L"), (3, 2, (), "RGB"), (4, 2, ((338, [2]),), "RGBA")],
)
def test_sixteen_bit_tiff(save, files, channels, photometric, tags, mode):
    samples = np.zeros((4, 5, channels), np.uint16)
    header = read_header(save(files.tiff(samples, photometric=photometric, tags=tags)))
    assert header == ImageHeader(4, 5, channels, 16, mode, 1, 1, False, "TIFF")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_that_of_the_upright_image(save, files, photo, form, orientation):
    header = read_header(save(files.pillow(photo, form, exif=files.exif(orientation))))
    assert header.orientation == orientation
    assert (header.h, header.w) == ((37, 52) if orientation < 5 else (52, 37))


def test_png_orientation_behind_the_pixels_counts(save, files):
    exif = files.exif(6).tobytes().removeprefix(b"Exif\0\0")
    rows = np.zeros((2, 9), np.uint8)
    header = read_header(save(files.png(rows, width=3, bits=8, colour=2, after=[(b"tEXt", b"a\0b"), (b"eXIf", exif)])))
    assert (header.orientation, header.h, header.w) == (6, 3, 2)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_outside_the_standard_is_upright(save, files, photo, orientation):
    assert read_header(save(files.pillow(photo, "JPEG", exif=files.exif(orientation)))).orientation == 1


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_frames_are_counted(save, files, photo, form):
    more = [Image.fromarray(photo[::-1].copy()), Image.fromarray(photo[:, ::-1].copy())]
    assert read_header(save(files.pillow(photo, form, save_all=True, append_images=more))).frames == 3


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_profile_is_seen(save, files, photo, form):
    import imagecodecs

    profile = imagecodecs.cms_profile("adobergb")
    assert read_header(save(files.pillow(photo, form, icc_profile=profile))).has_icc
    assert not read_header(save(files.pillow(photo, form))).has_icc


def test_pixels_are_not_decoded(save, files):
    png = files.png(np.zeros((9, 27), np.uint8), width=9, bits=8, colour=2)
    start = png.index(b"IDAT") + 4
    broken = png[:start] + b"\xff" * 8 + png[start + 8 :]
    assert read_header(save(broken)).h == 9


def test_decompression_bomb_is_refused_by_the_limit(save, files):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + files.chunk(b"IHDR", header) + files.chunk(b"IDAT", bytes(50))
    with pytest.raises(SourceError, match=r"60000x60000 px, 3600 million; the limit max_pixels is 300000000"):
        read_header(save(bomb))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_limit_is_inclusive(save, files, photo, form):
    uri = save(files.pillow(photo, form))
    assert read_header(uri, max_pixels=37 * 52).w == 52
    with pytest.raises(SourceError, match="limit max_pixels is 1923"):
        read_header(uri, max_pixels=37 * 52 - 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (b"just some words\n", "is text ('just some words"),
        (b"<html>404</html>", "is an HTML or XML page"),
        (b"GIF89a" + bytes(20), "is a GIF"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read as PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(30), "cannot be read as JPEG"),
        (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(8), "cannot be read as WEBP"),
        (b"II*\0\x08\0\0\0", "cannot be read as TIFF"),
        (b"BM" + bytes(30), "cannot be read as BMP"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf", "cannot be read as AVIF"),
    ],
)
def test_what_is_no_image_is_refused_by_name(save, data, words):
    uri = save(data, "photo.jpg")
    with pytest.raises(SourceError) as caught:
        read_header(uri)
    assert str(caught.value).startswith(uri) and words in str(caught.value)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.int32, np.uint32, np.int8])
def test_tiff_of_other_numbers_is_refused(save, files, dtype):
    with pytest.raises(SourceError, match=r"signed|floating|unsigned|unknown pixel mode"):
        read_header(save(files.tiff(np.zeros((4, 5, 1), dtype), photometric=1)))


def test_tiff_of_float_colour_is_refused(save, files):
    with pytest.raises(SourceError, match="cannot be read as TIFF"):
        read_header(save(files.tiff(np.zeros((4, 5, 3), np.float32))))


@pytest.mark.parametrize("lost", [1, 4, 8, 12, 20])
def test_truncated_png_shows_without_decoding(save, files, lost):
    data = files.png(np.zeros((9, 27), np.uint8), width=9, bits=8, colour=2)
    with pytest.raises(SourceError, match=r"ends before|ends within"):
        read_header(save(data[:-lost]))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        read_header(str(tmp_path / "nothing.png"))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SourceError, match="Is a directory"):
        read_header(str(tmp_path / "folder.png"))
    with pytest.raises(SourceError, match="null"):
        read_header("a\0b.png")


def test_unreadable_file(save, files, photo, monkeypatch):
    uri = save(files.pillow(photo, "PNG"))

    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root may read everything, so the refusal is made up
    with pytest.raises(SourceError, match=r"Permission denied.*allow this user to read it"):
        read_header(uri)


def test_read_error_in_the_middle_is_ours(save, files, photo, monkeypatch):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    uri = save(files.pillow(photo, "PNG"))
    monkeypatch.setattr(Path, "open", lambda *_args, **_options: Failing())
    with pytest.raises(SourceError, match="Input/output error"):
        read_header(uri)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_headers_give_a_header_or_our_error(save, files, photo, data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"]))
    image = bytearray(files.pillow(photo, form, exif=files.exif(3)))
    for _ in range(data.draw(st.integers(1, 4))):
        image[data.draw(st.integers(0, min(len(image), 400) - 1))] = data.draw(st.integers(0, 255))
    uri = save(bytes(image))
    try:
        header = read_header(uri, max_pixels=10**6)
    except SourceError as error:
        assert str(error).startswith(uri)
    else:
        assert 1 <= header.h * header.w <= 10**6 and header.depth in (8, 16)
