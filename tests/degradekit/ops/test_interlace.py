"""Interlace: which line comes from when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.interlace import Interlace, InterlaceDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

X = np.random.default_rng(0).random((3, 8, 12, 3), np.float32)
U = Draws(sample_key(0, "clip", 0), "comb")


@pytest.mark.parametrize(("second", "later", "first"), [("odd", 1, 0), ("even", 0, 1)])
def test_the_later_field_is_the_next_frames(second: str, later: int, first: int) -> None:
    y = InterlaceDraw("next", 0.0, second, "comb").apply(X)
    np.testing.assert_array_equal(y[:, first::2], X[:, first::2])
    np.testing.assert_array_equal(y[:-1, later::2], X[1:, later::2])
    np.testing.assert_array_equal(y[-1], X[-1])


def test_no_motion_is_the_identity() -> None:
    still = np.repeat(X[:1], 3, axis=0)
    np.testing.assert_array_equal(InterlaceDraw("next", 0.0, "odd", "comb").apply(still), still)
    np.testing.assert_array_equal(InterlaceDraw("shift", 0.0, "odd", "comb").apply(X), X)


@given(st.integers(-14, 14), st.floats(0, 1))
def test_shifts_move_every_second_line_to_the_right(whole: int, part: float) -> None:
    y = InterlaceDraw("shift", whole + part, "odd", "comb").apply(X)
    np.testing.assert_array_equal(y[:, ::2], X[:, ::2])
    at = np.arange(12) - (whole + part)
    for line in (1, 7):
        want = np.interp(at, np.arange(12), X[1, line, :, 2])
        np.testing.assert_allclose(y[1, line, :, 2], want, atol=1e-5)


def test_bob_interpolates_the_later_lines() -> None:
    y = InterlaceDraw("shift", 5.0, "odd", "bob").apply(X)
    np.testing.assert_array_equal(y[:, ::2], X[:, ::2])
    np.testing.assert_allclose(y[:, 3], (X[:, 2] + X[:, 4]) / 2, atol=1e-7)
    np.testing.assert_array_equal(y[:, 7], X[:, 6])
    y = InterlaceDraw("shift", 5.0, "even", "bob").apply(X)
    np.testing.assert_array_equal(y[:, 0], X[:, 1])


def test_blend_is_1_2_1_of_the_comb() -> None:
    comb = InterlaceDraw("shift", 2.0, "odd", "comb").apply(X)
    y = InterlaceDraw("shift", 2.0, "odd", "blend").apply(X)
    np.testing.assert_allclose(y[:, 3], (comb[:, 2] + 2 * comb[:, 3] + comb[:, 4]) / 4, atol=1e-6)
    np.testing.assert_allclose(y[:, 0], (comb[:, 0] + comb[:, 1]) / 2, atol=1e-6)


def test_an_image_is_shifted_whatever_the_recipe_says() -> None:
    op = Interlace.model_validate({"source": "next", "shift_range": [2, 4]})
    image, moving = op.draw(U, Geometry(1, 8, 8)), op.draw(U, Geometry(5, 8, 8))
    assert (image.source, moving.source, moving.shift) == ("shift", "next", 0.0)
    assert 2 <= image.shift <= 4


@pytest.mark.parametrize("display", ["comb", "blend", "bob"])
def test_one_line_and_one_column(display: str) -> None:
    for x in (X[:1, :1], X[:1, :, :1]):
        assert InterlaceDraw("shift", 1.5, "even", display).apply(x).shape == x.shape
