"""Haze: a mixture with the airlight."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.haze import HazeDraw
from degradekit.rng import Draws, sample_key

X = np.random.default_rng(0).random((2, 24, 32, 3), np.float32)
FIELD = Draws(sample_key(0, "a", 0), "haze").field("clouds")


def test_full_transmission_is_the_identity() -> None:
    np.testing.assert_array_equal(HazeDraw(1, 0.9, 0, 0.3, FIELD).apply(X), X)


def test_it_is_the_mixture_and_frames_have_their_own() -> None:
    y = HazeDraw((0.25, 0.5), 0.8, 0, 0.3, FIELD).apply(X)
    np.testing.assert_allclose(y[0], 0.25 * X[0] + 0.75 * 0.8, atol=1e-6)
    np.testing.assert_allclose(y[1], 0.5 * X[1] + 0.5 * 0.8, atol=1e-6)


def test_clouds_stand_still_and_have_the_stated_spread() -> None:
    black = np.zeros((2, 64, 64, 1), np.float32)
    spread = []
    for i in range(60):
        field = Draws(sample_key(0, str(i), 0), "haze").field("clouds")
        y = HazeDraw(0.5, 1, 0.08, 0.1, field).apply(black)
        np.testing.assert_array_equal(y[0], y[1])
        spread.append(((y[0] - 0.5) ** 2).mean())
    assert abs(np.sqrt(np.mean(spread)) - 0.08) < 0.006


@settings(deadline=None)  # the first example compiles
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_the_result_lies_between_picture_and_airlight(transmission: float, airlight: float, unevenness: float) -> None:
    y = HazeDraw(transmission, airlight, unevenness, 0.2, FIELD).apply(X)
    assert (y >= np.minimum(X, airlight) - 1e-6).all()
    assert (y <= np.maximum(X, airlight) + 1e-6).all()
