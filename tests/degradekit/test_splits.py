"""Splits are by source, stay where they are, and content that is in two of them is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.codecs import encode
from degradekit.errors import DegradekitError, StreamError
from degradekit.shards.commit import commit
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.splits import RATIOS, check_ratios, in_split, leaks, parse_ratios, source_of, split_indices, split_of
from degradekit.storage import open_store
from degradekit.stream import PairStream
from degradekit.types import Record, Tombstone

IMAGE = encode(np.zeros((1, 4, 4, 3), np.uint8), "png")


def dataset(folder, keys, hashes=None, *, shard_size=4):
    records = [
        Tombstone(i, key, 0, "read", "truncated")
        if hashes is not None and hashes[i] is None
        else Record(i, key, 0, IMAGE, IMAGE, "{}", {}, {"source_xxh3": hashes[i]} if hashes else {})
        for i, key in enumerate(keys)
    ]
    store = open_store(folder)
    for number in range(0, -(-len(keys) // shard_size)):
        some = records[number * shard_size :][:shard_size]
        commit(store, number, some, format="parquet", schema={})
    facts = {"shard_size": shard_size, "variants": 1, "samples": len(keys), "schema": {}}
    finish(store, BuildFacts("", "", 0, 1, format="parquet", codec="png", **facts))
    return open_dataset(folder)


@given(st.text(min_size=1, max_size=20), st.integers(0, 99), st.integers(0, 999), st.integers(-5, 5))
def test_crops_and_clips_of_a_source_stay_together(name, crop, frame, seed):
    name = name.replace("#", "_")
    wanted = split_of(f"{name}.png", seed=seed)
    assert split_of(f"{name}.png#r{crop}", seed=seed) == wanted
    assert split_of(f"{name}.png@{frame}#crop{crop}", seed=seed) == wanted


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 10**6))
def test_shares_are_as_asked(parts, seed):
    ratios = {f"s{i}": part / sum(parts) for i, part in enumerate(parts)}
    found = [split_of(f"{i}.png", ratios, seed=seed) for i in range(1500)]
    for name, share in ratios.items():
        assert abs(found.count(name) / 1500 - share) < 0.065  # five standard deviations of the widest


def test_places_never_change():
    second_letters = "".join(split_of(f"{i}.png", RATIOS)[1] for i in range(24))
    assert second_letters == "rerrrarrrrrrrrrrrearerrr"


def test_an_empty_share_holds_nothing():
    assert split_of("a.png", {"train": 1.0}) == "train"
    assert split_of("a.png", {"none": 0.0, "all": 1.0}) == "all"


@pytest.mark.parametrize("ratios", [{}, {"train": 0.9}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}])
def test_wrong_ratios_are_told(ratios):
    with pytest.raises(DegradekitError, match="add up to 1"):
        check_ratios(ratios)


@pytest.mark.parametrize("text", ["", "train", "train=x", "train=0.5,train=0.5", "tr ain=1", "a=0.3,b=0.3"])
def test_wrong_text_is_told(text):
    with pytest.raises(DegradekitError, match="split ratios"):
        parse_ratios(text)


def test_source_of():
    assert source_of("a@2x.png#r0") == "a@2x.png"
    assert source_of("clip@3#crop0") == "clip"


def test_indices_cover_the_dataset_once(tmp_path):
    keys = [f"{i // 3}.png#r{i % 3}" for i in range(30)]
    data = dataset(tmp_path, keys)
    found = split_indices(data, {"train": 0.5, "val": 0.5}, seed=3)
    assert sorted(np.concatenate(list(found.values())).tolist()) == list(range(30))
    for name, indices in found.items():
        assert {split_of(keys[i], {"train": 0.5, "val": 0.5}, seed=3) for i in indices} == {name}
    sources = [{source_of(keys[i]) for i in indices} for indices in found.values()]
    assert sources[0] and sources[1] and not sources[0] & sources[1]


def test_a_split_is_a_dataset_of_its_own(tmp_path):
    half = {"train": 0.5, "val": 0.5}
    keys = [f"{i // 3}.png#r{i % 3}" for i in range(30)]
    data = dataset(tmp_path, keys, [None, *(f"{i // 3}" for i in range(1, 30))])
    wanted = split_indices(data, half, seed=3)
    parts = {name: in_split(data, name, half, seed=3) for name in half}
    assert len({data.id, *(part.id for part in parts.values())}) == 3
    for name, part in parts.items():
        alive = [i for i in range(30) if isinstance(part.read(i), Record)]
        assert alive == [i for i in wanted[name] if i]
        assert part.info["counts"]["ok"] == len(alive) and len(part) == 30
        stream = PairStream(part, batch_size=4)
        assert sorted(i for batch in stream for i in batch["index"].tolist()) == alive
    state = PairStream(parts["train"], batch_size=4).state_dict()
    with pytest.raises(StreamError, match="the state is of"):
        PairStream(parts["val"], batch_size=4).load_state_dict(state)
    with pytest.raises(DegradekitError, match="no split 'test'; the ratios have train, val"):
        in_split(data, "test", half)


def test_same_content_in_two_splits_is_named(tmp_path):
    half = {"train": 0.5, "val": 0.5}
    names = [f"{i}.png" for i in range(40)]
    train = [name for name in names if split_of(name, half) == "train"]
    val = [name for name in names if split_of(name, half) == "val"]
    keys = [f"{train[0]}#r0", f"{train[0]}#r1", f"{train[1]}#r0", f"{val[0]}#r0", f"{val[1]}#r0"]
    clean = dataset(tmp_path / "clean", keys, ["a", "a", "a", "b", "c"])
    assert leaks(clean, half) == []
    leaky = dataset(tmp_path / "leaky", keys, ["a", "a", "b", "a", None])
    told = [str(leak) for leak in leaks(leaky, half)]
    assert told == [f"{val[0]} (val) has the same content as {train[0]} (train)"]
