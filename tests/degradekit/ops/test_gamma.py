"""Gamma: a power, black and white fixed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.gamma import GammaDraw

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)


def test_exponent_1_is_the_identity() -> None:
    assert GammaDraw(1).apply(X) is X
    assert GammaDraw((1, 1.0)).apply(X) is X


def test_it_is_a_power() -> None:
    np.testing.assert_allclose(GammaDraw(2.2).apply(X), X.astype(float) ** 2.2, atol=1e-6)


def test_frames_have_their_own_exponent() -> None:
    y = GammaDraw((1, 0.5)).apply(X)
    np.testing.assert_allclose(y[0], X[0], atol=1e-6)
    np.testing.assert_allclose(y[1], np.sqrt(X[1]), atol=1e-6)


@given(st.floats(0.1, 10))
def test_the_inverse_exponent_undoes_it(exponent: float) -> None:
    x = np.clip(X, 0.2, 1)
    np.testing.assert_allclose(GammaDraw(1 / exponent).apply(GammaDraw(exponent).apply(x)), x, atol=2e-5)
