from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate

from degradekit.ops.demosaic import PATTERNS, demosaic
from degradekit.types import Array, FloatImage

HALF = 0.5
GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
BESIDE = np.array([[0, 0, HALF, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, HALF, 0, 0]]) / 8
ACROSS = np.array([[0, 0, -3, 0, 0], [0, 4, 0, 4, 0], [-3, 0, 12, 0, -3], [0, 4, 0, 4, 0], [0, 0, -3, 0, 0]]) / 16
TENT = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
CROSS = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4


def sites(h: int, w: int, pattern: str) -> Array:
    """Which colour every pixel has."""
    y, x = np.mgrid[0:h, 0:w]
    red_y, red_x = PATTERNS[pattern]
    colours: Array = (y - red_y) % 2 + (x - red_x) % 2
    return colours


def mosaic(rgb: FloatImage, pattern: str) -> FloatImage:
    colours = sites(rgb.shape[0], rgb.shape[1], pattern)
    return np.take_along_axis(rgb, colours[..., None], axis=2)[..., 0]


def published(raw: FloatImage, pattern: str, *, corrected: bool) -> Array:
    """The filters of the paper, and bilinear ones as normalised convolutions, on whole planes."""
    own = sites(raw.shape[0], raw.shape[1], pattern)
    x = raw.astype(np.float64)
    planes = []
    if not corrected:
        return np.stack(
            [correlate(np.where(own == i, x, 0), CROSS if i == 1 else TENT, mode="mirror") for i in range(3)], axis=-1
        )
    filtered = {name: correlate(x, k, mode="mirror") for name, k in {"g": GREEN, "b": BESIDE, "a": ACROSS}.items()}
    stacked = correlate(x, BESIDE.T, mode="mirror")
    row_of = np.where((np.arange(raw.shape[0])[:, None] - PATTERNS[pattern][0]) % 2 == 0, 0, 2)
    for colour in (0, 2):
        at_green = np.where(row_of == colour, filtered["b"], stacked)
        planes.append(np.where(own == colour, x, np.where(own == 1, at_green, filtered["a"])))
    green = np.where(own == 1, x, filtered["g"])
    return np.stack([planes[0], green, planes[1]], axis=-1)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("corrected", [False, True])
def test_equals_the_published_filters(pattern: str, corrected: bool) -> None:
    raw = np.random.default_rng(0).random((14, 19), np.float32)
    found = demosaic(raw, pattern, corrected=corrected)
    np.testing.assert_allclose(found, published(raw, pattern, corrected=corrected), atol=2e-6)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("corrected", [False, True])
def test_what_is_known_stays_and_a_grey_ramp_is_exact(pattern: str, corrected: bool) -> None:
    raw = np.random.default_rng(0).random((12, 15), np.float32)
    rgb = demosaic(raw, pattern, corrected=corrected)
    np.testing.assert_array_equal(mosaic(rgb, pattern), raw)
    ys, xs = np.mgrid[0:20, 0:24].astype(np.float32)
    ramp = np.repeat((0.01 * xs + 0.02 * ys)[..., None], 3, axis=2)
    again = demosaic(mosaic(ramp, pattern), pattern, corrected=corrected)
    np.testing.assert_allclose(again[2:-2, 2:-2], ramp[2:-2, 2:-2], atol=1e-6)


@given(st.integers(2, 9), st.integers(2, 9), st.sampled_from(list(PATTERNS)), st.booleans())
def test_every_size_of_one_colour_stays(h: int, w: int, pattern: str, corrected: bool) -> None:
    colour = np.array([0.2, 0.5, 0.9], np.float32)
    flat = np.broadcast_to(colour, (h, w, 3)).copy()
    again = demosaic(mosaic(flat, pattern), pattern, corrected=corrected)
    np.testing.assert_allclose(again, flat, atol=1e-6)


def test_correction_is_better_on_detail_that_all_colours_share() -> None:
    ys, xs = np.mgrid[0:64, 0:64]
    waves = 0.5 + 0.3 * np.sin(0.9 * xs + 0.5 * ys)
    image = np.repeat(waves[..., None], 3, axis=2).astype(np.float32)
    errors = [np.abs(demosaic(mosaic(image, "rggb"), "rggb", corrected=c) - image).mean() for c in (False, True)]
    assert errors[1] < 0.5 * errors[0]
