"""Quantiles and cumulative shares against draws and against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.dist import Choice, Const, Dist, Histogram, Integer, LogUniform, Mixture, PowerUniform, Uniform
from degradekit.dist.quantile import cdf, quantile
from degradekit.rng import Draws

DISTS = [
    Const(3.0),
    Uniform(0.2, 3.0),
    LogUniform(10.0, 1000.0),
    PowerUniform(0.01, 3.0, exponent=2),
    PowerUniform(0.125, 1.0, exponent=-1),
    Integer(7, 21, 2),
    Choice((5.0, 1.0, 2.0), (0.2, 0.5, 0.3)),
    Mixture((Uniform(1.0, 1.5), Uniform(0.15, 1.0), Const(1.0)), (0.2, 0.7, 0.1)),
    Histogram((0.0, 1.0, 2.0, 4.0), (1.0, 0.0, 2.0)),
]


@pytest.mark.parametrize("dist", DISTS, ids=lambda dist: type(dist).__name__)
def test_both_agree_with_draws(dist: Dist) -> None:
    u = Draws(5)
    drawn = np.sort([dist.sample(u, "x", i) for i in range(4000)])
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        x = quantile(dist, q)
        # The share of draws at or below the quantile is q, up to the jump there.
        assert np.mean(drawn < x) - 0.03 <= q <= np.mean(drawn <= x) + 0.03
        assert cdf(dist, x) == pytest.approx(np.mean(drawn <= x), abs=0.03)


@pytest.mark.parametrize("dist", DISTS, ids=lambda dist: type(dist).__name__)
def test_the_ends_are_those_of_the_support(dist: Dist) -> None:
    low, high = dist.support()
    assert (quantile(dist, 0.0), quantile(dist, 1.0)) == pytest.approx((low, high))
    assert cdf(dist, high) == pytest.approx(1.0)
    assert cdf(dist, low - 1e-6) == 0.0


@given(q=st.floats(0.001, 0.999), index=st.integers(0, len(DISTS) - 1))
def test_a_quantile_is_the_smallest_number_with_that_share(q: float, index: int) -> None:
    dist = DISTS[index]
    x = quantile(dist, q)
    assert cdf(dist, x) >= q - 1e-9
    assert cdf(dist, math.nextafter(x, -math.inf) - 1e-9 * abs(x)) <= q + 1e-9


def test_an_atom_inside_a_mixture_is_hit_exactly() -> None:
    assert quantile(Mixture((Uniform(1.0, 1.5), Uniform(0.15, 1.0), Const(1.0)), (0.2, 0.7, 0.1)), 0.75) == 1.0


def test_whole_numbers_stay_whole() -> None:
    assert [quantile(Integer(7, 21, 2), q) for q in (0, 0.25, 0.5, 1)] == [7, 9, 13, 21]
    assert isinstance(quantile(Integer(7, 21, 2), 0.3), int)
