from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.stream.order import Order, permute, words


@given(st.integers(1, 3000), st.text(max_size=5))
def test_a_permutation_meets_every_number_once(size: int, key: str) -> None:
    assert np.array_equal(np.sort(permute(np.arange(size), size, key)), np.arange(size))


@given(st.integers(1, 10**15), st.lists(st.integers(0, 10**15 - 1), min_size=1, max_size=20))
def test_a_position_leads_to_one_place_whatever_is_asked_beside_it(size: int, positions: list[int]) -> None:
    asked = np.array([position % size for position in positions])
    together = permute(asked, size, "k")
    assert all(permute(asked[i : i + 1], size, "k")[0] == together[i] for i in range(len(asked)))
    assert together.min() >= 0
    assert together.max() < size


def test_every_permutation_of_a_few_is_as_likely() -> None:
    counts = Counter(tuple(permute(np.arange(4), 4, f"key {i}").tolist()) for i in range(4800))
    assert set(counts) == set(permutations(range(4)))
    chi2 = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert chi2 < 49.7  # 23 degrees of freedom, one in a thousand


def test_neighbours_are_torn_apart_and_epochs_differ() -> None:
    size = 10_000
    first, second = (permute(np.arange(size), size, f"0:{epoch}") for epoch in (0, 1))
    steps = np.abs(np.diff(first))
    assert abs(steps.mean() - size / 3) < 100  # of two independent uniform numbers
    assert (first == second).sum() < 10  # one is to be expected


def test_words_look_random() -> None:
    bits = np.unpackbits(words(np.arange(4096), "flip").view(np.uint8)).reshape(4096, 64)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.04
    assert not np.array_equal(words(np.arange(8), "flip"), words(np.arange(8), "crop"))


@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_windows_mix_whole_shards_a_few_at_a_time(window: int) -> None:
    starts = np.array([0, 10, 20, 20, 30, 37])  # one shard has no kept pair, the last has fewer
    order = Order(starts, "7", True, window)
    ranks = order.ranks(0, np.arange(37))
    assert sorted(ranks.tolist()) == list(range(37))
    shards = np.searchsorted(starts, ranks, side="right") - 1
    for number in range(5):
        places = np.flatnonzero(shards == number)
        if len(places):
            assert places[-1] - places[0] < 10 * window
    assert not np.array_equal(ranks, order.ranks(1, np.arange(37)))
    at = np.array([36, 0, 17])
    assert np.array_equal(order.ranks(0, at), ranks[at])


def test_without_shuffle_the_stored_order_stays() -> None:
    order = Order(np.array([0, 4, 9]), "0", False, None)
    assert order.ranks(3, np.arange(9)).tolist() == list(range(9))
