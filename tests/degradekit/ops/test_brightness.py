"""Brightness: multiplied and cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.brightness import BrightnessDraw

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)


def test_factor_1_is_the_identity() -> None:
    np.testing.assert_array_equal(BrightnessDraw(1).apply(X), X)


def test_it_multiplies_and_saturates() -> None:
    x = np.float32([0, 0.2, 0.5, 0.8, -0.1]).reshape(1, 1, 5, 1)
    np.testing.assert_allclose(BrightnessDraw(1.5).apply(x).ravel(), [0, 0.3, 0.75, 1, 0], atol=1e-6)


def test_each_frame_has_its_own_factor() -> None:
    y = BrightnessDraw((0.5, 0.0)).apply(X)
    np.testing.assert_allclose(y[0], X[0] / 2)
    assert not y[1].any()


@given(st.floats(0, 4), st.floats(0, 4))
def test_brighter_is_never_darker(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert (BrightnessDraw(low).apply(X) <= BrightnessDraw(high).apply(X)).all()
