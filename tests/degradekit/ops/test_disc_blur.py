from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.ops.convolve import ERROR
from degradekit.ops.disc_blur import DiscBlur, DiscBlurDraw, disc
from degradekit.ops.kernels import effective_sigma
from degradekit.types import Array


def counted(radius: float, size: int, fine: int = 64) -> Array:
    """The kernel by counting points of a fine grid."""
    points = (np.arange(size * fine) + 0.5) / fine - size / 2
    inside = points[:, None] ** 2 + points[None, :] ** 2 <= radius * radius
    share: Array = inside.reshape(size, fine, size, fine).sum(axis=(1, 3)) / inside.sum()
    return share


@pytest.mark.parametrize("radius", [0.6, 1.0, 1.3, 1.5, 2.0, 3.7, 8.25])
def test_pixels_weigh_what_the_disc_covers(radius: float) -> None:
    kernel = disc(radius)
    np.testing.assert_allclose(kernel, counted(radius, len(kernel)), atol=2e-3 / radius**2)


def test_up_to_half_a_pixel_nothing_changes() -> None:
    x = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    assert DiscBlurDraw(0.5).apply(x) is x
    assert DiscBlurDraw(0.1).apply(x) is x


@given(st.floats(0.1, 25))
def test_kernels_are_even_and_grow_with_the_radius(radius: float) -> None:
    kernel = disc(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert kernel.min() >= 0
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-12)
    assert disc(radius + 0.01).max() <= kernel.max() + 1e-12


@pytest.mark.parametrize("radius", [3.3, 6.0, 12.5])
def test_its_width_is_half_the_radius_widened_by_the_pixel(radius: float) -> None:
    assert effective_sigma(disc(radius)) ** 2 == pytest.approx(radius**2 / 4 + 1 / 12, rel=0.01)


def test_an_impulse_shows_the_disc() -> None:
    x = np.zeros((1, 31, 41, 3), np.float32)
    x[0, 15, 20] = 1
    np.testing.assert_allclose(DiscBlurDraw(3.4).apply(x)[0, 12:19, 17:24, 1], disc(3.4), atol=ERROR)


def test_a_frame_has_its_own_radius() -> None:
    x = np.random.default_rng(0).random((2, 20, 30, 3), np.float32)
    y = DiscBlurDraw((0.4, 2.5)).apply(x)
    np.testing.assert_array_equal(y[0], x[0])
    np.testing.assert_array_equal(y[1], DiscBlurDraw(2.5).apply(x[1:])[0])


def test_no_radius_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"below 0.1; the radius is in px"):
        DiscBlur.model_validate({"radius_range": [0, 3]})
