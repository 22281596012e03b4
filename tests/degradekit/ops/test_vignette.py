"""Vignette: the gain at the places that matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.vignette import VignetteDraw

X = np.random.default_rng(0).random((2, 21, 31, 3), np.float32)
WHITE = np.ones((1, 31, 41, 3), np.float32)


def test_strength_0_is_the_identity() -> None:
    np.testing.assert_array_equal(VignetteDraw(0, 0.3, -0.2).apply(X), X)


@given(st.floats(0, 0.95))
def test_the_middle_keeps_all_and_corners_lose_the_strength(strength: float) -> None:
    gain = VignetteDraw(strength, 0, 0).apply(WHITE)[0, ..., 0]
    assert gain[15, 20] == 1
    corners = [gain[0, 0], gain[0, -1], gain[-1, 0], gain[-1, -1]]
    np.testing.assert_allclose(corners, 1 - strength, atol=1e-6)
    np.testing.assert_allclose(gain, gain[::-1, ::-1], atol=1e-6)
    assert (np.diff(gain[15, 20:]) <= 0).all()


def test_it_is_the_cosine_fourth_law() -> None:
    gain = VignetteDraw(0.75, 0, 0).apply(WHITE)[0, 15, :, 0]
    tangent = np.arange(-20, 21) / np.hypot(15, 20)  # k = 1: at r = 1 the cosine is sqrt(1/2)
    np.testing.assert_allclose(gain, np.cos(np.arctan(tangent)) ** 4, atol=1e-6)


def test_the_centre_moves() -> None:
    gain = VignetteDraw(0.5, 0.25, -0.5).apply(np.ones((1, 40, 40, 1), np.float32))[0, ..., 0]
    y, x = np.unravel_index(gain.argmax(), gain.shape)
    assert (y, x) == (0, pytest.approx(29.5, abs=0.5))


def test_frames_have_their_own_strength() -> None:
    y = VignetteDraw((0.0, 0.5), 0, 0).apply(X)
    np.testing.assert_array_equal(y[0], X[0])
    assert y[1, 0, 0, 0] == pytest.approx(X[1, 0, 0, 0] / 2, abs=1e-6)


def test_a_single_pixel() -> None:
    np.testing.assert_array_equal(VignetteDraw(0.5, 0, 0).apply(X[:, :1, :1]), X[:, :1, :1])
