"""Dropping pairs from a finished dataset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from degradekit.errors import ShardError
from degradekit.repair import drop, read_drop_list, restore
from degradekit.replay import replay
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.shards.verify import verify_dataset
from degradekit.types import Record, Tombstone

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "set"))


def alive(dataset: Dataset) -> dict[int, Record]:
    return {i: record for i in range(len(dataset)) if isinstance(record := dataset.read(i), Record)}


def test_dropped_pairs_are_gone_and_nothing_else_moved(copy: Path) -> None:
    before = open_dataset(copy)
    pairs = alive(before)
    first, *_, second = list(pairs)[:10]
    entries = [{"key": pairs[i].key, "variant": pairs[i].variant, "reason": "too dark"} for i in (first, second)]
    done = drop(copy, entries, meant_for=before.id)
    after = open_dataset(copy)
    assert (done.taken, done.dropped, done.left) == (2, 2, len(pairs) - 2)
    assert after.id == done.dataset_id != before.id
    assert after.info["counts"]["ok"] == len(pairs) - 2
    assert alive(after) == {i: record for i, record in pairs.items() if i not in (first, second)}
    assert after.read(first) == Tombstone(first, pairs[first].key, pairs[first].variant, "dropped", "too dark")
    assert {t.index for t in after.tombstones()} - {t.index for t in before.tombstones()} == {first, second}
    status = after.table([]).column("status").to_pylist()
    assert [i for i, word in enumerate(status) if word == "dropped"] == [first, second]
    assert verify_dataset(copy) == []
    assert replay(after, sample=100).equal == len(pairs) - 2


def test_streams_leave_dropped_pairs_out(copy: Path) -> None:
    from degradekit.stream import PairStream

    pairs = alive(open_dataset(copy))
    gone = next(iter(pairs))
    drop(copy, [{"key": pairs[gone].key, "variant": pairs[gone].variant, "reason": ""}])
    for where in (None, "deg.jpeg1.quality > 0"):
        stream = PairStream(copy, batch_size=1, variants="all", where=where)
        assert gone not in {int(index) for batch in stream for index in batch["index"]}


def test_audits_leave_dropped_pairs_out(copy: Path) -> None:
    from degradekit.audit.look import choose, look_at
    from degradekit.audit.scan import scan_shard

    pairs = alive(open_dataset(copy))
    gone = next(iter(pairs))
    drop(copy, [{"key": pairs[gone].key, "variant": pairs[gone].variant, "reason": ""}])
    dataset = open_dataset(copy)
    scans = [scan_shard(dataset, row.number, reference=None) for row in dataset.shards]
    scanned = [int(i) for scan in scans for i in scan.census.index]
    assert scanned == [index for index in pairs if index != gone]
    looked = [pair.index for n, rows in choose(dataset, 1000).items() for pair in look_at(dataset, n, rows)]
    assert looked == scanned


def test_dropping_adds_up_and_can_be_undone(copy: Path) -> None:
    before = open_dataset(copy)
    keys = sorted({record.key for record in alive(before).values()})
    once = drop(copy, [{"key": keys[0], "variant": None, "reason": "a"}])
    assert once.taken == 2, "a key alone means all of its variants"
    twice = drop(copy, [{"key": keys[0], "variant": 0, "reason": "b"}, {"key": keys[1], "variant": 1, "reason": "b"}])
    assert (twice.taken, twice.dropped) == (1, 3)
    assert {t.reason for t in open_dataset(copy).dropped.values()} == {"a", "b"}
    at_once = [{"key": keys[0], "variant": None, "reason": ""}, {"key": keys[1], "variant": 1, "reason": ""}]
    assert restore(copy).dropped == 0
    after = open_dataset(copy)
    assert after.info == before.info
    assert alive(after) == alive(before)
    assert not (copy / "dropped.jsonl").exists()
    assert drop(copy, at_once).dataset_id == twice.dataset_id, "the identity is that of the content"


def test_finished_build_stays_finished(build: Run, degradekit: Run, tmp_path: Path) -> None:
    assert build()[0] == 0
    key = open_dataset(tmp_path / "out").read(0).key
    (tmp_path / "drop.txt").write_text(f"# dark ones\n\n{key}\n")
    code, out, _ = degradekit("repair", tmp_path / "out", "--drop", tmp_path / "drop.txt")
    assert (code, out.split(";")[:2]) == (0, ["1 pairs dropped", " 23 are left, 1 dropped"])
    code, out, _ = build()
    assert code == 0
    assert open_dataset(tmp_path / "out").info["counts"]["ok"] == 23
    code, out, _ = degradekit("repair", tmp_path / "out", "--restore")
    assert (code, out.split(";")[0]) == (0, "1 pairs brought back")


def test_bad_lists_change_nothing(copy: Path, tmp_path: Path) -> None:
    info = open_dataset(copy).info
    with pytest.raises(ShardError, match="the drop list is for dataset abc"):
        drop(copy, [], meant_for="abc")
    good = next(iter(alive(open_dataset(copy)).values()))
    entries = [{"key": good.key, "variant": good.variant, "reason": ""}, {"key": "no.png", "variant": 0, "reason": ""}]
    with pytest.raises(ShardError, match=r"has no pair 'no.png', variant 0: nothing was dropped"):
        drop(copy, entries)
    file = tmp_path / "drop.json"
    for text, message in (("{", "no drop.json"), ('{"drop": [{"key": "a"}]}', "KeyError"), ("{}", "no drop.json")):
        file.write_text(text)
        with pytest.raises(ShardError, match=message):
            read_drop_list(file)
    with pytest.raises(ShardError, match="cannot be read"):
        read_drop_list(tmp_path / "missing")
    assert open_dataset(copy).info == info


def test_report_s_list_is_read(tmp_path: Path) -> None:
    file = tmp_path / "drop.json"
    pair = {"index": 3, "key": "a:b.png", "variant": 1, "reason": "flagged"}
    file.write_text(json.dumps({"dataset_id": "00ff", "drop": [pair]}))
    assert read_drop_list(file) == ("00ff", [{"key": "a:b.png", "variant": 1, "reason": "flagged"}])
    file.write_text("a:b.png\nc.png:2\n")
    assert [(e["key"], e["variant"]) for e in read_drop_list(file)[1]] == [("a:b.png", None), ("c.png", 2)]


def test_changed_list_is_noticed(copy: Path) -> None:
    record = next(iter(alive(open_dataset(copy)).values()))
    drop(copy, [{"key": record.key, "variant": record.variant, "reason": ""}])
    (copy / "dropped.jsonl").write_text("")
    with pytest.raises(ShardError, match=r"dropped.jsonl was changed after it was written"):
        open_dataset(copy)
