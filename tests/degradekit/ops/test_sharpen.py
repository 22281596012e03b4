"""Unsharp masking on strided rows against its definition, with a bound that counts undecided mask pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from degradekit.apply import to_float
from degradekit.ops.convolve import ERROR
from degradekit.ops.kernels import gaussian_taps
from degradekit.ops.sharpen import StridedGaussian, sharpen, strided_gaussian
from degradekit.types import Array, FloatImage

ROUNDING = 2e-6


def blur(x: Array, size: int, sigma: float) -> Array:
    taps = gaussian_taps(size, sigma)
    rows = ndimage.correlate1d(x, taps, axis=1, mode="mirror")
    result: Array = ndimage.correlate1d(rows, taps, axis=2, mode="mirror")
    return result


def defined(x: FloatImage, size: int, sigma: float, amount: float, threshold: float) -> tuple[Array, Array]:
    """The definition in float64, and how far the fast path may be from it, for each sample."""
    wide = x.astype(np.float64)
    residual = wide - blur(wide, size, sigma)
    soft = blur((np.abs(residual) > threshold).astype(np.float64), size, sigma)
    sharp = np.clip(wide + amount * residual, 0, 1)
    error = strided_gaussian(size, sigma).error + ROUNDING
    undecided = blur((np.abs(np.abs(residual) - threshold) <= error).astype(np.float64), size, sigma)
    bound = (error + undecided) * (np.abs(sharp - wide) + amount * error) + amount * error + ROUNDING
    return wide + soft * (sharp - wide), bound


def picture(h: int, w: int, kind: str, seed: int = 0) -> FloatImage:
    rng = np.random.default_rng(seed)
    noise = rng.random((1, h, w, 3))
    if kind == "noise":
        return (noise > 0.5).astype(np.float32)
    if kind == "smooth":
        soft = ndimage.gaussian_filter(noise, (0, 2, 2, 0), mode="mirror")
        smooth: FloatImage = np.clip((soft - soft.mean()) * 3 + 0.5, 0, 1).astype(np.float32)
        return smooth
    y, x = np.mgrid[0:h, 0:w]
    steps = ((x + 2 * y) // 13 % 3 / 2)[None, :, :, None]
    return np.repeat(steps, 3, axis=3).astype(np.float32)


kinds = st.sampled_from(["noise", "smooth", "steps"])


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40), st.integers(1, 70), kinds, st.integers(0, 40), st.floats(0.3, 16), st.floats(0, 2),
    st.floats(0, 0.3), st.integers(0, 99),
)  # fmt: skip
def test_equals_the_definition_within_the_bound(
    h: int, w: int, kind: str, reach: int, sigma: float, amount: float, threshold: float, seed: int
) -> None:
    x = picture(h, w, kind, seed)
    wanted, bound = defined(x, 2 * reach + 1, sigma, amount, threshold)
    excess = np.abs(sharpen(x, strided_gaussian(2 * reach + 1, sigma), amount, threshold) - wanted) - bound
    assert excess.max() <= 0


@pytest.mark.parametrize("kind", ["noise", "smooth", "steps"])
@pytest.mark.parametrize(("h", "w"), [(150, 200), (101, 99), (64, 43), (30, 300)])
def test_half_a_level_with_the_numbers_of_real_esrgan(kind: str, h: int, w: int) -> None:
    x = picture(h, w, kind)
    wanted, _ = defined(x, 51, 8.0, 0.5, 10 / 255)
    assert np.abs(sharpen(x, strided_gaussian(51, 8.0), 0.5, 10 / 255) - wanted).max() < 0.5 / 255


@settings(deadline=None, max_examples=60)
@given(kinds, st.integers(0, 100), st.floats(0.05, 100), st.floats(0, 10), st.floats(0, 1), st.integers(0, 99))
def test_half_a_level_for_every_amount(
    kind: str, reach: int, sigma: float, amount: float, threshold: float, seed: int
) -> None:
    """Apart from the share of pixels whose residual equals the threshold, which has its own test."""
    x, size = picture(60, 47, kind, seed), 2 * reach + 1
    gaussian = strided_gaussian(size, sigma, amount)
    wanted, _ = defined(x, size, sigma, amount, threshold)
    error = gaussian.error + ROUNDING
    residual = x - blur(x.astype(np.float64), size, sigma)
    undecided = blur((np.abs(np.abs(residual) - threshold) <= error).astype(np.float64), size, sigma)
    doubt = undecided * (np.abs(np.clip(x + amount * residual, 0, 1) - x) + amount * error)
    assert (np.abs(sharpen(x, gaussian, amount, threshold) - wanted) - doubt).max() < 0.5 / 255


def test_an_undecided_pixel_moves_its_neighbourhood_by_its_share() -> None:
    """Whether a pixel whose residual equals the threshold counts changes the result by less than 0.07 levels."""
    x = np.full((1, 101, 101, 1), 0.5, np.float32)
    x[0, 50, 50] += 0.2
    residual = float((x.astype(np.float64) - blur(x.astype(np.float64), 51, 8.0))[0, 50, 50, 0])
    gaussian = strided_gaussian(51, 8.0)
    below, above = (sharpen(x, gaussian, 0.5, residual + sign * 2 * gaussian.error) for sign in (1, -1))
    share = gaussian_taps(51, 8.0)[25] ** 2
    assert np.abs(above - below).max() == pytest.approx(share * 0.5 * residual, rel=0.01)
    assert share * 0.5 * residual < 0.07 / 255


@pytest.mark.parametrize(
    ("size", "sigma", "stride"), [(51, 8.0, 4), (101, 15.0, 4), (21, 3.0, 1), (31, 4.0, 2), (7, 1.0, 1), (1, 1.0, 1)]
)
def test_stride_follows_the_width(size: int, sigma: float, stride: int) -> None:
    assert strided_gaussian(size, sigma).stride == stride


def phase_kernel(gaussian: StridedGaussian, row: int, span: int) -> Array:
    """The vertical kernel that row ``row`` of a block of four really gets, centred in ``span`` samples."""
    weights = gaussian.weights.reshape(-1, 4)[:, row].astype(np.float64)
    kernel = np.zeros(span)
    for k, weight in enumerate(weights):
        centre = span // 2 + (gaussian.first + k) * gaussian.stride - row
        start = centre - len(gaussian.taps) // 2
        kernel[start : start + len(gaussian.taps)] += weight * gaussian.taps
    return kernel


@given(st.integers(0, 100), st.floats(0.05, 100))
@settings(deadline=None)
def test_no_row_deviates_by_more_than_is_said(reach: int, sigma: float) -> None:
    gaussian = strided_gaussian(2 * reach + 1, sigma)
    span = 2 * reach + 101
    exact = np.zeros(span)
    exact[50 : 51 + 2 * reach] = gaussian_taps(2 * reach + 1, sigma)
    assert gaussian.error <= ERROR
    for row in range(4):
        deviation = np.abs(phase_kernel(gaussian, row, span) - exact).sum() / 2
        assert deviation <= gaussian.error + 1e-6


def test_constants_and_ramps_stay() -> None:
    gaussian = strided_gaussian(51, 8.0)
    x = np.full((1, 40, 60, 3), 0.7, np.float32)
    np.testing.assert_allclose(sharpen(x, gaussian, 1.0, 0.0), x, atol=ROUNDING)
    ramp = np.broadcast_to(np.linspace(0.2, 0.8, 200, dtype=np.float32)[None, None, :, None], (1, 40, 200, 3))
    inside = np.s_[:, :, 60:-60]
    np.testing.assert_allclose(sharpen(ramp, gaussian, 1.0, 0.01)[inside], ramp[inside], atol=ROUNDING)


def test_result_is_in_range_and_input_untouched() -> None:
    x = picture(50, 60, "noise")
    before = x.copy()
    y = sharpen(x, strided_gaussian(51, 8.0), 3.0, 0.0)
    assert y.min() >= 0
    assert y.max() <= 1
    np.testing.assert_array_equal(x, before)


def test_frames_are_sharpened_alone() -> None:
    x = np.concatenate([picture(42, 61, "smooth", seed) for seed in range(3)])
    together = sharpen(x, strided_gaussian(51, 8.0), 0.5, 0.02)
    for frame, alone in zip(together, x, strict=True):
        np.testing.assert_array_equal(frame, sharpen(alone[None], strided_gaussian(51, 8.0), 0.5, 0.02)[0])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(0, 40), st.floats(0.3, 16), st.sampled_from([np.uint8, np.uint16]))
def test_levels_are_read_as_their_floats(h: int, reach: int, sigma: float, depth: type[np.unsignedinteger]) -> None:
    """Pictures of any height, also far higher than the ring of rows, which the definition confirms."""
    levels = np.random.default_rng(h).integers(0, np.iinfo(depth).max, (2, h, 3, 3), endpoint=True).astype(depth)
    x = to_float(levels)
    gaussian = strided_gaussian(2 * reach + 1, sigma, 0.5)
    found = sharpen(levels, gaussian, 0.5, 10 / 255)
    assert np.array_equal(found, sharpen(x, gaussian, 0.5, 10 / 255))
    wanted, bound = defined(x, 2 * reach + 1, sigma, 0.5, 10 / 255)
    assert (np.abs(found - wanted) <= bound).all()
