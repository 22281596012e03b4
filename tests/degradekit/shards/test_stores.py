"""Datasets in every kind of store."""

import multiprocessing
import pickle
from urllib.parse import quote

import pytest

from degradekit.errors import ShardError
from degradekit.shards.commit import commit, committed, garbage, shard_name, sweep
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.shards.verify import verify_dataset
from degradekit.storage import open_store
from degradekit.types import Record


def _build(uri, records, schema, format="parquet"):
    store = open_store(uri)
    stream = records(90, variants=2, dead=(31,))
    for number in range(3):
        part = stream[number * 30 : (number + 1) * 30]
        commit(store, number, part, format=format, schema=schema)
    finish(store, BuildFacts("recipe", "0" * 32, 1, 4, format, "png", 30, 2, 90, schema), clock={"host": "x"})
    return stream


def test_a_whole_dataset_lives_in_any_store(store_uri, tmp_path, records, schema):
    wanted = _build(store_uri, records, schema)
    dataset = open_dataset(store_uri)
    assert [dataset.read(index) for index in (0, 31, 89, 17)] == [wanted[index] for index in (0, 31, 89, 17)]
    assert dataset.find(wanted[60].key, 0) == 60
    assert dataset.table([])["index"].to_pylist() == list(range(90))
    assert pickle.loads(pickle.dumps(dataset)).read(44) == wanted[44]
    assert verify_dataset(store_uri) == []
    assert garbage(dataset.store) == []
    assert _build(store_uri, records, schema) == wanted
    assert sorted(committed(dataset.store)) == [0, 1, 2]
    local = tmp_path / "local"
    _build(local, records, schema)
    assert dataset.info == open_dataset(local).info


def test_a_remote_upload_that_stops_early_commits_nothing(store_uri, records, schema, monkeypatch):
    store = open_store(store_uri)
    kind = type(store)
    publish = kind.publish

    def stopping(self, file, name):
        if name.endswith(".json"):
            raise OSError("connection reset")
        publish(self, file, name)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "publish", stopping)
        with pytest.raises(ShardError, match="connection reset"):
            commit(store, 0, records(5), format="parquet", schema=schema)
    assert committed(store) == {}
    assert sweep(store) == [shard_name(0, suffix) for suffix in (".idx", ".npz", ".parquet")]
    assert store.sizes("data") == {}
    commit(store, 0, records(5), format="parquet", schema=schema)
    assert sorted(committed(store)) == [0]


def test_lmdb_can_be_built_into_an_object_store_but_is_read_locally(s3_server, records, schema):
    uri = f"s3://bucket/lmdb?region=us-east-1&scheme=http&endpoint_override={quote(s3_server)}"
    _build(uri, records, schema, format="lmdb")
    with pytest.raises(ShardError, match="memory-mapped; copy the dataset to a local disk"):
        open_dataset(uri).read(0)


def _read(dataset, queue):
    record = dataset.read(5)
    queue.put(record.plan if isinstance(record, Record) else "")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_remote_dataset_reads_in_spawned_processes(s3_server, records, schema):
    uri = f"s3://bucket/spawn?region=us-east-1&scheme=http&endpoint_override={quote(s3_server)}"
    wanted = _build(uri, records, schema)
    dataset = open_dataset(uri)
    dataset.read(1)
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    worker = context.Process(target=_read, args=(dataset, queue))
    worker.start()
    assert queue.get() == wanted[5].plan
    worker.join()
