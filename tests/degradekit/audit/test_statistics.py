"""Tests of the tests: they stay silent where nothing is, and see what is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from degradekit.audit.reference import draw_columns, make_reference
from degradekit.audit.statistics import adjusted, bound, chi_square, clopper_pearson, kolmogorov, median_error
from degradekit.types import Geometry
from tests.degradekit.audit import catalogue as c


@given(st.integers(1, 5000), st.integers(0, 40))
def test_the_bound_is_where_so_few_are_one_in_twenty(examined, found):
    limit = bound(examined, found)
    if found < examined:
        assert stats.binom.cdf(found, examined, limit) == pytest.approx(0.05, rel=1e-6)
    else:
        assert limit == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_keep_their_order_and_never_shrink(p):
    out = adjusted(p)
    assert np.all(out >= np.array(p) - 1e-12)
    assert np.all(out <= 1)
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(out[order]) >= -1e-12)


def test_distances_of_equal_samples_are_seldom_certain():
    rng = np.random.default_rng(0)
    p_words, p_numbers = [], []
    for _ in range(300):
        first, second = (rng.multinomial(800, np.full(20, 0.05)) for _ in range(2))
        p_words.append(chi_square(first, second, 800, 800)[1])
        p_numbers.append(kolmogorov(first, second, 800, 800)[1])
    for p in (p_words, p_numbers):
        assert np.mean(np.array(p) < 0.05) < 0.09
        assert min(p) > 1e-4
    assert kolmogorov(np.array([800, 0]), np.array([500, 300]), 800, 800) == (0.375, pytest.approx(0, abs=1e-40))


def test_intervals_hold_the_share():
    low, high = clopper_pearson(3, 60)
    assert low < 0.05 < high
    assert clopper_pearson(0, 10)[0] == 0
    assert median_error(np.random.default_rng(0).normal(size=10_000)) == pytest.approx(0.01253, rel=0.05)


def test_a_reference_counts_what_the_recipe_draws():
    recipe = c.recipe_of()
    sizes = [Geometry(1, c.SIDE, c.SIDE)]
    reference = make_reference(draw_columns(recipe, sizes, 0, 1000), recipe.columns())
    noise = reference.axes["deg.noise.op", ""]
    assert dict(zip(noise.words, noise.expected, strict=False))["gaussian_noise"] == pytest.approx(900, abs=40)
    sigma = reference.axes["deg.blur.sigma_x", "gaussian_blur"]
    assert 0.4 <= sigma.low < 0.45
    assert 2.95 < sigma.high <= 3
    assert sigma.count(np.array([-1.0, sigma.low, 99.0]), np.ones(3)).tolist() == [
        1,
        1,
        *[0] * (len(sigma.edges) - 2),
        1,
    ]
    assert sigma.expected.sum() == 1000
    assert reference.collisions == 0
    assert reference.passing == 0
    mode = reference.axes["deg.down.mode", "resize"]
    assert mode.count(np.array(["area", "lanczos"]), np.array([2, 1])).tolist() == [2, 0, 1]
