from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.cost import synthetic_picture
from degradekit.ops.convolve import ERROR
from degradekit.ops.gaussian_blur import GaussianBlurDraw
from degradekit.ops.variable_blur import VariableBlur, VariableBlurDraw, levels
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "blur").field("map")


def gradient(low: float, high: float, angle: float = 0.0) -> VariableBlurDraw:
    return VariableBlurDraw(low, high, "gradient", angle, 0.3, FIELD)


def picture() -> FloatImage:
    return (synthetic_picture(120, 160)[None] / np.float32(255)).astype(np.float32)


def gaussian(sigma: float, x: FloatImage) -> FloatImage:
    return GaussianBlurDraw(2 * math.ceil(4 * sigma) + 1, sigma, sigma, 0.0).apply(x)


def test_zero_at_both_ends_changes_nothing() -> None:
    x = picture()
    np.testing.assert_array_equal(gradient(0.0, 0.0).apply(x), x)


@pytest.mark.parametrize("k", range(1, 7))
def test_at_a_level_it_is_a_gaussian(k: int) -> None:
    x, sigma = picture(), 0.35 * math.sqrt(2) ** k
    np.testing.assert_allclose(gradient(sigma, sigma).apply(x), gaussian(sigma, x), atol=2 * ERROR)


@pytest.mark.parametrize("sigma", [0.6, 0.85, 1.2, 1.7, 2.4, 3.4])
def test_between_levels_it_is_close_to_one(sigma: float) -> None:
    x = picture()
    error = np.sqrt(np.square(gradient(sigma, sigma).apply(x) - gaussian(sigma, x)).mean())
    change = np.sqrt(np.square(x - gaussian(sigma, x)).mean())
    assert error < 0.08 * change


@pytest.mark.parametrize("sigma", [0.8, 1.2, 2.1, 3.3])
def test_the_variance_is_right_between_levels(sigma: float) -> None:
    x = np.zeros((1, 41, 41, 1), np.float32)
    x[0, 20, 20] = 1
    spot = gradient(sigma, sigma).apply(x)[0, :, :, 0].astype(np.float64)
    assert spot.sum() == pytest.approx(1, abs=1e-3)
    assert spot.sum(axis=0) @ (np.arange(41) - 20) ** 2 == pytest.approx(sigma**2, rel=0.05)


def test_every_pixel_has_its_own_sigma() -> None:
    x, draw = picture(), gradient(0.5, 4.0, angle=0.6)
    y, place = draw.apply(x), draw.widths(120, 160)
    for at in (0.1, 0.5, 0.9):
        here = np.abs(place - at) < 0.003
        same = gradient(0.5 + 3.5 * at, 0.5 + 3.5 * at).apply(x)
        np.testing.assert_allclose(y[0][here], same[0][here], atol=0.01)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(-math.pi, math.pi))
def test_gradients_go_from_edge_to_edge_along_their_angle(h: int, w: int, angle: float) -> None:
    place = gradient(0.0, 1.0, angle).widths(h, w)
    assert place.shape == (h, w)
    assert 0 <= place.min() <= place.max() <= 1
    np.testing.assert_allclose(place + place[::-1, ::-1], 1, atol=1e-6)
    length = abs(math.cos(angle)) * w + abs(math.sin(angle)) * h
    np.testing.assert_allclose(np.diff(place, axis=1), math.cos(angle) / length, atol=1e-6)
    np.testing.assert_allclose(np.diff(place, axis=0), math.sin(angle) / length, atol=1e-6)


def test_smooth_maps_are_the_same_at_any_size() -> None:
    draw = VariableBlurDraw(0.0, 2.0, "smooth", 0.0, 0.3, FIELD)
    small, large = draw.widths(40, 40), draw.widths(120, 120)
    np.testing.assert_allclose(large[1::3, 1::3], small, atol=1e-5)
    assert small.min() >= 0 and small.max() <= 1 and small.std() > 0.05


@given(st.floats(0, 15), st.floats(0, 15))
def test_levels_hold_the_range_between_them(a: float, b: float) -> None:
    found = levels(min(a, b), max(a, b))
    assert found[0] <= min(a, b)
    assert found[-1] >= max(a, b)
    assert len(found) >= 2 and found == sorted(set(found))


def test_sigmas_may_move_and_one_channel_works() -> None:
    x = np.repeat(picture()[..., :1], 2, axis=0)
    y = VariableBlurDraw((0.0, 2.0), (0.0, 3.0), "gradient", 0.0, 0.3, FIELD).apply(x)
    np.testing.assert_array_equal(y[0], x[0])
    np.testing.assert_array_equal(y[1], gradient(2.0, 3.0).apply(x[1:])[0])


def test_ranges() -> None:
    op = VariableBlur.model_validate({"sigma_low_range": 0, "sigma_high_range": [1, 3], "map": ["gradient", "smooth"]})
    draws = [op.draw(Draws(sample_key(0, f"{i}.png", 0), "blur"), Geometry(1, 8, 8)) for i in range(100)]
    assert {draw.map for draw in draws} == {"gradient", "smooth"}
    assert max(draw.angle for draw in draws) > 2.5 and min(draw.angle for draw in draws) < -2.5
