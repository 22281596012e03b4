from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from degradekit.errors import StreamError
from degradekit.shards.dataset import open_dataset
from degradekit.shards.offsets import Offsets, beside
from degradekit.stream import PairStream

from .conftest import gt_pixels


def damage(place: Path, index: int, role: str = "gt") -> None:
    """Change one byte of a stored image."""
    dataset = open_dataset(place)
    number, row = dataset.locate(index)
    path = place / dataset.shards[number].file
    slot = getattr(Offsets(Path(beside(path)).read_bytes(), "")[row], role)
    data = bytearray(path.read_bytes())
    data[slot.offset + slot.length // 2] ^= 0x55
    path.write_bytes(data)


def test_a_corrupt_pair_is_named_and_stops_the_stream(fresh_set: Callable[..., Path]) -> None:
    place = fresh_set(24)
    damage(place, 13)
    with pytest.raises(
        StreamError, match=r"'photos/0013.png#r0' \(index 13\).*fails its checksum.*skip=\['photos/0013"
    ):
        list(PairStream(place, batch_size=4))


@pytest.mark.parametrize("threads", [0, 2])
def test_a_corrupt_pair_can_be_counted_and_is_never_replaced(fresh_set: Callable[..., Path], threads: int) -> None:
    place = fresh_set(24)
    damage(place, 13)
    damage(place, 2, "lq")
    stream = PairStream(place, batch_size=4, on_corrupt="skip", threads=threads)
    batches = list(stream)
    whole = [
        batch["index"].tolist() for batch in PairStream(open_dataset(place), batch_size=4, roles=[], on_corrupt="skip")
    ]
    assert [batch["index"].tolist() for batch in batches] == [
        [index for index in indices if index not in (2, 13)] for indices in whole
    ]
    for batch in batches:
        assert all(len(batch[name]) == len(batch["key"]) for name in ("gt", "lq", "index", "position", "part"))
        for at, index in enumerate(batch["index"].tolist()):
            assert np.array_equal(batch["gt"][at], gt_pixels(index)[0])
    assert sorted((lost["index"], lost["key"]) for lost in stream.lost) == [
        (2, "photos/0002.png#r0"),
        (13, "photos/0013.png#r0"),
    ]
    assert all("fails its checksum" in lost["reason"] and lost["dataset"] == str(place) for lost in stream.lost)


def test_a_batch_of_which_nothing_is_left_is_an_error(fresh_set: Callable[..., Path]) -> None:
    place = fresh_set(8)
    damage(place, 3)
    with pytest.raises(StreamError, match=r"'photos/0003.png#r0'"):
        list(PairStream(place, batch_size=1, on_corrupt="skip"))


def test_a_skipped_key_is_not_even_read(fresh_set: Callable[..., Path]) -> None:
    place = fresh_set(24)
    damage(place, 13)
    stream = PairStream(place, batch_size=4, skip=["photos/0013.png#r0"])
    assert sum(len(batch["key"]) for batch in stream) == 23


def test_checksums_can_be_left_out(fresh_set: Callable[..., Path]) -> None:
    place = fresh_set(24, codec="raw")
    damage(place, 13)
    seen = {
        i: gt for b in PairStream(place, validate=False) for i, gt in zip(b["index"].tolist(), b["gt"], strict=True)
    }
    assert (seen[13] != gt_pixels(13)[0]).sum() == 1


def test_a_truncated_or_missing_shard_is_named(fresh_set: Callable[..., Path]) -> None:
    place = fresh_set(24)
    path = place / "data/shard-000001.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StreamError, match=r"shard-000001.parquet has \d+ of \d+ bytes"):
        list(PairStream(place, batch_size=4))
    path.unlink()
    with pytest.raises(StreamError, match=r"shard-000001.parquet"):
        list(PairStream(place, batch_size=4))


def test_a_step_is_explained_before_and_after(make_set: Callable[..., Path]) -> None:
    place = make_set(29)
    stream = PairStream(place, batch_size=4, crop=8, flip=True)
    coming = stream.explain(3, epoch=0)
    batches = list(stream)
    assert [pair["key"] for pair in coming] == batches[3]["key"]
    assert stream.explain(batches[3]) == coming == stream.explain(3, epoch=0)
    for pair in coming:
        index = pair["index"]
        assert pair["parameters"]["deg.jpeg1.quality"] == index % 100
        assert pair["parameters"].get("deg.noise1.op") == (
            None if index % 2 == 0 else ("gaussian_noise" if index % 4 == 1 else "poisson_noise")
        )
        assert set(pair["view"]) == {"y", "x", "t", "flip", "turns"}
    halves = [PairStream(place, batch_size=2, rank=rank, world_size=2).explain(3) for rank in range(2)]
    assert [[pair["key"] for pair in half] for half in halves] == [batches[3]["key"]] * 2
    with pytest.raises(StreamError, match="epoch 1 has no batch 8; it has 8"):
        stream.explain(8)


def test_an_epoch_is_explained_where_a_pair_is_lost(fresh_set: Callable[..., Path]) -> None:
    place = fresh_set(8)
    (place / "data/shard-000000.parquet").unlink()
    assert "lost" in PairStream(place, batch_size=2).explain(0)[0]
