"""A census says of every pair what its record says, whoever takes it; numbers are as coarse as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import ShardError
from degradekit.shards.census import Census, CensusTaker, coarse, take_census
from degradekit.shards.commit import commit, shard_name
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.shards.verify import verify_dataset
from degradekit.storage import open_store
from degradekit.types import EncodedImage, Record, Tombstone


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=50))
def test_coarse_numbers_lie_below_and_within_a_128th(values):
    values = np.array(values).astype(np.float32).astype(float)
    kept = coarse(values)
    assert np.all(kept <= values)
    assert np.all(values - kept <= np.abs(values) / 64 + 1e-37)
    assert np.array_equal(coarse(kept), kept)
    order = np.argsort(values)
    assert np.all(np.diff(kept[order]) >= 0)


def test_whole_numbers_up_to_256_stay_what_they_are():
    assert np.array_equal(coarse(np.arange(-256, 257)), np.arange(-256, 257))


def pair(index, variant=0, *, source="a.png", y=0, digest="0f", size=8, **columns):
    gt = EncodedImage(b"gt", "png", (1, size, size, 3), "uint8")
    lq = EncodedImage(b"lq", "png", (1, 4, 4, 3), "uint8")
    meta = {"source": source, "source_xxh3": digest, "y": y, "x": 0, "h": size, "w": size}
    return Record(index, f"{source}#{y}", variant, gt, lq, "{}", columns, meta)


SCHEMA = {"deg.noise.op": "str", "deg.noise.sigma": "float", "deg.jpeg.op": "str", "deg.jpeg.quality": "int"}


def named(**columns):
    return {f"deg.{name.replace('_', '.')}": value for name, value in columns.items()}


@pytest.fixture
def some():
    noisy = [
        named(noise_op="gaussian", noise_sigma=s, jpeg_op="jpeg", jpeg_quality=q) for s, q in ((0.1, 30), (0.2, 30))
    ]
    return [
        pair(5, **noisy[0]),
        pair(6, 1, **noisy[1]),
        Tombstone(7, "broken.png#0", 0, "read", "truncated"),
        pair(8, source="b.png", y=4, size=16, **named(jpeg_op="jpeg", jpeg_quality=90)),
    ]


def finished(folder, records, format="parquet"):
    store = open_store(folder)
    size = len(records)
    records = [type(r)(i, *[getattr(r, n) for n in r.__slots__[1:]]) for i, r in enumerate(records)]
    commit(store, 0, records, format=format, schema=SCHEMA)
    facts = BuildFacts(
        "", "", 0, 2, format=format, codec="png", shard_size=size, variants=1, samples=size, schema=SCHEMA
    )
    finish(store, facts)
    return open_dataset(folder)


def test_what_a_census_knows(tmp_path, some):
    census = finished(tmp_path, some).census(0)
    assert census.index.tolist() == [0, 1, 3]
    assert dict(census.headers) == {
        ((1, 8, 8, 3), (1, 4, 4, 3), "uint8", "uint8"): 2,
        ((1, 16, 16, 3), (1, 4, 4, 3), "uint8", "uint8"): 1,
    }
    assert census.source[1] == census.path[1] == census.content[1] == 0, "a variant says nothing new"
    assert census.source[0] == census.source[2] != 0, "one file under two names"
    assert census.path[0] != census.path[2]
    assert census.content[0] != census.content[2]
    assert len(set(census.draws.tolist())) == 3
    values = {
        group: dict(zip(*(array.tolist() for array in item), strict=True)) for group, item in census.values.items()
    }
    assert values["deg.noise.op", ""] == {"": 1, "gaussian": 2}
    assert values["deg.jpeg.quality", "jpeg"] == {30: 2, 90: 1}
    assert list(values["deg.noise.sigma", "gaussian"]) == coarse(np.array([0.1, 0.2])).tolist()


def test_a_census_is_the_same_for_both_formats_and_taken_again(tmp_path, some):
    taken = []
    for format in ("parquet", "lmdb"):
        dataset = finished(tmp_path / format, some, format)
        packed = (tmp_path / format / shard_name(0, ".npz")).read_bytes()
        assert take_census(dataset.shard(0)).pack() == packed
        assert Census.unpack(packed).pack() == packed
        assert verify_dataset(tmp_path / format, pixels=False) == []
        taken.append(packed)
    assert taken[0] == taken[1]


def test_a_census_of_other_records_is_noticed(tmp_path, some):
    dataset, other = finished(tmp_path / "a", some), finished(tmp_path / "b", some[:2])
    stolen = (tmp_path / "b" / shard_name(0, ".npz")).read_bytes()
    (tmp_path / "a" / shard_name(0, ".npz")).write_bytes(stolen)
    with pytest.raises(ShardError, match=r"_shard-000000\.npz is damaged"):
        dataset.census(0)
    assert "_shard-000000.npz is damaged" in verify_dataset(tmp_path / "a", pixels=False)[0]
    assert other.census(0).pack() == stolen


def test_a_dataset_without_censuses_has_none(tmp_path, some):
    dataset = finished(tmp_path, some)
    (tmp_path / shard_name(0, ".npz")).unlink()
    assert dataset.census(0) is None
    assert verify_dataset(tmp_path, pixels=False) == []


def test_another_version_is_passed_over(tmp_path, some, monkeypatch):
    monkeypatch.setattr("degradekit.shards.census.VERSION", 2)
    dataset = finished(tmp_path, some)
    monkeypatch.undo()
    assert dataset.census(0) is None


def test_a_census_that_was_taken_wrongly_is_noticed(tmp_path, some, monkeypatch):
    from degradekit.shards.census import CensusTaker

    add = CensusTaker.add
    with monkeypatch.context() as patch:
        patch.setattr(CensusTaker, "add", lambda self, record: record.index and add(self, record))
        finished(tmp_path, some)
    (problem,) = verify_dataset(tmp_path, pixels=False)
    assert problem.endswith("_shard-000000.npz is the census of other records: delete it or rebuild the shard.")


def test_a_shard_without_a_pair_has_an_empty_census():
    taker = CensusTaker({"deg.noise.op": "str", "deg.noise.sigma": "float"})
    taker.add(Tombstone(index=0, key="a.png", variant=0, step="read", reason="truncated"))
    packed = taker.close().pack()
    assert Census.unpack(packed).pack() == packed
