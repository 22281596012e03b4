"""Powers: against float64, and what must be exact."""

from __future__ import annotations

import numpy as np
import pytest

from degradekit.ops.power import power

RAMP = np.linspace(0, 1, 1 << 16).astype(np.float32)


@pytest.mark.parametrize("exponent", [0.05, 0.2, 0.45, 1, 1.5, 2.2, 20])
def test_the_stated_errors_hold(exponent: float) -> None:
    exact = RAMP.astype(np.float64) ** float(np.float32(exponent))
    error = np.abs(power(RAMP, exponent) - exact)
    assert error.max() < 2e-7
    assert (error <= 1e-5 * exact + 2.0**-126).all()


@pytest.mark.parametrize("exponent", [0.05, 0.7, 2.4, 20])
def test_order_stays(exponent: float) -> None:
    assert (np.diff(power(RAMP, exponent)) >= 0).all()


def test_black_white_and_what_lies_outside() -> None:
    for exponent in (0.3, 1.0, 7.0):
        assert power(np.float32([-3, -0.0, 0, 1]), exponent).tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(power(np.float32([1.25, 4]), 3), [1.25**3, 64], rtol=4e-6)
    assert np.isfinite(power(np.float32([1e-45, 1e30, 3e38]), 20)).all()
