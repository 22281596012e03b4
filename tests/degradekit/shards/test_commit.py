"""A builder may die or run out of disk anywhere: what was committed stays, what was not is garbage."""

import errno
import json
import os
from dataclasses import replace

import pytest

from degradekit.errors import ShardError
from degradekit.shards import FORMATS
from degradekit.shards import commit as commit_module
from degradekit.shards.commit import (
    Receipt,
    commit,
    committed,
    committed_numbers,
    garbage,
    read_sealed,
    sealed,
    shard_name,
    sweep,
)
from degradekit.shards.hashed import sha256_of
from degradekit.storage import LocalStore, open_store


@pytest.fixture(params=sorted(FORMATS))
def format(request):
    return request.param


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "out")


def _files(store):
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file())


def test_a_commit_leaves_shard_and_sidecar_and_nothing_else(store, format, records, schema):
    receipt = commit(store, 42, records(70, first=70, dead=(80,)), format=format, schema=schema)
    suffixes = {"parquet": [".idx", ".json", ".npz", ".parquet"], "lmdb": [".json", ".npz", ".lmdb"]}[format]
    assert _files(store) == [shard_name(42, suffix) for suffix in suffixes]
    file = store.root / receipt.file
    assert (receipt.bytes, receipt.sha256) == (file.stat().st_size, sha256_of(file))
    assert file.stat().st_blocks * 512 >= receipt.bytes, "no sparse file is left behind"
    assert (receipt.info.first_index, receipt.info.rows, receipt.info.tombstones[0].index) == (70, 70, 80)
    assert committed(store) == {42: receipt}
    assert committed_numbers(store) == {42}
    assert Receipt.from_json(json.loads(json.dumps(receipt.to_json()))) == receipt
    assert garbage(store) == []


def test_committing_the_same_again_changes_nothing(store, format, records, schema):
    first = commit(store, 0, records(10), format=format, schema=schema)
    before = {name: (store.root / name).stat() for name in _files(store)}
    assert commit(store, 0, records(10), format=format, schema=schema) == first
    after = {name: (store.root / name).stat() for name in _files(store)}
    assert {n: (s.st_ino, s.st_mtime_ns) for n, s in before.items()} == {
        n: (s.st_ino, s.st_mtime_ns) for n, s in after.items()
    }


def test_other_content_under_a_committed_number_is_an_error_that_names_both(store, format, records, schema):
    first = commit(store, 0, records(10), format=format, schema=schema)
    other = records(10)
    other[3] = replace(other[3], plan="{}")
    files = {name: (store.root / name).read_bytes() for name in _files(store)}
    with pytest.raises(ShardError, match="the same task gave two results") as caught:
        commit(store, 0, other, format=format, schema=schema)
    assert first.sha256[:16] in str(caught.value)
    assert first.info.logical[:16] in str(caught.value)
    assert {name: (store.root / name).read_bytes() for name in _files(store)} == files


def test_the_formats_agree_on_what_a_shard_holds(tmp_path, records, schema):
    infos = [
        commit(open_store(tmp_path / name), 0, records(80, variants=4, dead=(3,)), format=name, schema=schema).info
        for name in sorted(FORMATS)
    ]
    assert infos[0] == infos[1]


class _KilledError(BaseException):
    """Stands for SIGKILL: nothing but ``finally`` sees it."""


def _die_at(monkeypatch, step):
    """Let the process die right before its ``step``-th publication, or during writing for step -1."""
    calls = iter(range(100))
    publish = LocalStore.publish

    def dying(self, file, name):
        if next(calls) == step:
            raise _KilledError
        publish(self, file, name)

    monkeypatch.setattr(LocalStore, "publish", dying)


@pytest.mark.parametrize(
    ("format", "step"), [("lmdb", step) for step in (-1, 0, 1, 2)] + [("parquet", step) for step in (-1, 0, 1, 2, 3)]
)
def test_death_between_any_two_steps_commits_nothing_and_a_rerun_repairs_it(
    store, format, records, schema, step, monkeypatch
):
    kept = commit(store, 0, records(10), format=format, schema=schema)

    def stream():
        yield from records(10, first=10)[:7]
        if step == -1:
            raise _KilledError
        yield from records(10, first=10)[7:]

    with monkeypatch.context() as patch:
        _die_at(patch, step)
        with pytest.raises(_KilledError):
            commit(store, 1, stream(), format=format, schema=schema)
    assert committed(store) == {0: kept}
    assert committed_numbers(store) == {0}
    suffixes = {"parquet": (".parquet", ".idx", ".npz"), "lmdb": (".lmdb", ".npz")}[format]
    expected = sorted(shard_name(1, suffix) for suffix in suffixes[: max(step, 0)])
    assert garbage(store) == expected
    assert sweep(store) == expected
    assert garbage(store) == []
    commit(store, 1, records(10, first=10), format=format, schema=schema)
    assert sorted(committed(store)) == [0, 1]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_killed_process_leaves_a_workspace_that_sweep_deletes(store, records, schema):
    commit(store, 0, records(3), format="lmdb", schema=schema)
    pid = os.fork()
    if pid == 0:
        with store.workspace() as folder:
            (folder / "shard-000001.lmdb").write_bytes(bytes(100))
            os._exit(9)
    os.waitpid(pid, 0)
    (leftover,) = garbage(store)
    assert leftover.startswith(".tmp/")
    assert sweep(store) == [leftover]
    assert list((store.root / ".tmp").iterdir()) == []
    assert sorted(committed(store)) == [0]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_full_or_closed_disk_is_one_clear_sentence_and_loses_nothing(
    store, format, records, schema, code, monkeypatch
):
    kept = commit(store, 0, records(10), format=format, schema=schema)

    def failing(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(ShardError, match=os.strerror(code)) as caught:
        commit(store, 1, records(10, first=10), format=format, schema=schema)
    assert "shard-000001" in str(caught.value)
    assert committed(store) == {0: kept}
    assert list((store.root / ".tmp").iterdir()) == []
    assert garbage(store) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path, records, schema):
    (tmp_path / "out").write_text("not a folder")
    with pytest.raises(ShardError, match="cannot be written"):
        commit(open_store(tmp_path / "out"), 0, records(1), format="parquet", schema=schema)


def test_an_error_of_the_source_passes_through_and_leaves_nothing(store, format, records, schema):
    def stream():
        yield from records(3)
        raise KeyError("the source's own error")

    with pytest.raises(KeyError, match="the source's own error"):
        commit(store, 0, stream(), format=format, schema=schema)
    assert _files(store) == []


def _other_plan(stream):
    return [replace(record, plan='{"other":1}') for record in stream]


def _other_number(stream):
    return [replace(record, columns=record.columns | {"deg.blur.sigma": 1.5}) for record in stream]


def _other_image(stream):
    return [replace(record, lq=replace(record.lq, data=bytes(len(record.lq.data)))) for record in stream]


def _one_too_few(stream):
    return stream[:-1]


@pytest.mark.parametrize("change", [_other_plan, _other_number, _other_image, _one_too_few])
def test_a_value_that_does_not_survive_writing_is_caught_before_publication(
    store, format, records, schema, change, monkeypatch
):
    class Liar:
        """Writes something else than it says."""

        def __init__(self, honest):
            self._honest = honest

        def __getattr__(self, name):
            return getattr(self._honest, name)

        def write(self, path, stream, *, schema):
            stream = list(stream)
            said = self._honest.write(path, stream, schema=schema)
            path.unlink()
            self._honest.write(path, change(stream), schema=schema)
            return said

    monkeypatch.setitem(commit_module.FORMATS, format, Liar(FORMATS[format]))
    with pytest.raises(ShardError, match="other values after writing than before"):
        commit(store, 0, records(3), format=format, schema=schema)
    assert _files(store) == []


@pytest.mark.parametrize("variants", [1, 2])
@pytest.mark.parametrize("part", ["gt", "lq"])
def test_a_bit_that_flips_between_writing_and_reading_back_stops_the_commit(
    store, format, records, schema, monkeypatch, part, variants
):
    wanted = records(70, variants=variants)
    write = type(FORMATS[format]).write

    def flipping(self, path, stream, *, schema):
        info = write(self, path, stream, schema=schema)
        data = bytearray(path.read_bytes())
        data[data.index(getattr(wanted[20], part).data) + 30] ^= 1
        path.write_bytes(data)
        return info

    monkeypatch.setattr(type(FORMATS[format]), "write", flipping)
    with pytest.raises(ShardError, match="damaged"):
        commit(store, 0, wanted, format=format, schema=schema)
    assert _files(store) == []


def test_a_sidecar_without_its_whole_shard_counts_for_nothing(store, format, records, schema):
    receipt = commit(store, 0, records(10), format=format, schema=schema)
    file = store.root / receipt.file
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert committed(store) == {}
    assert commit(store, 0, records(10), format=format, schema=schema) == receipt
    assert file.read_bytes() == whole
    file.unlink()
    assert committed(store) == {}
    assert committed_numbers(store) == set()


def test_a_changed_sidecar_is_noticed(store, records, schema):
    receipt = commit(store, 0, records(4), format="lmdb", schema=schema)
    sidecar = store.root / "data/_shard-000000.json"
    text = sidecar.read_text()
    sidecar.write_text(text.replace(f'"bytes": {receipt.bytes}', f'"bytes": {receipt.bytes + 1}'))
    with pytest.raises(ShardError, match=r"shard-000000\.json was changed after it was written"):
        committed(store)
    sidecar.write_text(text[:-30])
    with pytest.raises(ShardError, match=r"shard-000000\.json cannot be read as sealed JSON"):
        committed(store)


def test_sealed_json_round_trips(tmp_path):
    store = open_store(tmp_path)
    content = {"a": 1, "text": "ä", "list": [1.5, None, True]}
    (tmp_path / "x.json").write_bytes(sealed(content))
    assert read_sealed(store, "x.json") == content
    for damaged in (b"[1]", b"{}", b"\xff", b""):
        (tmp_path / "x.json").write_bytes(damaged)
        with pytest.raises(ShardError, match="sealed JSON"):
            read_sealed(store, "x.json")


def test_an_unknown_format_is_named(store, records, schema):
    with pytest.raises(ShardError, match="'tar' is unknown; choose one of parquet, lmdb"):
        commit(store, 0, records(1), format="tar", schema=schema)
