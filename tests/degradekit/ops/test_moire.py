"""Moire: beats where theory has them, and none where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.moire import MoireDraw

GREY = np.full((1, 48, 240, 3), 0.4, np.float32)


@pytest.mark.parametrize("pitch", [1, 0.5, 0.25])
def test_whole_screen_pixels_show_no_grid(pitch: float) -> None:
    """Every pixel sees the same lit area, wherever the grid starts."""
    np.testing.assert_allclose(MoireDraw(pitch, 0, 1, 0, 0.37, 0.81).apply(GREY), GREY, atol=2e-5)


def test_contrast_0_is_the_identity() -> None:
    np.testing.assert_array_equal(MoireDraw(0.93, 0.1, 0, 0.1, 0.2, 0.3).apply(GREY), GREY)


@pytest.mark.parametrize("pitch", [1 / 0.9, 1 / 1.05, 1 / 2.1])
def test_the_beat_has_the_difference_of_the_two_frequencies(pitch: float) -> None:
    """1 / pitch screen pixels a px, sampled once a px: the distance to the next whole number remains."""
    row = MoireDraw(pitch, 0, 1, 0, 0.2, 0.3).apply(GREY)[0, 0, :, 1].astype(float)
    spectrum = np.abs(np.fft.rfft((row - row.mean()) * np.hanning(240)))
    beat = abs(1 / pitch - round(1 / pitch))
    assert spectrum.argmax() / 240 == pytest.approx(beat, abs=1 / 240)


def test_large_screen_pixels_show_their_stripes() -> None:
    """Pitch 6, upright, starting at 0 in the middle: two px of each colour, 4.8 of 6 rows lit."""
    y = MoireDraw(6, 0, 1, 0, 0, 0).apply(np.full((1, 13, 13, 3), 0.2, np.float32))[0] / 0.2
    lit = y[7]  # a row inside the lit part
    np.testing.assert_allclose(lit[7:9].argmax(-1), 0)
    np.testing.assert_allclose(lit[9:11, 1].max(), 3 / 0.8, rtol=1e-5)
    np.testing.assert_allclose(lit[7, 0], 3 / 0.8, rtol=1e-5)
    assert lit[7, 1] == lit[7, 2] == 0


def test_an_angle_turns_the_bands() -> None:
    """Down a column the stripes pass with frequency sin(angle) / pitch; the rows drop out of the share of red."""
    column = MoireDraw(1 / 0.9, 0.1, 1, 0, 0.2, 0.3).apply(np.full((1, 240, 8, 3), 0.2, np.float32))[0, :, 4]
    red = (column[:, 0] / column.sum(-1)).astype(float)
    spectrum = np.abs(np.fft.rfft((red - red.mean()) * np.hanning(240)))
    assert spectrum.argmax() == pytest.approx(240 * 0.9 * np.sin(0.1), abs=1)


@settings(deadline=None, max_examples=30)  # the first example compiles
@given(st.floats(0.2, 6), st.floats(-0.5, 0.5), st.floats(-0.3, 0.3))
def test_the_mean_light_stays(pitch: float, angle: float, curvature: float) -> None:
    x = np.full((1, 96, 96, 3), 0.2, np.float32)
    y = MoireDraw(pitch, angle, 1, curvature, 0.1, 0.9).apply(x)
    assert y.mean() == pytest.approx(0.2, rel=0.08)
    assert y.min() >= 0
