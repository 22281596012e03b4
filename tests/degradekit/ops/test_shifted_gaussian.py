from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.ops.convolve import ERROR
from degradekit.ops.gaussian_blur import GaussianBlurDraw
from degradekit.ops.shifted_gaussian import ShiftedGaussian, ShiftedGaussianDraw, shifted_taps
from degradekit.ops.subsample import SubsampleDraw
from degradekit.recipe import parse_recipe
from degradekit.types import FloatImage, Geometry


def noise() -> FloatImage:
    return np.random.default_rng(0).random((1, 40, 48, 3), np.float32)


def test_no_shift_and_a_tiny_sigma_change_nothing() -> None:
    x = noise()
    assert ShiftedGaussianDraw(21, 0.1, 0.0).apply(x) is x


def test_without_shift_it_is_a_gaussian() -> None:
    x = noise()
    blurred = GaussianBlurDraw(25, 1.7, 1.7, 0.0).apply(x)
    np.testing.assert_allclose(ShiftedGaussianDraw(25, 1.7, 0.0).apply(x), blurred, atol=2 * ERROR)


@pytest.mark.parametrize("shift", [2.0, -3.0])
def test_whole_shifts_move_the_pixels(shift: float) -> None:
    x, k = noise(), int(shift)
    y = ShiftedGaussianDraw(9, 0.1, shift).apply(x)
    inside = np.s_[:, 5:-5, 5:-5]
    np.testing.assert_allclose(y[inside], np.roll(x, (-k, -k), (1, 2))[inside], atol=ERROR)


@given(st.integers(0, 12), st.floats(0.05, 5), st.floats(-25, 25))
def test_the_centre_of_gravity_is_the_shift(half: int, sigma: float, shift: float) -> None:
    taps = shifted_taps(2 * half + 1, sigma, shift)
    assert taps.sum() == pytest.approx(1)
    assert taps @ (np.arange(len(taps)) - len(taps) // 2) == pytest.approx(shift, abs=1e-9)


def test_half_a_pixel_of_a_narrow_gaussian_is_the_mean_of_two() -> None:
    x = noise()
    y = ShiftedGaussianDraw(9, 0.1, 0.5).apply(x)
    four = (x[:, :-1, :-1] + x[:, 1:, :-1] + x[:, :-1, 1:] + x[:, 1:, 1:]) / 4
    np.testing.assert_allclose(y[:, :-1, :-1], four, atol=ERROR)


@pytest.mark.parametrize("step", [2, 3, 4])
def test_before_a_subsample_it_shows_the_middle_of_each_block(step: int) -> None:
    ys, xs = np.mgrid[0:48, 0:48].astype(np.float32) / 48
    ramp = np.stack([xs, ys, xs], axis=-1)[None]
    y = SubsampleDraw(step, 0).apply(ShiftedGaussianDraw(25, 0.3 * step, (step - 1) / 2).apply(ramp))
    middles = step * np.arange(48 // step) + (step - 1) / 2
    inside = slice(4, 8)
    np.testing.assert_allclose(y[0, inside, inside, 0] * 48, np.tile(middles[inside], (4, 1)), atol=48 * ERROR)


def test_the_alignment_of_both_is_that_of_a_resize() -> None:
    recipe = parse_recipe("""
scale: 4
degrade:
  blur: {op: shifted_gaussian, size_range: 25, sigma_range: [0.1, 2.4], shift_range: 3/2}
  down: {op: subsample, step_range: 4}
""")
    plan = recipe.draw(key="a", geometry=Geometry(1, 64, 64))
    assert plan.lq_geometry.size == (16, 16)
    assert plan.alignment == (4.0, 0.0, 1.5, 0.0, 4.0, 1.5)


def test_a_moving_shift_is_refused() -> None:
    ranges = {"size_range": 9, "sigma_range": 1, "shift_range": {"uniform": [0, 1], "over_time": "iid"}}
    with pytest.raises(ValidationError, match="one for the whole clip"):
        ShiftedGaussian.model_validate(ranges)


@given(st.integers(1, 12), st.floats(0.05, 5), st.floats(-25, 25))
def test_an_even_side_has_its_centre_of_gravity_at_the_shift_too(half: int, sigma: float, shift: float) -> None:
    taps = shifted_taps(2 * half, sigma, shift)
    assert len(taps) % 2 == 1
    assert taps.sum() == pytest.approx(1)
    assert taps @ (np.arange(len(taps)) - len(taps) // 2) == pytest.approx(shift, abs=1e-9)


def test_an_even_side_moved_by_half_a_pixel_is_a_plain_gaussian() -> None:
    taps = shifted_taps(12, 1.6, 0.5)
    at = np.arange(12) - 5.5
    want = np.exp(-(at**2) / (2 * 1.6**2))
    np.testing.assert_allclose(taps[np.flatnonzero(taps)], want / want.sum(), rtol=1e-12)
    assert np.flatnonzero(taps)[0] - len(taps) // 2 == -5


def test_borders_reflect_or_repeat() -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 40, dtype=np.float32)[None, None, :, None], (1, 30, 40, 3)).copy()
    repeat, reflect = (ShiftedGaussianDraw(13, 2.0, 0.0, border).apply(ramp) for border in ("repeat", "reflect"))
    taps = shifted_taps(13, 2.0, 0.0)
    wide = np.pad(ramp[0, 0, :, 0], 6, mode="edge")
    np.testing.assert_allclose(repeat[0, 0, :, 0], np.convolve(wide, taps, mode="valid"), atol=ERROR)
    assert reflect[0, 0, 0, 0] > 1.5 * repeat[0, 0, 0, 0]
    np.testing.assert_allclose(repeat[:, :, 8:-8], reflect[:, :, 8:-8], atol=2 * ERROR)
