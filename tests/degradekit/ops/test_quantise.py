"""Quantise: staircases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.quantise import QuantiseDraw

X = np.random.default_rng(0).random((2, 19, 17, 3), np.float32)
EIGHT_BIT = (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(1, 16, 16, 1)


def test_eight_bits_leave_eight_bit_values() -> None:
    for rounding in ("nearest", "truncate"):
        np.testing.assert_allclose(QuantiseDraw(256, rounding, "rgb").apply(EIGHT_BIT), EIGHT_BIT, atol=1e-7)


@pytest.mark.parametrize("bits", range(1, 9))
def test_truncation_cuts_low_bits(bits: int) -> None:
    y = QuantiseDraw(2**bits, "truncate", "rgb").apply(EIGHT_BIT)
    want = np.arange(256) & (0xFF << (8 - bits))
    np.testing.assert_array_equal(np.rint(y.ravel() * 255), want)
    np.testing.assert_allclose(y.ravel() * 255, want, atol=1e-4)


@given(st.integers(2, 300))
def test_the_nearest_of_so_many_levels(levels: int) -> None:
    y = QuantiseDraw(levels, "nearest", "rgb").apply(X)
    steps = y.astype(float) * (levels - 1)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    assert np.abs(y - X).max() <= 0.5 / (levels - 1) + 1e-6
    np.testing.assert_allclose(QuantiseDraw(levels, "nearest", "rgb").apply(y), y, atol=1e-6)


def test_luma_bands_leave_the_colour() -> None:
    x = 0.3 + 0.4 * X
    y = QuantiseDraw(6, "nearest", "luma").apply(x)
    np.testing.assert_allclose(y - y.mean(-1, keepdims=True), x - x.mean(-1, keepdims=True), atol=1e-6)
    steps = (y @ np.float32([0.299, 0.587, 0.114])) * 5
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-5)


def test_ycbcr_keeps_greys_grey_and_is_the_identity_with_many_levels() -> None:
    grey = np.repeat(X[..., :1], 3, -1)
    y = QuantiseDraw(9, "nearest", "ycbcr").apply(grey)
    assert np.ptp(y, axis=-1).max() < 1e-6
    np.testing.assert_allclose(QuantiseDraw(65535, "nearest", "ycbcr").apply(X), X, atol=5e-5)
