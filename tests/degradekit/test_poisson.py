import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from degradekit import poisson
from degradekit.fields import CHUNK, normal_field
from degradekit.poisson import alias_table, level_table, poisson_field
from degradekit.rng import Draws, sample_key

FIELD = Draws(sample_key(0, "cat.png", 0), "degrade.noise1").field("field")
MANY = 10_000_000
ALPHA = 1e-4


def test_known_answers():
    # Changing these changes every noisy dataset that was ever built.
    assert poisson_field("00" * 16, np.float32([0.2, 1, 2, 3.5, 4, 10, 100, 1e6])).tolist() == [
        0,
        1,
        1,
        3,
        4,
        10,
        108,
        1000197,
    ]


def constant(rate, count=MANY):
    return np.full(count, rate, np.float32)


@pytest.mark.parametrize("rate", [0.1, 3.0, 4.0, 40.0, 255.0, 5000.0])
def test_goodness_of_fit(rate):
    counts = poisson_field(FIELD, constant(rate)).astype(np.int64)
    often = np.flatnonzero(MANY * stats.poisson.pmf(np.arange(6000), rate) > 10)
    lo, hi = often[0], often[-1]  # beyond these, the tails are one bin each
    expected = MANY * np.diff(np.concatenate([[0], stats.poisson.cdf(np.arange(lo, hi), rate), [1]]))
    observed = np.bincount(np.clip(counts, lo, hi) - lo, minlength=hi - lo + 1)
    assert stats.chisquare(observed, expected).pvalue > ALPHA


@pytest.mark.parametrize("rate", [0.001, 0.9, 3.99, 4.01, 17.3, 1e3, 1e6])
def test_mean_and_variance(rate):
    n = 2_000_000
    counts = poisson_field(FIELD, constant(rate, n)).astype(np.float64)
    exact = float(np.float32(rate))
    assert abs(counts.mean() - exact) < 4 * np.sqrt(exact / n)
    assert abs(counts.var() - exact) < 4 * np.sqrt((2 * exact**2 + exact) / n)


@pytest.mark.parametrize("rate", [4.0, 4.3, 6.1, 8.0, 12.5, 27.0, 150.0])
def test_quantiles_are_poisson(rate):
    # z takes the middle of a million equal shares: what is left is the error of the expansion in float32.
    z = special.ndtri((np.arange(2**20) + 0.5) / 2**20).astype(np.float32).reshape(-1, CHUNK)
    for row in z:
        poisson._large(constant(rate, CHUNK), row)
    counts = np.bincount(z.ravel().astype(np.int64))
    distance = np.abs(counts / 2**20 - stats.poisson.pmf(np.arange(len(counts)), rate)).sum() / 2
    assert distance < 1e-4


def test_counts_are_the_quantiles_of_the_normal_field():
    rates = np.exp(np.random.default_rng(0).uniform(np.log(4), np.log(1e5), 200_000)).astype(np.float32)
    exact = stats.poisson.ppf(special.ndtr(normal_field(FIELD, rates.size).astype(np.float64)), rates)
    difference = np.abs(poisson_field(FIELD, rates) - exact)
    assert difference.max() <= 1
    assert difference.mean() < 2e-4


def chances(table, bits):
    """The probability of each column that an alias table stands for, one row a rate."""
    columns, full = 1 << bits, 1 << (32 - bits)
    entries = table.reshape(-1, columns).astype(np.int64)
    accept, alias = entries % full, entries // full
    found = accept / 2**32
    for row, other in enumerate(alias):
        np.add.at(found[row], other, (full - accept[row]) / 2**32)
    return found


def test_alias_table_holds_the_poisson_distribution():
    exact = stats.poisson.pmf(np.arange(32), np.arange(32)[:, None] / 8)
    assert np.abs(chances(alias_table(), 5) - exact).max() < 32 * 2**-32


@pytest.mark.parametrize("peak", [1, 2, 64, 128, 256])
def test_level_tables_hold_the_poisson_distribution(peak):
    levels = np.arange(256)[:, None]
    counts = np.arange(256) + np.maximum(levels * peak // 256 - 128, 0)
    found, exact = chances(level_table(peak), 8), stats.poisson.pmf(counts, levels * peak / 255)
    assert np.abs(found - exact).max() < 256 * 2**-32
    assert (found * counts).sum(1) == pytest.approx(levels[:, 0] * peak / 255, abs=1e-5)


@pytest.mark.parametrize("peak", [1, 32, 256])
def test_level_counts_are_drawn_from_the_level_table(peak):
    # Every word 2^24 k + a with fixed a takes column k of the level's row, so all columns of all levels are visited.
    levels = np.repeat(np.arange(256, dtype=np.float32), 256).reshape(-1, CHUNK)
    words = (np.arange(CHUNK, dtype=np.uint32) % 256 << 24) + np.uint32(1 << 23)
    counts, entries = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.uint32)
    table = level_table(peak).reshape(256, 256).astype(np.int64)
    for row in levels:
        poisson.fill_level_counts(words, row, np.float32(peak), level_table(peak), entries, counts)
        level, column = row.astype(np.int64), np.arange(CHUNK) % 256
        taken = np.where(table[level, column] % 2**24 > 1 << 23, column, table[level, column] >> 24)
        assert np.array_equal(counts, taken + np.maximum(level * peak // 256 - 128, 0))


@pytest.mark.parametrize("rate", [1e-6, 0.01, 0.07, 0.1249])
def test_rest_is_the_inverse_survival_function(rate):
    words = np.random.default_rng(1).integers(0, 2**32, 2000, np.uint32) >> np.uint32(2)
    words = np.concatenate([words, np.arange(100, dtype=np.uint32) ** 4, np.uint32([2**32 - 1])])
    u = (words + 0.5) / 2**32
    exact = sum(u < special.gammainc(m, float(np.float32(rate))) for m in range(1, 7))
    found = [poisson._rest(np.float32(rate), word) for word in words]
    assert np.array_equal(found, exact)


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("rate", [2.7, 30.0])
def test_no_serial_correlation(rate, lag):
    n = 2_000_000
    counts = (poisson_field(FIELD, constant(rate, n)).astype(np.float64) - rate) / np.sqrt(rate)
    for values in (counts, counts**2 - 1):
        assert abs((values[lag:] * values[:-lag]).mean()) < 4.5 * (values**2).mean() / np.sqrt(n)


def test_neighbours_on_both_sides_of_the_switch_are_independent():
    n = 2_000_000
    rates = np.tile(np.float32([3.5, 4.5]), n // 2)
    counts = (poisson_field(FIELD, rates) - rates).astype(np.float64)
    assert abs((counts[:-1] * counts[1:]).mean()) < 4.5 * 4 / np.sqrt(n)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3 * CHUNK), st.integers(0, 3 * CHUNK), st.sampled_from([0.5, 4.0, 20.0]))
def test_a_part_equals_the_slice_of_the_whole(first, count, top):
    rates = (top * (np.arange(6 * CHUNK) % 97) / 48).astype(np.float32)
    whole = poisson_field(FIELD, rates)
    assert np.array_equal(poisson_field(FIELD, rates[first : first + count], first=first), whole[first : first + count])


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=40))
@settings(deadline=None)
def test_counts_are_whole_and_near_their_rate(values):
    rates = np.array(values, np.float32)
    counts = poisson_field(FIELD, rates)
    assert np.array_equal(counts, np.floor(counts))
    assert (counts >= 0).all()
    assert (np.abs(counts - rates) <= 8 * np.sqrt(rates) + 12).all()


def test_a_count_depends_on_its_own_rate_only():
    rates = np.random.default_rng(2).uniform(0, 30, 5000).astype(np.float32)
    others = rates.copy()
    others[::2] = 1.0
    assert np.array_equal(poisson_field(FIELD, rates)[1::2], poisson_field(FIELD, others)[1::2])


def test_no_rate_no_count():
    counts = poisson_field(FIELD, np.float32([[0, -1, np.nan], [-np.inf, 0, 1e-30]]))
    assert np.array_equal(counts, np.zeros((2, 3)))
