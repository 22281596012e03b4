from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.ops.median_blur import MedianBlur, MedianBlurDraw
from degradekit.types import FloatImage


def defined(x: FloatImage, size: int) -> FloatImage:
    reach = size // 2
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return np.median(windows, axis=(-2, -1)).astype(np.float32)


def picture(shape: tuple[int, ...], levels: int) -> FloatImage:
    return (np.random.default_rng(0).integers(0, levels + 1, shape) / np.float32(levels)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 2), st.integers(1, 20), st.integers(1, 20), st.integers(1, 4), st.integers(0, 7), st.booleans())
def test_is_the_median(t: int, h: int, w: int, c: int, reach: int, deep: bool) -> None:
    x = picture((t, h, w, c), 65535 if deep else 255)
    np.testing.assert_allclose(MedianBlurDraw(2 * reach + 1).apply(x), defined(x, 2 * reach + 1), atol=1e-7)


def test_size_one_changes_nothing() -> None:
    x = picture((1, 9, 9, 3), 255)
    assert MedianBlurDraw(1).apply(x) is x


def test_what_lies_outside_is_cut_and_the_rest_is_off_by_half_a_16_bit_level() -> None:
    x = np.random.default_rng(0).uniform(-0.2, 1.2, (1, 30, 30, 3)).astype(np.float32)
    error = MedianBlurDraw(5).apply(x) - defined(np.clip(x, 0, 1), 5)
    assert np.abs(error).max() < 0.5 / 65535 + 1e-6


def test_an_edge_stays_and_a_line_goes() -> None:
    x = np.zeros((1, 30, 30, 3), np.float32)
    x[:, :, 15:] = 0.8
    np.testing.assert_array_equal(MedianBlurDraw(7).apply(x) > 0.5, x > 0.5)
    line = np.zeros((1, 30, 30, 3), np.float32)
    line[:, 10:12] = 1
    assert MedianBlurDraw(5).apply(line).max() == 0


def test_brightening_and_filtering_can_be_swapped() -> None:
    x = picture((1, 20, 20, 3), 255)
    np.testing.assert_allclose(MedianBlurDraw(3).apply(x * x), MedianBlurDraw(3).apply(x) ** 2, atol=2e-5)


def test_even_sizes_are_refused() -> None:
    with pytest.raises(ValidationError, match="odd whole numbers"):
        MedianBlur.model_validate({"size_range": 4})


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_8_bit_take_a_shorter_way_to_the_same_bits(channels: int) -> None:
    x = picture((1, 24, 26, channels), 255)
    other = x.copy()
    other[0, 23, 25] = 0.5 / 255  # one sample between two levels, in the last window only
    for size in (7, 15):
        whole, broken = MedianBlurDraw(size).apply(x), MedianBlurDraw(size).apply(other)
        reach = size // 2
        np.testing.assert_array_equal(whole[:, : -reach - 1, : -reach - 1], broken[:, : -reach - 1, : -reach - 1])
