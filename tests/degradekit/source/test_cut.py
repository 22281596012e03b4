import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.source import cut, cut_all, flatness, is_flat, rescale, scaled_size
from degradekit.types import Window


@pytest.fixture(params=[np.uint8, np.uint16])
def image(request):
    full = np.iinfo(request.param).max
    return np.random.default_rng(0).integers(0, full + 1, (23, 31, 3)).astype(request.param)


def test_a_window_inside_is_the_slice(image):
    patch = cut(image, Window(3, 5, 8, 12))
    assert np.array_equal(patch, image[3:11, 5:17])
    assert patch.flags.c_contiguous and patch.dtype == image.dtype


@given(h=st.integers(2, 9), w=st.integers(2, 9), down=st.integers(0, 30), right=st.integers(0, 30))
def test_padding_is_numpys_reflection_at_bottom_and_right(h, w, down, right):
    image = np.arange(h * w * 3, dtype=np.uint16).reshape(h, w, 3)
    patch = cut(image, Window(0, 0, h + down, w + right))
    assert np.array_equal(patch, np.pad(image, ((0, down), (0, right), (0, 0)), mode="reflect"))


def test_one_pixel_is_continued():
    patch = cut(np.array([[[7, 8, 9]]], np.uint8), Window(0, 0, 4, 4))
    assert (patch == [7, 8, 9]).all() and patch.shape == (4, 4, 3)


def test_padding_one_axis_leaves_the_window_of_the_other(image):
    patch = cut(image, Window(0, 6, 28, 8))
    assert np.array_equal(patch[:23], image[:, 6:14])
    assert np.array_equal(patch[23:], image[17:22, 6:14][::-1])


def test_reduction_keeps_constants_and_means(image):
    assert rescale(image, 1.0) is image
    constant = np.full_like(image, 3 * np.iinfo(image.dtype).max // 4)
    assert (rescale(constant, 0.4) == constant[0, 0, 0]).all()
    reduced = rescale(image, 0.5)
    assert reduced.shape == (*scaled_size((23, 31), 0.5), 3) and reduced.dtype == image.dtype
    levels = 1 if image.dtype == np.uint8 else 257
    assert np.abs(reduced.mean((0, 1)) - image.mean((0, 1))).max() < 3 * levels


def test_reduction_of_16_bits_agrees_with_8():
    # Between its two passes Pillow rounds and clips 8-bit values, so the test image leaves room for overshoot.
    eight = np.random.default_rng(1).integers(70, 180, (40, 60, 3), dtype=np.uint8)
    sixteen = rescale(eight.astype(np.uint16) * 257, 0.75)
    assert np.abs(sixteen / 257 - rescale(eight, 0.75)).max() <= 1.5  # two roundings against one


def test_reduction_is_lanczos_with_its_support_widened():
    """Halving an impulse gives the three-lobed kernel, sampled at half-pixel offsets in units of two pixels."""
    line = np.zeros((1, 64, 3), np.uint16)
    line[0, 32] = 60000
    reduced = rescale(np.repeat(line, 64, axis=0), 0.5)[16, :, 0]
    offset = (np.arange(32) * 2 + 1 - 32.5) / 2
    kernel = np.where(np.abs(offset) < 3, np.sinc(offset) * np.sinc(offset / 3), 0)
    expected = np.clip(60000 * kernel / 2, 0, None)
    assert np.abs(reduced - expected).max() < 60000 * 0.01


def test_windows_of_a_scaled_version_are_cut_from_the_reduced_image(image):
    windows = [Window(1, 2, 4, 8, 0.5), Window(3, 4, 4, 8, 0.5), Window(0, 0, 4, 4), Window(0, 0, 4, 4, 0.75)]
    patches = list(cut_all(image, windows))
    assert np.array_equal(patches[0], rescale(image, 0.5)[1:5, 2:10])
    assert np.array_equal(patches[1], rescale(image, 0.5)[3:7, 4:12])
    assert np.array_equal(patches[2], image[:4, :4])
    assert np.array_equal(patches[3], rescale(image, 0.75)[:4, :4])
    for window, patch in zip(windows, patches, strict=True):
        assert np.array_equal(cut(image, window), patch)


def test_the_image_is_left_alone(image):
    before = image.copy()
    list(cut_all(image, [Window(0, 0, 30, 40), Window(0, 0, 8, 8, 0.3)]))
    assert np.array_equal(image, before)


def test_flatness_is_the_largest_deviation_in_8_bit_levels(image):
    levels = 1 if image.dtype == np.uint8 else 257
    assert flatness(image) == pytest.approx(image.std((0, 1)).max() / levels)
    constant = np.empty_like(image)
    constant[:] = [1, 2, 3]
    assert flatness(constant) == 0
    assert is_flat(constant, 0.1) and not is_flat(image, 10)
    assert not is_flat(image, flatness(image)) and is_flat(image, flatness(image) + 1e-9)
