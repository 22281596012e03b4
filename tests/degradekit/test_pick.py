"""Choosing pairs: by name with help for typos, by keyed chance, spread evenly."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import DegradekitError
from degradekit.pick import find, keyed_order, nearest_keys, spread
from degradekit.shards.dataset import open_dataset


def test_a_name_finds_its_variants(built: Path) -> None:
    dataset = open_dataset(built)
    record = dataset.read(21)
    indices = find(dataset, record.key)
    assert [dataset.read(i).variant for i in indices] == [0, 1]
    assert {dataset.read(i).key for i in indices} == {record.key}
    assert find(dataset, record.key, record.variant) == [21]


def test_a_wrong_name_gets_the_nearest_ones(built: Path) -> None:
    dataset = open_dataset(built)
    key = dataset.read(21).key
    with pytest.raises(DegradekitError, match="did you mean") as typo:
        find(dataset, key.replace("b", "p", 1))
    assert key in str(typo.value)
    with pytest.raises(DegradekitError) as without_crop:
        find(dataset, key.rpartition("#")[0])
    assert key in str(without_crop.value)
    with pytest.raises(DegradekitError, match="no variant 7"):
        find(dataset, key, 7)
    with pytest.raises(DegradekitError, match="list the keys"):
        find(dataset, "????????????????????????????????????????????????")


def test_nearest_keys_are_different_samples(built: Path) -> None:
    near = nearest_keys(open_dataset(built), "bild.0", count=3)
    assert len(set(near)) == 3 and all("bild.0" in key for key in near)


@given(total=st.integers(0, 300), seed=st.integers(0, 5))
def test_a_keyed_order_is_a_permutation(total: int, seed: int) -> None:
    assert sorted(keyed_order(total, seed)) == list(range(total))


def test_a_keyed_order_depends_on_the_seed_only() -> None:
    first = list(islice(keyed_order(10**12, 1), 20))
    assert first == list(islice(keyed_order(10**12, 1), 20)) != list(islice(keyed_order(10**12, 2), 20))


def test_every_index_comes_first_equally_often() -> None:
    firsts = [next(keyed_order(4, seed)) for seed in range(800)]
    assert all(abs(firsts.count(i) - 200) < 5 * (800 * 0.25 * 0.75) ** 0.5 for i in range(4))


@given(gts=st.integers(1, 60), variants=st.integers(1, 5), count=st.integers(1, 80))
def test_a_spread_is_even_and_without_repetition(gts: int, variants: int, count: int) -> None:
    chosen = spread(gts * variants, variants, count)
    assert len(set(chosen)) == len(chosen) == min(count, gts * variants)
    if count <= gts:
        groups = [index // variants for index in chosen]
        steps = [b - a for a, b in pairwise(groups)]
        assert not steps or max(steps) - min(steps) <= 1
        assert {index % variants for index in chosen} == set(range(min(variants, count)))
