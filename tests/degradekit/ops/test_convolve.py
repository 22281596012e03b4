"""Convolution: the error bound over all kernels, borders of tiny images, exact cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from degradekit.errors import OpError
from degradekit.ops import kernels
from degradekit.ops.convolve import ERROR, convolve, convolve_frames
from degradekit.types import Array, FloatImage

ROUNDING = 2e-6  # float32 sums of up to a few hundred terms of size 1


def exact(x: Array, kernel: Array) -> Array:
    """The definition in float64; scipy's ``mirror`` is reflection about the outermost samples, repeated as needed."""
    result: Array = ndimage.correlate(x.astype(np.float64), np.asarray(kernel)[None, :, :, None], mode="mirror")
    return result


def image(shape: tuple[int, ...], seed: int = 0) -> FloatImage:
    return np.random.default_rng(seed).integers(0, 2, shape).astype(np.float32)


@st.composite
def blur_kernels(draw: st.DrawFn) -> Array:
    size = 2 * draw(st.integers(0, 12)) + 1
    sx, sy = draw(st.floats(0.1, 8)), draw(st.floats(0.1, 8))
    rotation, beta = draw(st.floats(-math.pi, math.pi)), draw(st.floats(0.4, 6))
    return draw(
        st.sampled_from(
            [
                kernels.gaussian(size, sx, sy, rotation),
                kernels.generalized_gaussian(size, sx, sy, rotation, beta),
                kernels.generalized_gaussian(size, sx, sx, 0.0, beta),
                kernels.plateau(size, sx, sy, rotation, beta),
                kernels.plateau(size, sx, sx, 0.0, beta),
                kernels.sinc(size, draw(st.floats(0.3, math.pi))),
            ]
        )
    )


@settings(deadline=None)  # the first example may compile
@given(blur_kernels(), st.integers(0, 99))
def test_error_bound_on_black_and_white_noise(kernel: Array, seed: int) -> None:
    x = image((1, 30, 61, 3), seed)
    assert np.abs(convolve(x, kernel) - exact(x, kernel)).max() <= ERROR + ROUNDING


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 25), st.floats(0.01, 50), st.floats(0.01, 50), st.floats(-7, 7), st.floats(0.1, 20),
    st.floats(0.01, math.pi), st.integers(0, 99),
)  # fmt: skip
def test_half_a_level_for_every_kernel_that_a_recipe_may_ask_for(
    reach: int, sx: float, sy: float, rotation: float, beta: float, cutoff: float, seed: int
) -> None:
    x, size = image((1, 24, 37, 1), seed), 2 * reach + 1
    for kernel in (
        kernels.gaussian(size, sx, sy, rotation),
        kernels.generalized_gaussian(size, sx, sy, rotation, beta),
        kernels.plateau(size, sx, sy, rotation, beta),
        kernels.sinc(size, cutoff),
    ):
        assert np.abs(convolve(x, kernel) - exact(x, kernel)).max() < 0.5 / 255


@settings(deadline=None)  # the first example may compile
@given(blur_kernels())
def test_a_constant_stays_constant(kernel: Array) -> None:
    x = np.full((1, 9, 13, 3), 0.75, np.float32)
    np.testing.assert_allclose(convolve(x, kernel), x, atol=ROUNDING)


@settings(deadline=None)  # the first example may compile
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(0, 10), st.integers(0, 10))
def test_images_smaller_than_the_kernel_reflect_again_and_again(h: int, w: int, c: int, ry: int, rx: int) -> None:
    rng = np.random.default_rng([h, w, c, ry, rx])
    kernel = rng.random((2 * ry + 1, 2 * rx + 1))
    kernel /= kernel.sum()
    x = rng.random((2, h, w, c), dtype=np.float32)
    assert np.abs(convolve(x, kernel) - exact(x, kernel)).max() <= ERROR + ROUNDING


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.gaussian(15, 1.0, 3.0, 0.6),
        kernels.gaussian(21, 3.0, 0.3, math.pi / 4),
        kernels.sinc(13, 1.1),
        kernels.plateau(9, 2.0, 2.0, 0.0, 1.5),
    ],
)
def test_impulse_response_is_the_kernel(kernel: Array) -> None:
    x = np.zeros((1, 41, 51, 3), np.float32)
    x[0, 20, 25] = 1
    reach = kernel.shape[0] // 2
    found = convolve(x, kernel)[0, 20 - reach : 21 + reach, 25 - reach : 26 + reach]
    np.testing.assert_allclose(found, np.repeat(kernel[:, :, None], 3, axis=2), atol=ERROR)


def test_asymmetric_kernels_are_correlated() -> None:
    x = np.zeros((1, 9, 9, 1), np.float32)
    x[0, 4, 4] = 1
    kernel = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 0]])
    assert convolve(x, kernel)[0, 4, 3, 0] == 1


@settings(deadline=None)  # the first example may compile
@given(blur_kernels())
def test_a_ramp_stays_a_ramp_inside(kernel: Array) -> None:
    x = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32)[None, None, :, None], (1, 8, 64, 3))
    inside = slice(13, 51)
    np.testing.assert_allclose(convolve(x, kernel)[:, :, inside], x[:, :, inside], atol=ERROR + ROUNDING)


def test_frames_are_filtered_alone() -> None:
    x = image((3, 20, 50, 3))
    kernel = kernels.plateau(11, 2.0, 1.0, 0.3, 1.2)
    together = convolve(x, kernel)
    for frame, alone in zip(together, x, strict=True):
        np.testing.assert_array_equal(frame, convolve(alone[None], kernel)[0])


def test_any_layout_in_and_nothing_touched() -> None:
    x = image((1, 30, 40, 3))
    before = x.copy()
    turned = convolve(x.transpose(0, 2, 1, 3), kernels.gaussian(7, 1.0, 1.0))
    straight = convolve(x, kernels.gaussian(7, 1.0, 1.0))
    np.testing.assert_allclose(turned.transpose(0, 2, 1, 3), straight, atol=2 * ERROR)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("kernel", [np.ones((1, 1)), kernels.gaussian(21, 0.05, 0.05), kernels.sinc(1, 2.0)])
def test_an_impulse_changes_nothing(kernel: Array) -> None:
    x = image((1, 8, 8, 3))
    assert convolve(x, kernel) is x


def test_a_factor_is_applied() -> None:
    x = image((1, 8, 8, 3))
    np.testing.assert_array_equal(convolve(x, np.full((1, 1), 0.5)), 0.5 * x)


@pytest.mark.parametrize("kernel", [np.zeros((5, 5)), np.diag([1.0, 0.0, -1.0])])
def test_kernels_of_sum_zero(kernel: Array) -> None:
    x = image((1, 12, 12, 2))
    np.testing.assert_allclose(convolve(x, kernel), exact(x, kernel), atol=2 * ERROR)


@pytest.mark.parametrize("shape", [(4, 5), (3,), (2, 2)])
def test_kernels_without_a_centre_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(OpError, match="both sides must be odd"):
        convolve(image((1, 8, 8, 3)), np.ones(shape))


def test_kernels_that_are_not_finite_are_refused() -> None:
    with pytest.raises(OpError, match="not finite"):
        convolve(image((1, 8, 8, 3)), np.full((3, 3), np.nan))


def test_numbers_for_each_frame_make_a_kernel_for_each_frame() -> None:
    x = image((3, 20, 50, 3))
    found = convolve_frames(x, kernels.sinc, 9, (1.0, 2.0, 3.0))
    for t, cutoff in enumerate((1.0, 2.0, 3.0)):
        np.testing.assert_array_equal(found[t], convolve(x[t : t + 1], kernels.sinc(9, cutoff))[0])
