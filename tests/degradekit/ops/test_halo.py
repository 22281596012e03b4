"""Halo: the response to an edge and to an impulse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.halo import HaloDraw

X = np.random.default_rng(0).random((2, 21, 31, 3), np.float32)


def grey(line: list[float]) -> np.ndarray:
    return np.repeat(np.float32(line), 3).reshape(1, 1, -1, 3)


def test_amount_0_and_flat_pictures_stay() -> None:
    np.testing.assert_array_equal(HaloDraw(2.5, 0, "both", "both").apply(X), X)
    flat = np.full((1, 9, 9, 3), 0.4, np.float32)
    np.testing.assert_allclose(HaloDraw(2.5, 3, "both", "both").apply(flat), flat, atol=1e-6)


def test_an_impulse_gets_two_dark_echoes_at_the_distance() -> None:
    x = grey([0.4] * 6 + [0.6] + [0.4] * 6)
    y = HaloDraw(3, 1, "horizontal", "both").apply(x)[0, 0, :, 0]
    want = np.array([0.4] * 3 + [0.3] + [0.4] * 2 + [0.8] + [0.4] * 2 + [0.3] + [0.4] * 3)
    np.testing.assert_allclose(y, want, atol=1e-6)


def test_a_broken_distance_lies_between() -> None:
    x = grey([0.4] * 6 + [0.6] + [0.4] * 6)
    low, middle, high = (HaloDraw(d, 1, "horizontal", "both").apply(x) for d in (2, 2.25, 3))
    np.testing.assert_allclose(middle, 0.75 * low + 0.25 * high, atol=1e-6)


@pytest.mark.parametrize(("lines", "low", "high"), [("both", 0.2, 0.8), ("light", 0.3, 0.8), ("dark", 0.2, 0.7)])
def test_an_edge_overshoots_by_half_the_amount(lines: str, low: float, high: float) -> None:
    y = HaloDraw(2, 0.5, "horizontal", lines).apply(grey([0.3] * 8 + [0.7] * 8))
    assert (y.min(), y.max()) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_directions() -> None:
    """Stripes along one axis have no edges along the other."""
    line = (np.arange(16) // 4 % 2 * 0.2 + 0.4).astype(np.float32)
    stripes = np.ascontiguousarray(np.broadcast_to(line[:, None], (1, 16, 16, 3)))
    turned = np.ascontiguousarray(stripes.swapaxes(1, 2))
    np.testing.assert_allclose(HaloDraw(2, 1, "vertical", "both").apply(stripes), stripes, atol=1e-6)
    np.testing.assert_array_equal(
        HaloDraw(2, 1, "vertical", "both").apply(turned),
        HaloDraw(2, 1, "horizontal", "both").apply(stripes).swapaxes(1, 2),
    )


@given(st.floats(0.25, 6), st.floats(0, 0.4))
def test_colour_differences_stay(distance: float, amount: float) -> None:
    x = 0.4 + 0.2 * X
    y = HaloDraw(distance, amount, "both", "both").apply(x)
    np.testing.assert_allclose(y[..., 0] - y[..., 2], x[..., 0] - x[..., 2], atol=1e-6)
