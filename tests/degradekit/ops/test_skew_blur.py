from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from degradekit.ops.convolve import ERROR
from degradekit.ops.kernels import gaussian
from degradekit.ops.skew_blur import SkewBlurDraw, skew_gaussian
from degradekit.types import Array

SKEW = st.floats(-20, 20)


def centre(kernel: Array) -> tuple[float, float]:
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    return float(kernel.sum(axis=0) @ offsets), float(kernel.sum(axis=1) @ offsets)


def test_no_skew_is_a_gaussian() -> None:
    kernel = skew_gaussian(15, 1.5, 0.8, 0.6, 0.0, 0.0)
    np.testing.assert_allclose(kernel[1:-1, 1:-1], gaussian(15, 1.5, 0.8, 0.6), atol=1e-12)


@settings(deadline=None)
@given(st.integers(1, 10), st.floats(0.1, 5), st.floats(0.1, 5), st.floats(-3.2, 3.2), SKEW, SKEW)
@example(3, 5.0, 0.125, -1.0, 5.0, 5.0)  # cut off so much that the mean lies more than a pixel aside
def test_the_centre_of_gravity_stays(half: int, sx: float, sy: float, rotation: float, ax: float, ay: float) -> None:
    kernel = skew_gaussian(2 * half + 1, sx, sy, rotation, ax, ay)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1)
    assert centre(kernel) == pytest.approx((0, 0), abs=1e-9)


def test_moments_are_those_of_the_skew_normal_distribution() -> None:
    kernel, delta = skew_gaussian(61, 4.0, 4.0, 0.0, 3.0, 0.0), 3 / math.sqrt(10)
    offsets = np.arange(63) - 31
    along, across = kernel.sum(axis=0), kernel.sum(axis=1)
    variance = 16 * (1 - 2 * delta**2 / math.pi)
    assert along @ offsets**2 == pytest.approx(variance, rel=0.01)
    assert across @ offsets**2 == pytest.approx(16, rel=0.01)
    third = (4 - math.pi) / 2 * (delta * math.sqrt(2 / math.pi)) ** 3 * 4**3
    assert along @ offsets**3 == pytest.approx(third, rel=0.02)
    assert across @ offsets**3 == pytest.approx(0, abs=1e-6)


def test_the_profile_is_a_normal_density_times_its_distribution() -> None:
    normal, mean = NormalDist(), math.sqrt(2 / math.pi) * 2 / math.sqrt(5)
    row = skew_gaussian(41, 5.0, 5.0, 0.0, 2.0, 0.0)[21]
    u = (np.arange(43) - 21) / 5 + mean
    expected = np.array([normal.pdf(value) * normal.cdf(2 * value) for value in u])
    np.testing.assert_allclose(row / row.max(), expected / expected.max(), atol=0.02)


def test_an_impulse_becomes_the_spot_with_its_tail_to_the_right() -> None:
    x = np.zeros((1, 51, 51, 3), np.float32)
    x[0, 25, 25] = 1
    kernel = skew_gaussian(17, 2.0, 1.2, 0.3, 4.0, -2.0)
    found = SkewBlurDraw(17, 2.0, 1.2, 0.3, 4.0, -2.0).apply(x)[0, 16:35, 16:35, 1]
    np.testing.assert_allclose(found, kernel, atol=ERROR)
    assert skew_gaussian(17, 2.0, 2.0, 0.0, 4.0, 0.0)[9].argmax() < 9
