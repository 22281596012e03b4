"""Halftone: tones are kept, screens have their angle and period."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.halftone import HalftoneDraw

X = np.random.default_rng(0).random((2, 24, 20, 3), np.float32)


def screen(tone: float, *, cell: float = 8, angle: float = 0.0, softness: float = 0, shape: str = "dot") -> np.ndarray:
    """Grey screen of a flat tone, at an angle in all."""
    x = np.full((1, 160, 160, 3), tone, np.float32)
    return HalftoneDraw(cell, angle - math.pi / 4, softness, shape, "grey", 0.3, 0.7).apply(x)[0, ..., 0]


@pytest.mark.parametrize("shape", ["dot", "diamond", "line"])
@pytest.mark.parametrize("softness", [0, 1, 3])
def test_a_tone_keeps_its_mean(shape: str, softness: float) -> None:
    for tone in (0.02, 0.25, 0.5, 0.9):
        y = screen(tone, angle=0.4, softness=softness, shape=shape)
        assert y.mean() == pytest.approx(tone, abs=0.012)
    assert screen(0.5, softness=0, shape=shape).std() > 0.49


@pytest.mark.parametrize("inks", ["grey", "rgb", "cmyk"])
def test_paper_stays_white_and_full_ink_black(inks: str) -> None:
    for tone in (0, 1):
        x = np.full((1, 32, 32, 3), tone, np.float32)
        np.testing.assert_array_equal(HalftoneDraw(5.3, 0.2, 1, "dot", inks, 0.1, 0.2).apply(x), x)


@pytest.mark.parametrize("angle", [0.0, math.pi / 2, math.atan2(3, 4)])
def test_lines_have_their_period_and_direction(angle: float) -> None:
    """The spectrum's peak lies at 1 / cell, across the lines, which run along the angle (clockwise as displayed)."""
    spectrum = np.abs(np.fft.rfft2(screen(0.5, cell=8, angle=angle, softness=1, shape="line") - 0.5))
    ky, kx = np.unravel_index(spectrum.argmax(), spectrum.shape)
    found = np.array([kx, ky - 160 if ky > 80 else ky]) / 160
    across = np.array([-math.sin(angle), math.cos(angle)]) / 8
    assert np.abs(found - across).max() < 1e-3 or np.abs(found + across).max() < 1e-3


def test_one_dot_a_cell() -> None:
    """In light tones every cell of 8 x 8 px has one dot, and all are alike."""
    y = screen(0.9)
    cells = y.reshape(20, 8, 20, 8).transpose(0, 2, 1, 3).reshape(400, 64)
    assert (cells == cells[0]).all()
    assert 0 < (cells[0] < 0.5).sum() < 12


def test_cmyk_takes_black_out_of_the_colours() -> None:
    """A pure red has no cyan and no black ink: red is never touched; a grey uses black alone."""
    red = np.broadcast_to(np.float32([1, 0.4, 0.4]), (1, 32, 32, 3))
    y = HalftoneDraw(6, 0.1, 1, "dot", "cmyk", 0.1, 0.2).apply(red)
    np.testing.assert_allclose(y[..., 0], 1, atol=1e-6)
    grey = HalftoneDraw(6, 0.1, 1, "dot", "cmyk", 0.1, 0.2).apply(np.full((1, 32, 32, 3), 0.6, np.float32))
    assert np.ptp(grey, axis=-1).max() < 1e-6


@settings(deadline=None, max_examples=40)  # the first example compiles
@given(st.floats(1.5, 100), st.floats(-6, 6), st.floats(0, 8), st.sampled_from(["grey", "rgb", "cmyk"]))
def test_the_result_lies_in_range(cell: float, angle: float, softness: float, inks: str) -> None:
    y = HalftoneDraw(cell, angle, softness, "dot", inks, 0.5, 0.5).apply(X * 1.2 - 0.1)
    assert y.min() >= 0 and y.max() <= 1


def test_frames_have_their_own_cells() -> None:
    x = np.full((2, 64, 64, 3), 0.5, np.float32)
    y = HalftoneDraw((4.0, 8.0), 0, 0, "line", "grey", 0, 0).apply(x)
    edges = [np.abs(np.diff(frame[:, 0, 0])).sum() for frame in y]
    assert edges[0] == pytest.approx(2 * edges[1], abs=3)
