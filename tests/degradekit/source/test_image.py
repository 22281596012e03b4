import io

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from degradekit.errors import SourceError
from degradekit.source import Extract, decode, decoders, orient, read_header, read_image


def upright(stored, orientation):
    """What EXIF 2.32 says, in numpy's words."""
    return {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
        8: np.rot90,
    }[orientation](stored)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("BMP", {}),
    ],
)
def test_lossless_formats_are_exact(save, files, photo, form, options):
    image = read_image(save(files.pillow(photo, form, **options)))
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    assert np.array_equal(image, photo)


@pytest.mark.parametrize(("form", "largest"), [("JPEG", 24), ("AVIF", 24), ("WEBP", 40)])
def test_lossy_formats_are_what_their_decoder_says(save, files, photo, form, largest):
    data = files.pillow(photo, form, quality=90)
    image = read_image(save(data))
    assert np.array_equal(image, np.asarray(Image.open(io.BytesIO(data))))
    assert 0 < np.abs(image.astype(int) - photo).max() <= largest


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_orientation_is_applied(save, files, photo, form, options, orientation):
    uri = save(files.pillow(photo, form, exif=files.exif(orientation), **options))
    image = read_image(uri)
    assert np.array_equal(image, upright(photo, orientation))
    header = read_header(uri)
    assert image.shape[:2] == (header.h, header.w)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_lossy_formats_palette_tiff_and_16_bits(save, files, photo, orientation):
    for form in ("JPEG", "AVIF"):
        plain = read_image(save(files.pillow(photo, form)))
        turned = read_image(save(files.pillow(photo, form, exif=files.exif(orientation))))
        assert np.array_equal(turned, upright(plain, orientation))
    palette = Image.fromarray(photo).quantize(16)
    turned = read_image(save(files.pillow(palette, "TIFF", exif=files.exif(orientation))))
    assert np.array_equal(turned, upright(np.asarray(palette.convert("RGB")), orientation))
    fine = photo.astype(np.uint16) * 200
    assert np.array_equal(read_image(save(files.tiff(fine, tags=[(274, [orientation])]))), upright(fine, orientation))
    assert np.array_equal(orient(photo, orientation), upright(photo, orientation))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_samples_are_exact(save, files, bits, colour, channels):
    dtype = np.uint8 if bits == 8 else np.uint16
    samples = np.random.default_rng(0).integers(0, 2**bits, (6, 7, channels)).astype(dtype)
    rows = samples.astype(samples.dtype.newbyteorder(">")).reshape(6, -1).view(np.uint8)
    image = read_image(save(files.png(rows, width=7, bits=bits, colour=colour)), Extract(alpha="drop"))
    opaque = samples[..., : channels - (channels + 1) % 2]
    assert image.dtype == dtype
    assert np.array_equal(image, np.broadcast_to(opaque, (6, 7, 3)))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_png_of_few_bits_is_spread_over_eight(save, files, bits):
    codes = np.arange(2**bits, dtype=np.uint8).repeat(8 // bits)[None]
    packed = np.packbits(np.unpackbits(codes[..., None], axis=-1)[..., -bits:]).reshape(1, -1)
    grey = read_image(save(files.png(packed, width=codes.size, bits=bits, colour=0)))
    assert np.array_equal(grey[0, :, 0], codes[0] * (255 // (2**bits - 1)))
    table = np.random.default_rng(bits).integers(0, 256, (2**bits, 3), dtype=np.uint8)
    data = files.png(packed, width=codes.size, bits=bits, colour=3, before=[(b"PLTE", table.tobytes())])
    assert np.array_equal(read_image(save(data)), table[codes])


def test_transparent_palette_entry_is_composited(save, files):
    before = [(b"PLTE", bytes([10, 20, 30, 200, 100, 0])), (b"tRNS", bytes([0, 51]))]
    uri = save(files.png(np.array([[0, 1]], np.uint8), width=2, bits=8, colour=3, before=before))
    assert read_image(uri).tolist() == [[[255, 255, 255], [244, 224, 204]]]
    assert read_image(uri, Extract(alpha="black")).tolist() == [[[0, 0, 0], [40, 20, 0]]]
    assert read_image(uri, Extract(alpha="drop")).tolist() == [[[10, 20, 30], [200, 100, 0]]]
    with pytest.raises(SourceError, match=r"100.0% of the pixels are transparent"):
        read_image(uri, Extract(alpha="refuse"))


def test_transparent_colour_of_16_bits_is_composited(save, files):
    colours = np.array([[[1, 2, 3], [1, 2, 4]]], ">u2")
    rows = colours.reshape(1, -1).view(np.uint8)
    data = files.png(rows, width=2, bits=16, colour=2, before=[(b"tRNS", colours[0, 0].tobytes())])
    assert read_image(save(data)).tolist() == [[[65535, 65535, 65535], [1, 2, 4]]]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_samples_are_exact(save, files, order, planar, deflate, dtype, channels):
    samples = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (7, 6, channels)).astype(dtype)
    tags = [(338, [2])] if channels == 4 else []
    photometric = 1 if channels == 1 else 2
    data = files.tiff(samples, order=order, photometric=photometric, planar=planar, deflate=deflate, tags=tags)
    image = read_image(save(data), Extract(alpha="drop"))
    assert image.dtype == dtype
    assert np.array_equal(image, np.broadcast_to(samples[..., : min(channels, 3)], (7, 6, 3)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_where_zero_is_white_and_extra_channels(save, files, dtype):
    full = np.iinfo(dtype).max
    ramp = np.arange(12, dtype=dtype).reshape(3, 4, 1)
    white = read_image(save(files.tiff(ramp, photometric=0)))
    assert np.array_equal(white, full - np.repeat(ramp, 3, axis=2))
    samples = np.random.default_rng(0).integers(0, full + 1, (3, 4, 4)).astype(dtype)
    meaningless = read_image(save(files.tiff(samples, tags=[(338, [0])])), Extract(alpha="refuse"))
    assert np.array_equal(meaningless, samples[..., :3])
    half = np.full((3, 4, 4), full // 2, dtype)
    premultiplied = files.tiff(half, tags=[(338, [1])])
    assert (read_image(save(premultiplied), Extract(alpha="black")) == full // 2).all()
    assert (read_image(save(premultiplied), Extract(alpha="drop")) == full).all()


def test_cmyk_palette_and_bilevel(save, files, photo):
    picture = Image.fromarray(photo)
    ink = np.asarray(picture.convert("CMYK")).astype(int)
    light = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
    assert np.abs(read_image(save(files.pillow(picture.convert("CMYK"), "TIFF"))) - light).max() <= 0.5
    jpeg = read_image(save(files.pillow(picture.convert("CMYK"), "JPEG", quality=100)))
    assert np.abs(jpeg - light).mean() < 3
    with pytest.raises(SourceError, match=r"16-bit unsigned samples .Pillow mode CMYK"):
        read_image(save(files.tiff(ink.astype(np.uint16) * 257, photometric=5)))
    for form in ("PNG", "TIFF", "BMP"):
        for mode in ("P", "1"):
            small = picture.convert(mode)
            assert np.array_equal(read_image(save(files.pillow(small, form))), np.asarray(small.convert("RGB")))


def test_profile_is_converted_or_ignored(save, files, photo):
    profile = imagecodecs.cms_profile("adobergb")
    for form, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        uri = save(files.pillow(photo, form, icc_profile=profile, **options))
        assert np.array_equal(read_image(uri, Extract(icc="ignore")), photo)
        converted = read_image(uri)
        assert np.abs(converted.astype(int) - photo).max() > 10
        from_pillow = _pillow_conversion(photo, profile)
        assert np.abs(converted.astype(int) - from_pillow).max() <= 1


def _pillow_conversion(image, profile):
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return np.asarray(
        ImageCms.profileToProfile(Image.fromarray(image), source, target, renderingIntent=intent, flags=flags)
    ).astype(int)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 80}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
        ("BMP", {}),
        ("AVIF", {}),
    ],
)
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, -2])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_truncated_files_are_refused(save, files, photo, form, options, kept):
    data = files.pillow(photo, form, **options)
    cut = data[:kept] if kept < 0 else data[: int(len(data) * kept)]
    with pytest.raises(SourceError, match="cannot be read as"):
        read_image(save(cut))


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("kept", [0.5, 0.9, -2])
def test_truncated_16_bit_tiff_is_refused(save, files, deflate, kept):
    samples = np.random.default_rng(0).integers(0, 65536, (30, 40, 3)).astype(np.uint16)
    data = files.tiff(samples, deflate=deflate)
    with pytest.raises(SourceError, match="cannot be read as TIFF"):
        read_image(save(data[:kept] if kept < 0 else data[: int(len(data) * kept)]))


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kept", [0.4, 0.7, 0.9])
def test_jpeg_that_ends_early_but_properly_is_refused(save, files, photo, options, mode, kept):
    data = files.pillow(Image.fromarray(photo).convert(mode), "JPEG", quality=95, **options)
    start = data.index(b"\xff\xda") + 14
    shortened = data[: start + int((len(data) - 2 - start) * kept)].rstrip(b"\xff") + b"\xff\xd9"
    assert np.asarray(Image.open(io.BytesIO(shortened))).shape[:2] == photo.shape[:2]  # Pillow fills it with grey
    with pytest.raises(SourceError, match="data end before the image does"):
        read_image(save(shortened))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_jpeg_with_a_grey_corner_is_read(save, files, photo, options):
    photo[16:, 32:] = 128
    data = files.pillow(photo, "JPEG", quality=95, **options)
    assert np.array_equal(read_image(save(data)), np.asarray(Image.open(io.BytesIO(data))))
    grey = np.full((64, 64, 3), 128, np.uint8)
    assert np.array_equal(read_image(save(files.pillow(grey, "JPEG", **options))), grey)


def test_jpeg_whose_rest_is_zeros_is_refused(save, files):
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    data = files.pillow(noise, "JPEG", quality=95, subsampling=0)
    with pytest.raises(SourceError, match="cannot be read as JPEG"):
        read_image(save(data[: len(data) // 2] + bytes(len(data) - len(data) // 2)))


def test_damaged_png_is_refused(save, files, photo):
    data = bytearray(files.pillow(photo, "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(SourceError, match="cannot be read as PNG"):
        read_image(save(bytes(data)))


@pytest.mark.parametrize(("form", "words"), [("PNG", "3 frames"), ("WEBP", "3 frames"), ("AVIF", "3 frames")])
def test_animations_and_pages_are_refused(save, files, photo, form, words):
    more = [Image.fromarray(photo[::-1].copy()), Image.fromarray(photo[:, ::-1].copy())]
    uri = save(files.pillow(photo, form, save_all=True, append_images=more))
    with pytest.raises(SourceError, match=f"{words} or pages; a source image has one"):
        read_image(uri)


def test_pages_and_gif_are_refused(save, files, photo):
    pages = save(files.pillow(photo, "TIFF", save_all=True, append_images=[Image.fromarray(photo)]))
    with pytest.raises(SourceError, match="2 frames or pages"):
        read_image(pages)
    with pytest.raises(SourceError, match="is a GIF"):
        read_image(save(files.pillow(photo, "GIF"), "moving.png"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_one_pixel(save, files, form):
    image = read_image(save(files.pillow(np.full((1, 1, 3), 200, np.uint8), form)))
    assert image.shape == (1, 1, 3) and np.abs(image.astype(int) - 200).max() <= 2


def test_multi_picture_jpeg_gives_its_first_image(save, files, photo):
    data = files.pillow(photo, "MPO", save_all=True, append_images=[Image.fromarray(photo[::-1].copy())])
    uri = save(data, "phone.jpg")
    header = read_header(uri)
    assert (header.format, header.frames) == ("JPEG", 1)
    assert np.array_equal(read_image(uri), np.asarray(Image.open(io.BytesIO(data))))


def test_limit_of_pixels_is_before_decoding(save, files, photo):
    with pytest.raises(SourceError, match="limit max_pixels is 100"):
        read_image(save(files.pillow(photo, "PNG")), Extract(max_pixels=100))


def test_decode_takes_the_bytes_and_names_the_file(files, photo):
    data = files.pillow(photo, "PNG")
    assert np.array_equal(decode(data, "a.png"), photo)
    with pytest.raises(SourceError, match=r"^a\.png cannot be read as PNG"):
        decode(data[:-3], "a.png")


def test_every_format_names_its_decoder():
    named = decoders()
    assert set(named) == {"PNG", "JPEG", "TIFF", "WEBP", "AVIF", "BMP"}
    assert all(any(letter.isdigit() for letter in text) and "None" not in text for text in named.values())
