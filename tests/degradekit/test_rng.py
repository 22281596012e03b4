from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from degradekit.rng import Draws, hash64, philox4x32, sample_key

ONES = 0xFFFFFFFF
# Random123 (Salmon et al. 2011), kat_vectors, philox4x32 with 10 rounds: counter, key, output.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_known_answers(counter, key, words):
    assert philox4x32(counter, key) == words


def test_hash_is_blake2b_little_endian():
    assert hash64("é") == int.from_bytes(blake2b("é".encode(), digest_size=8).digest(), "little")


def test_a_scalar_is_made_of_the_documented_words():
    key = sample_key(7, "a/b.png", 3)
    stream = hash64("degrade.noise1.sigma")
    counter = (5, 0, stream & ONES, stream >> 32)
    low, high, _, _ = philox4x32(counter, (key & ONES, key >> 32))
    u = Draws(key, "degrade.noise1")
    assert u.uniform("sigma", 5) == ((high << 32 | low) >> 11) / 2**53
    assert u.integer("sigma", 1000, 5) == (high << 32 | low) * 1000 // 2**64
    assert u.field("sigma") == f"{key:016x}{stream:016x}"


def test_frozen_values():
    # Changing any of these changes every dataset that was ever built.
    u = Draws(sample_key(0, "cat.png", 0), "degrade.noise1")
    assert u.field("noise") == "4e2e302be1b873ed75afcaabf84511ca"
    assert u.uniform("sigma") == 0.6286415322484411
    assert u.integer("kind", 10**6) == 20935


names = st.text(min_size=1, max_size=20)


@given(st.integers(-(2**70), 2**70), names, st.one_of(st.none(), st.integers(0, 99)), names, names)
def test_draws_depend_on_every_part_of_the_name(seed, sample, variant, path, name):
    u = Draws(sample_key(seed, sample, variant), path)
    value = u.uniform(name)
    others = [
        Draws(sample_key(seed + 1, sample, variant), path).uniform(name),
        Draws(sample_key(seed, sample + "x", variant), path).uniform(name),
        Draws(sample_key(seed, sample, 100), path).uniform(name),
        Draws(sample_key(seed, sample, variant), path + "x").uniform(name),
        u.uniform(name + "x"),
        u.uniform(name, 1),
        u.uniform(name, 2**32),
    ]
    assert len({value, *others}) == len(others) + 1
    assert u.at("elsewhere").at(path) == u


@given(st.permutations([(name, i) for name in ("sigma", "mode") for i in range(3)]))
def test_order_and_repetition_do_not_matter(order):
    u = Draws(sample_key(1, "cat.png", None), "degrade")
    forward = {ask: u.uniform(*ask) for ask in sorted(order)}
    assert [u.uniform(*ask) for ask in order + order] == [forward[ask] for ask in order + order]


def test_seed_variant_and_key_do_not_run_into_each_other():
    asked = [(1, "2:x", None), (1, "x", 2), (1, "2:x", 2), (12, "x", None), (1, ":x", None)]
    assert len({sample_key(*ask) for ask in asked}) == len(asked)


def test_uniform_is_uniform_over_samples_and_over_elements():
    over_samples = [Draws(sample_key(0, f"{i}.png", 0), "a").uniform("x") for i in range(20_000)]
    over_elements = [Draws(sample_key(0, "0.png", 0), "a").uniform("x", i) for i in range(20_000)]
    for values in (over_samples, over_elements):
        assert min(values) >= 0
        assert max(values) < 1
        assert stats.kstest(values, "uniform").pvalue > 1e-4


@given(st.integers(1, 2**53), st.integers(0, 2**64 - 1))
def test_integer_is_in_range(n, index):
    assert 0 <= Draws(1, "a").integer("n", n, index) < n


def test_integer_is_uniform():
    counts = np.bincount([Draws(3, "a").integer("n", 7, i) for i in range(21_000)], minlength=7)
    assert len(counts) == 7
    assert stats.chisquare(counts).pvalue > 1e-4
