"""The arithmetic of JPEG against libjpeg-turbo itself, through OpenCV: every bit, quality and parity of size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.apply import quantise, to_float
from degradekit.ops.libjpeg import SUBSAMPLING, jpeg_round_trip, jpeg_round_trip_u8, quantisation_tables
from degradekit.types import Array

FACTORS = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}


def codec(x: Array, quality: int, subsampling: str) -> Array:
    """What the real encoder and decoder make of uint8 RGB or grey."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if x.shape[2] == 1:
        return cv2.imdecode(cv2.imencode(".jpg", x, options)[1], cv2.IMREAD_GRAYSCALE)[..., None]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, FACTORS[subsampling]]
    return cv2.imdecode(cv2.imencode(".jpg", x[..., ::-1], options)[1], cv2.IMREAD_COLOR)[..., ::-1]


def picture(h: int, w: int, c: int, seed: int) -> Array:
    """Blocks of 8x8 that look like nothing, noise, edges, extremes and photographs."""
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(rng.integers(0, 256, (5, 4, c)).astype(np.float64), (w, h), interpolation=cv2.INTER_CUBIC)
    strength, share = (rng.random((-(-h // 8), -(-w // 8), 1)).repeat(8, 0).repeat(8, 1)[:h, :w] for _ in range(2))
    noise = rng.normal(0, 1, (h, w, c)) * np.array([0, 0, 4, 30, 300])[(5 * strength).astype(int)]
    x = smooth.reshape(h, w, c) + noise
    return np.clip(np.where(share < 0.2, 255 * (x > 128), x), 0, 255).astype(np.uint8)


def test_tables_are_the_ones_in_the_file() -> None:
    for quality in (1, 10, 49, 50, 51, 75, 95, 100):
        data = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        zigzag = sorted(range(64), key=lambda k: (k // 8 + k % 8, k // 8 if (k // 8 + k % 8) % 2 else k % 8))
        for number, table in enumerate(quantisation_tables(quality)):
            start = data.index(b"\xff\xdb\x00\x43" + bytes([number])) + 5
            assert list(data[start : start + 64]) == [table.ravel()[k] for k in zigzag]


@pytest.mark.parametrize("subsampling", SUBSAMPLING)
def test_equals_libjpeg_at_every_quality(subsampling: Any) -> None:
    for quality in range(1, 101):
        x = picture(40 + quality % 17, 150 - quality % 16, 3, quality)
        assert np.array_equal(jpeg_round_trip_u8(x, quality, subsampling), codec(x, quality, subsampling)), quality


@pytest.mark.parametrize("subsampling", SUBSAMPLING)
def test_equals_libjpeg_at_every_small_size(subsampling: Any) -> None:
    for h in range(1, 20):
        for w in range(1, 20):
            x = picture(h, w, 3, 20 * h + w)
            assert np.array_equal(jpeg_round_trip_u8(x, 5 * h, subsampling), codec(x, 5 * h, subsampling)), (h, w)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 100), st.sampled_from(sorted(SUBSAMPLING)))
def test_equals_libjpeg_anywhere(h: int, w: int, quality: int, subsampling: Any) -> None:
    x = picture(h, w, 3, quality)
    assert np.array_equal(jpeg_round_trip_u8(x, quality, subsampling), codec(x, quality, subsampling))


def test_grey_equals_libjpeg() -> None:
    for quality in range(1, 101, 3):
        x = picture(64 + quality % 9, 128 - quality % 7, 1, quality)
        assert np.array_equal(jpeg_round_trip_u8(x, quality), codec(x, quality, "4:4:4")), quality


def test_largest_coefficients_equal_libjpeg() -> None:
    """Black and white where a product of two cosines is negative or positive: nothing overflows at any quality."""
    k = np.arange(8)
    basis = np.cos((2 * k + 1) * k[:, None] * np.pi / 16)
    signs = np.einsum("vy,ux->vyux", basis, basis) >= 0
    x = np.uint8(255) * np.concatenate([signs, ~signs]).reshape(128, 64, 1).astype(np.uint8)
    for quality in (1, 2, 5, 20, 50, 90, 99, 100):
        assert np.array_equal(jpeg_round_trip_u8(x, quality), codec(x, quality, "4:4:4")), quality


def test_float_images_are_clipped_rounded_and_come_back_as_levels() -> None:
    x = np.random.default_rng(0).normal(0.5, 0.4, (33, 47, 3)).astype(np.float32)
    before = x.copy()
    y = jpeg_round_trip(x, 60)
    assert np.array_equal(x, before)
    assert y.dtype == np.float32 and y.shape == x.shape
    levels = quantise(x, np.dtype(np.uint8))
    assert np.array_equal(y, to_float(codec(levels, 60, "4:2:0")))


def test_every_level_goes_in_and_out_as_everywhere_else() -> None:
    """A grey ramp of all levels at quality 100, flat in every block, comes back within the codec's own error."""
    levels = np.arange(256, dtype=np.uint8).repeat(8)[None, :, None].repeat(8, 0)
    y = jpeg_round_trip(to_float(levels), 100)
    assert set(np.unique(y)) <= set(to_float(np.arange(256, dtype=np.uint8)))
    assert np.array_equal(y, to_float(codec(levels, 100, "4:4:4")))
    assert len(np.unique(y)) == 256


@pytest.mark.parametrize("level", [0, 1, 127, 128, 200, 255])
def test_a_flat_grey_image_stays_flat(level: int) -> None:
    x = np.full((19, 21, 3), level / 255, np.float32)
    y = jpeg_round_trip(x, 90)
    assert np.ptp(y) == 0
    assert abs(float(y[0, 0, 0]) * 255 - level) <= quantisation_tables(90)[0][0, 0] / 16 + 0.5


def test_error_falls_with_quality() -> None:
    x = picture(96, 96, 3, 1).astype(np.float32) / 255
    errors = [float(np.mean((jpeg_round_trip(x, q) - x) ** 2)) for q in (10, 30, 50, 70, 90, 100)]
    assert errors == sorted(errors, reverse=True)
