"""Dither: patterns and counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.diffusion import DIFFUSIONS
from degradekit.ops.dither import BAYER, DitherDraw, bayer

X = np.random.default_rng(0).random((2, 19, 17, 3), np.float32)


def test_the_published_matrix() -> None:
    ranks = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]
    np.testing.assert_array_equal(bayer(4) * 16 - 0.5, ranks)
    assert sorted((bayer(8) * 64 - 0.5).ravel().tolist()) == list(range(64))


@pytest.mark.parametrize("method", BAYER)
def test_the_pattern_gives_every_tone_its_share(method: str) -> None:
    """A flat tone k / side^2 lights k pixels of every cell, exactly."""
    n = BAYER[method] ** 2
    for k in range(n + 1):
        x = np.full((1, 16, 16, 1), k / n, np.float32)
        assert DitherDraw(2, method, "raster").apply(x).mean() == k / n


@pytest.mark.parametrize("method", [*BAYER, *DIFFUSIONS])
@pytest.mark.parametrize("levels", [2, 5, 256])
def test_only_levels_come_out(method: str, levels: int) -> None:
    steps = DitherDraw(levels, method, "serpentine").apply(X).astype(float) * (levels - 1)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    assert steps.min() >= 0 and steps.max() <= levels - 1


@settings(deadline=None)  # the first example compiles
@given(st.sampled_from([*BAYER, *DIFFUSIONS]), st.integers(2, 17), st.integers(0, 1000))
def test_levels_are_left_as_they_are(method: str, levels: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(0, levels, (1, 6, 7, 3)).astype(np.float32) / np.float32(levels - 1)
    np.testing.assert_allclose(DitherDraw(levels, method, "raster").apply(x), x, atol=1e-6)


@pytest.mark.parametrize("method", BAYER)
def test_ordered_dither_is_within_one_level_and_knows_no_neighbours(method: str) -> None:
    draw = DitherDraw(4, method, "raster")
    y = draw.apply(X)
    assert np.abs(y - X).max() <= 1 / 3 + 1e-6
    x = X.copy()
    x[:, 8, 8] = 0.9
    assert ((draw.apply(x) != y).any(-1).sum(axis=(1, 2)) <= 1).all()


def test_frames_and_scans_differ_as_they_should() -> None:
    raster, serpentine = (DitherDraw((2, 4), "stucki", scan).apply(X) for scan in ("raster", "serpentine"))
    assert (len(np.unique(raster[0])), len(np.unique(raster[1]))) == (2, 4)
    np.testing.assert_array_equal(raster[:, 0], serpentine[:, 0])
    assert (raster[:, 1:] != serpentine[:, 1:]).any()
