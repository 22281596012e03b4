from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.box_blur import BoxBlur, BoxBlurDraw, box
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry


def test_width_one_changes_nothing() -> None:
    x = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    assert BoxBlurDraw(1.0, 1.0).apply(x) is x


@pytest.mark.parametrize(
    ("width", "taps"),
    [(3, [1 / 3] * 3), (2, [0.25, 0.5, 0.25]), (2.5, [0.3, 0.4, 0.3]), (4, [0.125, 0.25, 0.25, 0.25, 0.125])],
)
def test_known_taps(width: float, taps: list[float]) -> None:
    assert box(width, 1)[0].tolist() == pytest.approx(taps)
    assert box(1, width)[:, 0].tolist() == pytest.approx(taps)


@given(st.floats(1, 51))
def test_the_outermost_pixels_weigh_what_is_covered_of_them(width: float) -> None:
    taps = box(width, 1)[0]
    centres = np.arange(len(taps)) - len(taps) // 2
    covered = np.clip(width / 2 - np.abs(centres) + 0.5, 0, 1)
    np.testing.assert_allclose(taps, covered / width, atol=1e-12)


def test_a_whole_width_is_the_mean_of_its_pixels() -> None:
    x = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    y = BoxBlurDraw(5.0, 3.0).apply(x)
    np.testing.assert_allclose(y[0, 10, 15], x[0, 9:12, 13:18].mean(axis=(0, 1)), atol=1e-6)


def test_squares_and_rectangles() -> None:
    u, g = Draws(sample_key(0, "a", 0), "blur"), Geometry(1, 8, 8)
    square = BoxBlur.model_validate({"width_x_range": [1, 9]}).draw(u, g)
    assert square.width_x == square.width_y
    rectangle = BoxBlur.model_validate({"width_x_range": [1, 9], "width_y_range": [1, 9]}).draw(u, g)
    assert rectangle.width_x == square.width_x
    assert rectangle.width_y != rectangle.width_x
