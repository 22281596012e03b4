"""One behaviour for local folders, S3 (a server on the loopback) and fsspec."""

import os
import pickle

import pytest

from degradekit.errors import ShardError
from degradekit.storage import LocalStore, RemoteStore, open_blob, open_store


def _put(store, name, data):
    with store.workspace() as folder:
        (folder / "x").write_bytes(data)
        store.publish(folder / "x", name)


def test_files_are_published_listed_read_and_deleted(store_uri):
    store = open_store(store_uri)
    assert store.sizes("data") == store.sizes() == {}
    data = os.urandom(100_000)
    _put(store, "data/a.bin", data)
    _put(store, "data/b.bin", b"b")
    _put(store, "top.json", b"{}")
    assert store.sizes("data") == {"a.bin": 100_000, "b.bin": 1}
    assert store.sizes() == {"top.json": 2}
    assert store.read("data/a.bin") == data
    blob = store.open("data/a.bin")
    assert blob.size() == 100_000
    assert (blob.pread(500, 1000), blob.pread(99_990, 50), blob.pread(7, 0)) == (data[500:1500], data[99_990:], b"")
    with blob.native() as file:
        assert file.read_at(10, 42) == data[42:52]
    blob.close()
    assert blob.pread(0, 3) == data[:3]
    assert pickle.loads(pickle.dumps(blob)).pread(1, 2) == data[1:3]
    assert pickle.loads(pickle.dumps(store)).read("top.json") == b"{}"
    _put(store, "data/b.bin", b"again")
    assert store.read("data/b.bin") == b"again"
    for _ in range(2):
        store.delete("data/b.bin")
    assert store.sizes("data") == {"a.bin": 100_000}
    assert store.leftovers() == []


def test_what_is_missing_is_named(store_uri):
    store = open_store(store_uri)
    with pytest.raises(ShardError, match=r"nothing\.bin cannot be read"):
        store.read("nothing.bin")
    with pytest.raises(ShardError, match=r"nothing\.bin cannot be read"):
        store.open("nothing.bin").pread(0, 1)


def test_a_place_that_nobody_knows_is_refused():
    with pytest.raises(ShardError, match="nonsense://x: no installed file system opens it"):
        open_store("nonsense://x").sizes()


def test_a_workspace_is_empty_private_and_gone_afterwards(store_uri):
    store = open_store(store_uri)
    with store.workspace() as first, store.workspace() as second:
        assert first != second
        assert list(first.iterdir()) == []
    assert not first.exists()
    assert not second.exists()
    with pytest.raises(KeyError), store.workspace() as folder:
        raise KeyError
    assert not folder.exists()


def test_a_local_store_renames_and_a_remote_one_uploads(store_uri, tmp_path):
    store = open_store(store_uri)
    assert isinstance(store, LocalStore if store_uri.startswith(("/", "file:")) else RemoteStore)
    with store.workspace() as folder:
        file = folder / "x"
        file.write_bytes(b"x")
        inode = file.stat().st_ino
        store.publish(file, "data/x")
    if isinstance(store, LocalStore):
        assert (store.root / "data/x").stat().st_ino == inode
        assert folder.is_relative_to(store.root), "renaming is atomic only inside one file system"
        assert open_blob(store.root / "data/x").pread(0, 9) == b"x"
