"""Hue: against the standard library's HSV, colour by colour."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.hue import HueDraw

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)
CORNERS = np.float32([[r, g, b] for r in (0, 0.5, 1) for g in (0, 0.5, 1) for b in (0, 0.5, 1)])[None, None]


def reference(x: np.ndarray, turn: float) -> np.ndarray:
    def one(rgb: np.ndarray) -> tuple[float, float, float]:
        h, s, v = colorsys.rgb_to_hsv(*(float(value) for value in rgb))
        return colorsys.hsv_to_rgb((h + turn) % 1, s, v)

    return np.array([one(rgb) for rgb in x.reshape(-1, 3)]).reshape(x.shape)


@pytest.mark.parametrize("x", [X, CORNERS])
@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.05, 1 / 3, 0.5])
def test_it_is_the_turn_of_hsv(x: np.ndarray, turn: float) -> None:
    np.testing.assert_allclose(HueDraw(turn).apply(x), reference(x, turn), atol=2e-6)


def test_greys_stay_exactly() -> None:
    grey = np.repeat(X[..., :1], 3, -1)
    np.testing.assert_array_equal(HueDraw(0.2).apply(grey), grey)


def test_overshoot_is_cut_first() -> None:
    x = np.float32([[[[1.2, -0.1, 0.0]]]])
    np.testing.assert_allclose(HueDraw(1 / 3).apply(x), [[[[0, 1, 0]]]], atol=1e-6)


@settings(deadline=None)  # the first example compiles
@given(st.floats(-0.5, 0.5))
def test_value_and_chroma_stay(turn: float) -> None:
    y = HueDraw(turn).apply(X)
    np.testing.assert_allclose(y.max(-1), X.max(-1), atol=1e-6)
    np.testing.assert_allclose(y.min(-1), X.min(-1), atol=1e-6)


def test_frames_have_their_own_turn() -> None:
    y = HueDraw((0.0, 0.25)).apply(X)
    np.testing.assert_allclose(y[0], X[0], atol=1e-6)
    np.testing.assert_array_equal(y[1], HueDraw(0.25).apply(X[1:])[0])
