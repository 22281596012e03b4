import io

import cv2
import numpy as np
import pytest
from PIL import Image

from degradekit_models.errors import ModelError
from degradekit_models.restore.pictures import Picture, read_picture, suffix_for, write_picture


def levels(rng, shape, bits):
    return (rng.integers(0, 2**bits, shape) / (2**bits - 1)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["colour", "grey", "alpha"])
def test_what_is_written_is_read_again(tmp_path, suffix, bits, kind):
    rng = np.random.default_rng(0)
    rgb = levels(rng, (5, 7, 3), bits)
    if kind == "grey":
        rgb = np.repeat(rgb[..., :1], 3, axis=2)
    alpha = levels(rng, (5, 7), bits) if kind == "alpha" else None
    picture = Picture(rgb, alpha, bits=bits, grey=kind == "grey")
    path = tmp_path / f"picture{suffix}"
    write_picture(path, picture)
    again = read_picture(path)
    assert (again.bits, again.grey) == (bits, kind == "grey")
    np.testing.assert_allclose(again.rgb, rgb, atol=1e-6)
    if alpha is None:
        assert again.alpha is None
    else:
        np.testing.assert_allclose(again.alpha, alpha, atol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_read_upright(tmp_path, orientation):
    stored = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(stored).save(path, exif=exif)
    with Image.open(path) as image:
        from PIL import ImageOps

        upright = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal((read_picture(path).rgb * 255).round(), upright)


def test_the_colour_profile_is_kept(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("a.png", "a.jpg", "a.webp", "a.tif"):
        write_picture(tmp_path / name, Picture(np.full((4, 4, 3), 0.5, np.float32), profile=profile))
        assert read_picture(tmp_path / name).profile == profile


def test_what_a_format_cannot_hold_is_said(tmp_path):
    rgb = np.zeros((2, 2, 3), np.float32)
    with pytest.raises(ModelError, match="holds no alpha"):
        write_picture(tmp_path / "a.jpg", Picture(rgb, rgb[..., 0]))
    with pytest.raises(ModelError, match=r"\.gif is not written"):
        write_picture(tmp_path / "a.gif", Picture(rgb))
    with pytest.raises(ModelError, match="No such file"):
        write_picture(tmp_path / "missing" / "a.png", Picture(rgb))
    write_picture(tmp_path / "deep.jpg", Picture(rgb, bits=16))
    assert read_picture(tmp_path / "deep.jpg").bits == 8


def test_the_suffix_of_the_source_is_kept_where_it_can_be(tmp_path):
    rgb = np.zeros((2, 2, 3), np.float32)
    assert suffix_for(tmp_path / "a.JPG", Picture(rgb)) == ".jpg"
    assert suffix_for(tmp_path / "a.jpg", Picture(rgb, rgb[..., 0])) == ".png"
    assert suffix_for(tmp_path / "a.bmp", Picture(rgb)) == ".png"


def test_files_that_are_no_pictures_are_named(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "PNG")
    for name, data in {"empty.png": b"", "text.png": b"hello", "cut.png": buffer.getvalue()[:20]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModelError, match=rf"{name}: is no picture"):
            read_picture(tmp_path / name)
    with pytest.raises(ModelError, match="No such file"):
        read_picture(tmp_path / "missing.png")
    cv2.imwrite(str(tmp_path / "float.tif"), np.zeros((2, 2), np.float32))
    with pytest.raises(ModelError, match="float32 samples"):
        read_picture(tmp_path / "float.tif")
