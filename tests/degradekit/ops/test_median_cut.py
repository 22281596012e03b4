"""Median cut and k-means: exact where they can be, and in the right order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.diffusion import nearest
from degradekit.ops.median_cut import k_means, median_cut


def picture(seed: int, colours: int) -> np.ndarray:
    """So many colours in bins of their own."""
    rng = np.random.default_rng(seed)
    bins = rng.permutation(8**3)[:colours]
    levels = np.stack([bins // 64, bins // 8 % 8, bins % 8], axis=1) * 32 + rng.integers(0, 8, (colours, 3))
    indices = np.concatenate([np.arange(colours), rng.integers(0, colours, 24 * 24 - colours)])
    return levels[rng.permutation(indices)].reshape(24, 24, 3)


def error(levels: np.ndarray, palette: np.ndarray) -> float:
    x = (levels / 255).astype(np.float32)
    return float(((palette[nearest(x, palette)].astype(float) - levels) ** 2).mean())


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 1000), st.integers(2, 60))
def test_enough_colours_lose_nothing(seed: int, colours: int) -> None:
    levels = picture(seed, colours)
    x = (levels / 255).astype(np.float32)
    for method in (median_cut, k_means):
        palette = method(x, 64)
        assert len(palette) == colours
        np.testing.assert_array_equal(palette[nearest(x, palette)], levels)


def test_the_median_splits_pixels_in_halves() -> None:
    """Eight greys, one pixel each: two boxes of four, and their means."""
    x = np.repeat(np.float32([0, 16, 32, 48, 200, 216, 232, 248])[None, :, None] / 255, 3, axis=2)
    assert median_cut(x, 2).tolist() == [[24] * 3, [224] * 3]


def test_one_heavy_colour_does_not_hide_the_others() -> None:
    """The median lies in the lowest, or in the highest level: the rest still gets a box."""
    for heavy, light in ((0, 255), (255, 0)):
        levels = np.full((10, 10, 3), heavy)
        levels[0, 0] = light
        palette = median_cut((levels / 255).astype(np.float32), 2)
        assert sorted(palette[:, 0].tolist()) == [0, 255]


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 1000), st.sampled_from([2, 5, 16, 100]))
def test_more_colours_and_more_rounds_lower_the_error(seed: int, colours: int) -> None:
    rng = np.random.default_rng(seed)
    levels = np.clip(rng.normal(rng.uniform(60, 200, (1, 40, 1)), 40, (30, 40, 3)), 0, 255).astype(np.int64)
    x = (levels / 255).astype(np.float32)
    cut = error(levels, median_cut(x, colours))
    assert error(levels, k_means(x, colours)) <= cut + 0.5
    assert error(levels, median_cut(x, 2 * colours)) < cut
    assert len(median_cut(x, colours)) == colours


def test_a_flat_picture_has_one_colour() -> None:
    x = np.full((4, 4, 3), 0.4, np.float32)
    assert median_cut(x, 7).tolist() == k_means(x, 7).tolist() == [[102] * 3]
