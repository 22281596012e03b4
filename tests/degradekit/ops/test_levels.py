"""Levels: a line through two points, cut at both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.ops.levels import Levels, LevelsDraw

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)


def test_the_full_range_is_the_identity() -> None:
    np.testing.assert_array_equal(LevelsDraw(0, 1, 0, 1).apply(X), X)


def test_points_go_where_they_should() -> None:
    x = np.float32([0, 0.1, 0.3, 0.5, 0.9]).reshape(1, 1, 5, 1)
    y = LevelsDraw(0.1, 0.5, 0.2, 0.8).apply(x).ravel()
    np.testing.assert_allclose(y, [0.2, 0.2, 0.5, 0.8, 0.8], atol=1e-6)


@given(st.floats(0, 0.45), st.floats(0.55, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_result_lies_between_the_output_points(black: float, white: float, low: float, high: float) -> None:
    y = LevelsDraw(black, white, low, high).apply(X)
    assert y.min() >= min(low, high) - 1e-6
    assert y.max() <= max(low, high) + 1e-6


def test_points_that_can_cross_are_refused_when_the_recipe_is_loaded() -> None:
    with pytest.raises(ValidationError, match=r"black_range reaches up to 0.6 and white_range down to 0.5"):
        Levels.model_validate({"black_range": [0, 0.6], "white_range": [0.5, 1]})
