"""Oversharpen: the formula, coring, and what it does to an edge."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from degradekit.ops.kernels import gaussian_taps
from degradekit.ops.oversharpen import OversharpenDraw

X = np.random.default_rng(0).random((2, 40, 36, 3), np.float32)


def blurred(x: np.ndarray, sigma: float) -> np.ndarray:
    taps = gaussian_taps(2 * int(4 * sigma + 0.5) + 1, sigma)
    return correlate1d(correlate1d(x.astype(float), taps, axis=1, mode="mirror"), taps, axis=2, mode="mirror")


def test_amount_0_is_the_identity() -> None:
    np.testing.assert_array_equal(OversharpenDraw(1.5, 0, 0, "rgb").apply(X), X)


@pytest.mark.parametrize("sigma", [0.5, 1.3, 3])
def test_it_is_the_formula_within_the_stated_error(sigma: float) -> None:
    want = np.clip(X + 2 * (X - blurred(X, sigma)), 0, 1)
    np.testing.assert_allclose(OversharpenDraw(sigma, 2, 0, "rgb").apply(X), want, atol=2 * 0.25 / 255 + 1e-6)


def test_coring_takes_the_threshold_off_every_residual() -> None:
    residual = X - blurred(X, 1.5)
    want = X + np.sign(residual) * np.maximum(np.abs(residual) - 0.1, 0)
    np.testing.assert_allclose(OversharpenDraw(1.5, 1, 0.1, "rgb").apply(X), np.clip(want, 0, 1), atol=0.3 / 255)


def test_luma_sharpening_leaves_colour_differences() -> None:
    x = 0.4 + 0.2 * X
    y = OversharpenDraw(1, 1, 0, "luma").apply(x)
    np.testing.assert_allclose(y[..., 0] - y[..., 2], x[..., 0] - x[..., 2], atol=1e-6)
    assert np.abs(y - x).max() > 0.05


def test_frames_have_their_own_numbers() -> None:
    y = OversharpenDraw((1.0, 2.0), (0.0, 3.0), (0.0, 0.02), "rgb").apply(X)
    np.testing.assert_array_equal(y[0], X[0])
    np.testing.assert_allclose(y[1], OversharpenDraw(2.0, 3.0, 0.02, "rgb").apply(X[1:])[0], atol=1e-6)
