import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from degradekit.fields import CHUNK, _radius, _turn, normal_field, split_field, uniform_field
from degradekit.rng import Draws, philox4x32, sample_key

FIELD = Draws(sample_key(0, "cat.png", 0), "degrade.noise1").field("field")
MANY = 10_000_000
ALPHA = 1e-4


def words(field, count, first=0):
    """The words of a field, in plain integers."""
    key, stream = (int(part) for part in split_field(field))
    halves = (key & 0xFFFFFFFF, key >> 32)
    out = []
    for block in range(first // 4, (first + count + 3) // 4):
        counter = (block & 0xFFFFFFFF, block >> 32, stream & 0xFFFFFFFF, stream >> 32)
        out.extend(philox4x32(counter, halves))
    return np.array(out[first % 4 : first % 4 + count], np.float64)


def exact_normals(field, count):
    """Box-Muller in float64."""
    a, b = words(field, count)[0::2], words(field, count)[1::2]
    radius = np.sqrt(-2 * np.log((a + 0.5) / 2**32))
    return np.stack([radius * np.cos(2 * np.pi * b / 2**32), radius * np.sin(2 * np.pi * b / 2**32)], -1).ravel()


@pytest.fixture(scope="module")
def uniforms():
    return uniform_field(FIELD, MANY)


@pytest.fixture(scope="module")
def normals():
    return normal_field(FIELD, MANY)


def test_uniforms_are_the_upper_bits_of_the_words():
    assert np.array_equal(uniform_field(FIELD, 999), words(FIELD, 999) // 256 / 2**24)
    far = 2**40 + 3
    assert np.array_equal(uniform_field(FIELD, 9, first=far), words(FIELD, 9, far) // 256 / 2**24)


def test_normals_are_box_muller_of_the_words():
    exact = exact_normals(FIELD, 40_000)
    error = np.abs(normal_field(FIELD, 40_000) - exact).reshape(-1, 2).max(axis=1)
    radius = np.hypot(exact[0::2], exact[1::2])
    assert error[radius > 0.05].max() < 2e-6
    assert error.max() < 2e-4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**128 - 1))
def test_normals_of_any_field_move_no_pixel_by_half_a_level(name):
    # The noise is the normal times sigma, at most 1: an error of 2e-4 is a twentieth of a level there.
    field = f"{name:032x}"
    assert np.abs(normal_field(field, 2000) - exact_normals(field, 2000)).max() < 2e-4 < 0.5 / 255


@pytest.mark.parametrize("word", [0, 1, 2**20, 2**24 - 1, 2**31 - 1, 2**31, 3037000499, 2**32 - 2**20, 2**32 - 300])
def test_radius_over_the_whole_range(word):
    exact = np.sqrt(-2 * np.log((word + 0.5) / 2**32))
    rounded = 2**-25 / exact  # u is rounded to float32, which is coarse where the radius is near 0
    assert abs(_radius(np.uint32(word)) - exact) < 5e-7 * exact + rounded


def test_radius_ends():
    assert _radius(np.uint32(0)) == pytest.approx(np.sqrt(66 * np.log(2)), rel=1e-6)
    assert _radius(np.uint32(2**32 - 1)) == 0


@pytest.mark.parametrize("eighths", range(8))
@pytest.mark.parametrize("step", [-1, 0, 1, 12345])
def test_turn_in_every_octant(eighths, step):
    word = (eighths * 2**29 + step) % 2**32
    angle = 2 * np.pi * word / 2**32
    assert _turn(np.uint32(word)) == pytest.approx((np.cos(angle), np.sin(angle)), abs=1.5e-7)


def test_known_answers():
    # Changing these changes every noisy dataset that was ever built.
    assert normal_field("00" * 16, 4).tolist() == [
        0.9911375641822815,
        -0.9246625900268555,
        -0.6176090240478516,
        -0.48206862807273865,
    ]
    assert uniform_field("00" * 16, 4).tolist() == [
        0.3990464210510254,
        0.8805201649665833,
        0.7357127666473389,
        0.6054818034172058,
    ]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3 * CHUNK), st.integers(0, 3 * CHUNK))
@pytest.mark.parametrize("make", [uniform_field, normal_field])
def test_a_part_equals_the_slice_of_the_whole(make, first, count):
    whole = make(FIELD, 6 * CHUNK)
    assert np.array_equal(make(FIELD, count, first=first), whole[first : first + count])


def test_uniform_is_uniform(uniforms):
    assert uniforms.min() >= 0
    assert uniforms.max() < 1
    assert stats.kstest(uniforms, "uniform").pvalue > ALPHA
    fine = np.bincount((uniforms * 2**16).astype(np.int64), minlength=2**16)
    assert stats.chisquare(fine).pvalue > ALPHA


def test_normal_is_normal(normals):
    assert stats.kstest(normals.astype(np.float64), "norm").pvalue > ALPHA
    edges = np.linspace(-4.5, 4.5, 182)
    expected = MANY * np.diff(stats.norm.cdf(np.concatenate([[-np.inf], edges, [np.inf]])))
    observed = np.bincount(np.searchsorted(edges, normals), minlength=len(expected))
    assert stats.chisquare(observed, expected).pvalue > ALPHA


@pytest.mark.parametrize("sigmas", [3, 4, 5])
def test_normal_tails(normals, sigmas):
    for side in (normals, -normals):
        beyond, chance = int((side > sigmas).sum()), stats.norm.sf(sigmas)
        assert stats.binomtest(beyond, MANY, chance).pvalue > ALPHA


def test_moments(normals):
    z = normals.astype(np.float64)
    for power, mean, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((z**power).mean() - mean) < 4 * np.sqrt(variance / MANY)


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5, 8, 1024, 1200])
def test_no_serial_correlation(normals, uniforms, lag):
    for values in (normals.astype(np.float64), np.abs(normals.astype(np.float64)), uniforms.astype(np.float64)):
        centred = (values - values.mean()) / values.std()
        assert abs((centred[lag:] * centred[:-lag]).mean()) < 4.5 / np.sqrt(MANY)


def test_lanes_are_independent(normals):
    signs = (normals.reshape(-1, 4) > 0) @ np.array([1, 2, 4, 8])
    assert stats.chisquare(np.bincount(signs, minlength=16)).pvalue > ALPHA
    squares = np.corrcoef(normals.reshape(-1, 4).T.astype(np.float64) ** 2) - np.eye(4)
    assert np.abs(squares).max() < 4.5 / np.sqrt(MANY / 4)


@pytest.mark.parametrize(
    "other",
    [
        Draws(sample_key(1, "cat.png", 0), "degrade.noise1").field("field"),
        Draws(sample_key(0, "dog.png", 0), "degrade.noise1").field("field"),
        Draws(sample_key(0, "cat.png", 1), "degrade.noise1").field("field"),
        Draws(sample_key(0, "cat.png", 0), "degrade.noise2").field("field"),
        Draws(sample_key(0, "cat.png", 0), "degrade.noise1").field("other"),
    ],
)
def test_other_names_are_other_fields(normals, other):
    n = 1_000_000
    assert abs((normals[:n].astype(np.float64) * normal_field(other, n)).mean()) < 4.5 / np.sqrt(n)


def test_a_field_is_named_by_32_digits():
    with pytest.raises(ValueError, match="32 hex digits"):
        normal_field("abc", 4)
