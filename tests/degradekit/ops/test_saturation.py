"""Saturation: between grey and more colour than there was."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.saturation import SaturationDraw

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)


def test_factor_1_is_the_identity() -> None:
    np.testing.assert_array_equal(SaturationDraw(1).apply(X), X)


def test_factor_0_is_the_published_grey() -> None:
    grey = X.astype(float) @ [0.2989, 0.587, 0.114]
    np.testing.assert_allclose(SaturationDraw(0).apply(X), np.repeat(grey[..., None], 3, -1), atol=1e-6)


def test_frames_have_their_own_factor() -> None:
    y = SaturationDraw((1.0, 0.0)).apply(X)
    np.testing.assert_array_equal(y[0], X[0])
    assert np.ptp(y[1], axis=-1).max() == 0


@given(st.floats(0, 1))
def test_differences_between_channels_scale(factor: float) -> None:
    """Below 1 nothing is cut, so every colour difference is multiplied by the factor."""
    y = SaturationDraw(factor).apply(X)
    np.testing.assert_allclose(y[..., 0] - y[..., 2], factor * (X[..., 0] - X[..., 2]), atol=1e-6)
