"""Palette: few colours, each frame its own."""

from __future__ import annotations

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops.palette import PaletteDraw

X = np.random.default_rng(0).random((2, 24, 20, 3), np.float32)


def colours(frame: np.ndarray) -> int:
    return len(np.unique(frame.reshape(-1, 3), axis=0))


@pytest.mark.parametrize("dither", ["none", "floyd_steinberg"])
@pytest.mark.parametrize("method", ["median_cut", "k_means"])
def test_so_many_colours_and_all_of_them_8_bit(method: str, dither: str) -> None:
    y = PaletteDraw((4, 16), method, dither, "raster").apply(X)
    assert (colours(y[0]), colours(y[1])) == (4, 16)
    np.testing.assert_allclose(y * 255, np.rint(y * 255), atol=1e-4)


def test_few_colours_are_left_as_they_are() -> None:
    x = np.repeat(np.float32([0, 51, 102, 255]) / np.float32(255), 25).reshape(1, 10, 10, 1).repeat(3, axis=3)
    for dither in ("none", "atkinson"):
        np.testing.assert_array_equal(PaletteDraw(8, "median_cut", dither, "raster").apply(x), x)


def test_diffusion_mixes_the_tones_between() -> None:
    """In the bottom of a ramp between two colours, columns keep their mean, which rounding moves by up to half."""
    ramp = np.linspace(0, 1, 32, dtype=np.float32)[:, None]
    x = np.ascontiguousarray(np.broadcast_to(ramp, (1, 64, 32, 3)))
    x[:, :32, :16], x[:, :32, 16:] = 0, 1
    y = PaletteDraw(2, "median_cut", "sierra", "serpentine").apply(x)
    low, high = np.unique(y)
    assert np.abs(y[0, 32:, :, 0].mean(axis=0) - np.clip(ramp[:, 0], low, high)).max() < 0.12


def test_it_needs_rgb() -> None:
    with pytest.raises(OpError, match="palette works on RGB"):
        PaletteDraw(8, "median_cut", "none", "raster").apply(X[..., :1])
