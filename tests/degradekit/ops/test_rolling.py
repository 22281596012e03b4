from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate

from degradekit.ops.disc_blur import DiscBlurDraw, disc
from degradekit.ops.rolling import RESTART, convolve_rolling
from degradekit.types import Array


def exact(x: Array, weights: Array) -> Array:
    return correlate(x.astype(np.float64), weights[None, :, :, None], mode="mirror")


@pytest.mark.parametrize("shape", [(1, 40, 31, 3), (2, 7, 9, 1), (1, 1, 5, 3)])
def test_any_kernel_is_correlated(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = rng.random(shape, np.float32)
    for weights in (rng.random((5, 3)) / 15, disc(3.3), np.array([[1.0]])):
        np.testing.assert_allclose(convolve_rolling(x, weights), exact(x, weights), atol=2e-6)


def test_rounding_does_not_add_up_over_many_rows() -> None:
    x = np.random.default_rng(0).random((1, 3 * RESTART + 5, 8, 1), np.float32)
    weights = disc(6.5)
    error = np.abs(convolve_rolling(x, weights) - exact(x, weights))[0, ..., 0].max(axis=1)
    assert error.max() < 2e-5
    assert error[-RESTART:].max() < 2 * error[:RESTART].max()


def test_large_discs_go_this_way() -> None:
    x = np.random.default_rng(0).random((2, 60, 50, 3), np.float32)
    y = DiscBlurDraw((13.9, 14.6)).apply(x)
    for t, radius in enumerate((13.9, 14.6)):
        np.testing.assert_allclose(y[t], exact(x, disc(radius))[t], atol=0.25 / 255)
    np.testing.assert_allclose(y[1], exact(x, disc(14.6))[1], atol=1e-5)
