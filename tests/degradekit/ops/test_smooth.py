"""Smooth fields: normal, smooth, and the same at every size."""

from __future__ import annotations

import numpy as np
import pytest

from degradekit.ops.smooth import smooth_field
from degradekit.rng import Draws, sample_key


def many(count: int, **options: float) -> np.ndarray:
    return np.stack(
        [smooth_field(Draws(sample_key(0, str(i), 0), "f").field("clouds"), 24, 32, **options) for i in range(count)]
    )


def test_mean_0_and_variance_1_over_many() -> None:
    values = many(400, size=0.2)
    assert abs(values.mean()) < 0.05
    assert values.var() == pytest.approx(1, abs=0.08)
    assert abs((values**3).mean()) < 0.2


def test_larger_is_smoother() -> None:
    slopes = [np.abs(np.diff(many(20, size=size), axis=2)).mean() for size in (0.05, 0.1, 0.2, 0.4)]
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[0] > 4 * slopes[3]


def test_it_does_not_depend_on_the_number_of_px() -> None:
    field = Draws(sample_key(0, "a", 0), "f").field("clouds")
    small, large = smooth_field(field, 20, 30, size=0.15), smooth_field(field, 100, 150, size=0.15)
    np.testing.assert_allclose(large[2::5, 2::5], small, atol=2e-5)


def test_sides_of_one_px() -> None:
    field = Draws(sample_key(0, "a", 0), "f").field("clouds")
    assert smooth_field(field, 1, 1, size=0.5).shape == (1, 1)
    assert np.isfinite(smooth_field(field, 1, 300, size=0.02)).all()
