"""Error diffusion against a plain loop, and palettes against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.diffusion import DIFFUSIONS, diffuse, diffuse_palette, nearest

X = np.random.default_rng(0).random((9, 11, 3), np.float32)
PALETTE = np.random.default_rng(1).integers(0, 256, (19, 3), np.uint8)


def in_plain_python(x: np.ndarray, levels: int, method: str, serpentine: bool) -> np.ndarray:
    """One channel in float64, each share scattered where it belongs, left and right swapped on the way back."""
    divisor, rows = DIFFUSIONS[method]
    work, (h, w) = x.astype(float).copy(), x.shape
    for y in range(h):
        way = -1 if serpentine and y % 2 else 1
        for i in range(w)[::way]:
            level = np.clip(np.floor(work[y, i] * (levels - 1) + 0.5), 0, levels - 1) / (levels - 1)
            error, work[y, i] = work[y, i] - level, level
            for dy, row in enumerate(rows):
                for k, share in enumerate(row):
                    j = i + way * (k - 2)
                    if y + dy < h and 0 <= j < w and share:
                        work[y + dy, j] += error * share / divisor
    return work


@pytest.mark.parametrize("serpentine", [False, True])
@pytest.mark.parametrize("method", DIFFUSIONS)
def test_it_is_the_plain_algorithm(method: str, serpentine: bool) -> None:
    y = diffuse(X, 3, method=method, serpentine=serpentine)
    for c in range(3):
        np.testing.assert_allclose(y[..., c], in_plain_python(X[..., c], 3, method, serpentine), atol=1e-6)


@pytest.mark.parametrize("method", DIFFUSIONS)
def test_shares_are_whole_and_go_forward_only(method: str) -> None:
    divisor, rows = DIFFUSIONS[method]
    assert sum(map(sum, rows)) == (divisor * 3 // 4 if method == "atkinson" else divisor)
    assert rows[0][:3] == (0, 0, 0)
    assert all(len(row) == 5 for row in rows)


@pytest.mark.parametrize("method", sorted(set(DIFFUSIONS) - {"atkinson"}))
def test_a_flat_tone_keeps_its_mean(method: str) -> None:
    for tone in (0.1, 0.5, 0.77):
        y = diffuse(np.full((64, 64, 1), tone, np.float32), 2, method=method, serpentine=True)
        assert set(np.unique(y)) == {0, 1}
        assert abs(y.mean() - tone) < 0.015


@pytest.mark.parametrize("method", DIFFUSIONS)
def test_values_that_are_levels_stay(method: str) -> None:
    x = np.random.default_rng(0).integers(0, 5, (9, 11, 3)).astype(np.float32) / 4
    np.testing.assert_array_equal(diffuse(x, 5, method=method, serpentine=False), x)


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 10**6), st.integers(1, 256))
def test_nearest_is_the_nearest(seed: int, n: int) -> None:
    """In quarters of a level, as stated; the first one wins."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (n, 3), np.uint8)
    x = rng.uniform(-0.1, 1.1, (5, 6, 3)).astype(np.float32)
    units = np.floor(np.clip(x, 0, 1) * np.float32(1020) + np.float32(0.5)).astype(np.int64)
    distance = ((units[:, :, None] - 4 * palette.astype(np.int64)) ** 2).sum(-1)
    np.testing.assert_array_equal(nearest(x, palette), distance.argmin(-1))


def test_extreme_palettes_do_not_overflow() -> None:
    palette = np.array([[255, 255, 255]] * 255 + [[0, 0, 0]], np.uint8)
    x = np.float32([[[1, 1, 1], [0, 0, 0], [0.6, 0.6, 0.6]]])
    assert nearest(x, palette).tolist() == [[0, 255, 0]]


@pytest.mark.parametrize("method", DIFFUSIONS)
def test_pixels_of_the_palette_get_their_colour(method: str) -> None:
    indices = np.random.default_rng(2).integers(0, 19, (8, 9))
    x = (PALETTE[indices] / 255).astype(np.float32)
    y = diffuse_palette(x, PALETTE, method=method, serpentine=True)
    np.testing.assert_array_equal(PALETTE[y], PALETTE[indices])


def test_two_colours_mix_to_the_tone_between_them() -> None:
    palette = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    for serpentine in (False, True):
        y = diffuse_palette(np.full((64, 64, 3), 0.3, np.float32), palette, method="sierra", serpentine=serpentine)
        assert abs(y.mean() - 0.3) < 0.01


def test_colours_out_of_reach_do_not_spill() -> None:
    """A red that the palette cannot mix must not stain what comes after it."""
    palette = np.array([[0, 0, 0], [255, 255, 255], [0, 0, 255]], np.uint8)
    x = np.zeros((40, 40, 3), np.float32)
    x[:20, :, 0] = 1
    y = diffuse_palette(x, palette, method="floyd_steinberg", serpentine=False)
    assert not y[26:].any()
