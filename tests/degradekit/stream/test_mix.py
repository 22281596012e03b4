from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import StreamError
from degradekit.stream.mix import interleave, whole_shares

SHARES = st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any)


@given(SHARES, st.integers(0, 10**6))
def test_proportions_are_exact_in_every_round_from_anywhere(shares: list[int], start: int) -> None:
    part, _ = interleave(np.arange(start, start + sum(shares)), shares)
    assert np.bincount(part, minlength=len(shares)).tolist() == shares


@given(SHARES)
def test_each_part_is_counted_without_gap(shares: list[int]) -> None:
    part, rank = interleave(np.arange(4 * sum(shares)), shares)
    for number in range(len(shares)):
        mine = rank[part == number]
        assert mine.tolist() == list(range(4 * shares[number]))


@given(SHARES)
def test_no_part_ever_lags_by_more_than_its_depth(shares: list[int]) -> None:
    total = sum(shares)
    part, _ = interleave(np.arange(2 * total), shares)
    for number, share in enumerate(shares):
        so_far = np.cumsum(part == number)
        due = np.arange(1, 2 * total + 1) * share / total
        assert np.abs(so_far - due).max() <= 3  # halved three times at most


def test_a_place_is_told_alone_as_among_others() -> None:
    places = np.array([10**12 + 3, 5, 77])
    part, rank = interleave(places, (5, 2, 4))
    for i, place in enumerate(places.tolist()):
        alone = interleave(np.array([place]), (5, 2, 4))
        assert (alone[0][0], alone[1][0]) == (part[i], rank[i])


def test_weights_become_whole_numbers() -> None:
    assert whole_shares([1 / 3, 2 / 3]) == (1, 2)
    assert whole_shares([0.1, 0.2, 0.7]) == (1, 2, 7)
    assert whole_shares([5, 0]) == (1, 0)
    tiny = whole_shares([1, 1e-5])
    assert all(later <= first for first, later in pairwise(tiny))
    assert tiny[1] / sum(tiny) == pytest.approx(1e-5, rel=0.01)


@pytest.mark.parametrize("weights", [[0, 0], [1, -1], [float("nan"), 1]])
def test_weights_that_make_no_mixture(weights: list[float]) -> None:
    with pytest.raises(StreamError, match="make no mixture"):
        whole_shares(weights)
