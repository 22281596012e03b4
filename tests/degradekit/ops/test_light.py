from __future__ import annotations

import numpy as np

from degradekit.ops.light import encoded, linear


def test_the_curve_is_that_of_the_standard() -> None:
    x = np.linspace(0, 1, 10001)
    expected = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(linear(x.astype(np.float32)), expected, atol=1e-6)
    back = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(encoded(x.astype(np.float32)), back, atol=1e-6)


def test_black_white_and_the_way_back() -> None:
    ends = np.array([0, 1], np.float32)
    np.testing.assert_array_equal(linear(ends), ends)
    np.testing.assert_array_equal(encoded(ends), ends)
    x = np.linspace(-0.2, 1.3, 3001, dtype=np.float32)
    np.testing.assert_allclose(encoded(linear(x)), x, atol=2e-6)


def test_overshoot_below_is_mirrored() -> None:
    x = np.linspace(0, 1, 101, dtype=np.float32)
    np.testing.assert_array_equal(linear(-x), -linear(x))
    np.testing.assert_array_equal(encoded(-x), -encoded(x))


def test_both_rise() -> None:
    x = np.linspace(0, 1.5, 200001, dtype=np.float32)
    assert np.diff(linear(x)).min() > -1e-7
    assert np.diff(encoded(x)).min() > -3e-7
