"""Contrast: about the mean grey of every frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import OpError
from degradekit.ops.contrast import ContrastDraw

X = np.random.default_rng(0).random((2, 19, 17, 3), np.float32)


def test_factor_1_is_the_identity() -> None:
    np.testing.assert_allclose(ContrastDraw(1).apply(X), X, atol=1e-7)


def test_factor_0_is_the_mean_grey_of_each_frame() -> None:
    mean = (X.astype(float) @ [0.2989, 0.587, 0.114]).mean(axis=(1, 2))
    y = ContrastDraw(0).apply(X)
    np.testing.assert_allclose(y, np.broadcast_to(mean[:, None, None, None], X.shape), atol=1e-6)


def test_it_is_the_published_formula() -> None:
    mean = (X[:1].astype(float) @ [0.2989, 0.587, 0.114]).mean()
    want = np.clip(1.4 * X[:1].astype(float) + (1 - 1.4) * mean, 0, 1)
    np.testing.assert_allclose(ContrastDraw(1.4).apply(X[:1]), want, atol=1e-6)


@given(st.permutations(range(17)))
def test_the_mean_does_not_depend_on_where_pixels_are(order: list[int]) -> None:
    """Bit for bit: the sum is exact."""
    draw = ContrastDraw(0.7)
    np.testing.assert_array_equal(draw.apply(X[:, :, order]), draw.apply(X)[:, :, order])


def test_it_needs_rgb() -> None:
    with pytest.raises(OpError, match="contrast works on RGB, the clip has 1"):
        ContrastDraw(0.5).apply(X[..., :1])
