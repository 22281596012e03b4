"""Reading a finished dataset: by index, by name, or shard by shard."""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from degradekit.errors import ShardError
from degradekit.shards import FORMATS
from degradekit.shards.census import Census
from degradekit.shards.commit import committed_numbers, read_sealed, shard_name
from degradekit.shards.interface import PARTS, Parts, ShardReader
from degradekit.shards.manifest import DATASET, DROPPED, MANIFEST, QUARANTINE, VERSION, ShardRow, read_manifest
from degradekit.shards.offsets import beside
from degradekit.shards.summary import Schema
from degradekit.storage import LocalStore, Store, open_store
from degradekit.types import Record, Tombstone

__all__ = ["Dataset", "open_dataset", "open_shard"]

OPEN_SHARDS = 256
"""Shards a process keeps open at a time; each costs a file descriptor or a mapping and some tens of kilobytes."""


def open_shard(store: Store, row: ShardRow, *, readahead: bool = True) -> ShardReader:
    """Open one shard of a dataset.

    Args:
        store: The dataset's folder, or a cache that holds some of its shards.
        row: Which.
        readahead: See ``ShardFormat.open``.
    """
    suffix = PurePosixPath(row.file).suffix
    layout = next(layout for layout in FORMATS.values() if layout.suffix == suffix)
    if isinstance(store, LocalStore) or not row.offsets_sha256:
        return layout.open(store.open(row.file), readahead=readahead)
    offsets = store.open(str(beside(PurePosixPath(row.file))))
    return layout.open(store.open(row.file), offsets=offsets)


class _OpenShards:
    """The readers of one process, least recently used closed first; pickles and forks to an empty one."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._readers: OrderedDict[int, ShardReader] = OrderedDict()

    def __reduce__(self) -> tuple[type[_OpenShards], tuple[()]]:
        return _OpenShards, ()

    def get(self, store: Store, row: ShardRow, dataset_bytes: int) -> ShardReader:
        if self._pid != os.getpid():
            self._pid, self._readers = os.getpid(), OrderedDict()
        reader = self._readers.get(row.number)
        if reader is None:
            # Measured with a cold cache: reading ahead is 14 times faster where all fits; elsewhere it evicts.
            memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            reader = open_shard(store, row, readahead=dataset_bytes < memory / 2)
            self._readers[row.number] = reader
        self._readers.move_to_end(row.number)
        if len(self._readers) > OPEN_SHARDS:
            self._readers.popitem(last=False)[1].close()
        return reader

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A finished dataset; made by ``open_dataset``, used from any process.

    Args:
        store: Where it is.
        info: Content of ``dataset.json``.
        shards: Rows of the manifest in their order.
        dropped: Pairs that were taken out afterwards, by index; they read as tombstones.

    Example:
        >>> import tempfile
        >>> from degradekit.shards.commit import commit
        >>> from degradekit.shards.manifest import BuildFacts, finish
        >>> out = tempfile.TemporaryDirectory()
        >>> records = [Tombstone(i, f"{i}.png", 0, "read", "an empty file") for i in range(3)]
        >>> receipt = commit(open_store(out.name), 0, records, format="lmdb", schema={})
        >>> facts = BuildFacts("", "", 0, 4, format="lmdb", codec="qoi", shard_size=8, variants=1, samples=3, schema={})
        >>> content = finish(open_store(out.name), facts)
        >>> dataset = open_dataset(out.name)
        >>> len(dataset), dataset.locate(2), dataset.find("1.png"), dataset.read(2).reason
        (3, (0, 2), 1, 'an empty file')
        >>> out.cleanup()
    """

    store: Store
    info: dict[str, Any]
    shards: tuple[ShardRow, ...]
    dropped: Mapping[int, Tombstone] = field(default_factory=dict, repr=False)
    _open: _OpenShards = field(default_factory=_OpenShards, repr=False, compare=False)

    @property
    def id(self) -> str:
        """Identity of the content, equal for all formats of one build: 16 hex digits."""
        return cast(str, self.info["dataset_id"])

    @property
    def scale(self) -> int:
        """GT side / LQ side."""
        return cast(int, self.info["scale"])

    @property
    def schema(self) -> Schema:
        """Typed columns."""
        return {name: column["type"] for name, column in self.info["columns"].items()}

    def __len__(self) -> int:
        return cast(int, self.info["counts"]["samples"])

    def locate(self, index: int) -> tuple[int, int]:
        """Shard number and row of a sample, by arithmetic.

        Raises:
            ShardError: There is no such index.
        """
        if not 0 <= index < len(self):
            raise ShardError(f"{self.store.uri} has no index {index}; it has {len(self)} samples.")
        return divmod(index, cast(int, self.info["shard_size"]))

    def shard(self, number: int) -> ShardReader:
        """The reader of a shard; the dataset keeps and closes it."""
        if not 0 <= number < len(self.shards):
            raise ShardError(f"{self.store.uri} has no shard {number}; it has {len(self.shards)}.")
        return self._open.get(self.store, self.shards[number], self.info["counts"]["bytes"])

    def read(self, index: int, parts: Parts = PARTS) -> Record | Tombstone:
        """One record.

        Args:
            index: 0..len - 1.
            parts: What of it to read (``PARTS``); the rest stays empty.

        Raises:
            ShardError: There is no such index, or a value is damaged.
        """
        number, row = self.locate(index)
        if index in self.dropped:
            return self.dropped[index]
        return self.shard(number).read(row, parts)

    def census(self, number: int) -> Census | None:
        """What was counted of a shard when it was built, or None.

        None where an older version built it, the file is gone, or pairs of the shard were dropped since.

        Raises:
            ShardError: It was changed after it was written.
        """
        row = self.shards[number]
        if not row.census_sha256 or any(i in self.dropped for i in range(row.first_index, row.first_index + row.rows)):
            return None
        name = shard_name(number, ".npz")
        try:
            data = self.store.read(name)
        except ShardError:
            return None
        if hashlib.sha256(data).hexdigest() != row.census_sha256:
            raise ShardError(
                f"{self.store.uri}/{name} is damaged (its SHA-256 differs): delete it or rebuild the shard."
            )
        return Census.unpack(data)

    def find(self, key: str, variant: int = 0) -> int | None:
        """Index of a sample by its name, or None; looks through the shards' lists of names."""
        for shard in self.shards:
            row = self.shard(shard.number).find(key, variant)
            if row is not None:
                return shard.first_index + row
        return None

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Identity and typed columns of every sample, without pixels.

        Args:
            columns: Typed columns to read; None reads all.

        Raises:
            ShardError: A column is unknown or damaged.
        """
        whole = pa.concat_tables([self.shard(shard.number).table(columns) for shard in self.shards])
        if not self.dropped:
            return whole
        gone = pc.is_in(whole["index"], pa.array(list(self.dropped), whole["index"].type))
        status = pc.if_else(gone, "dropped", whole["status"])
        return whole.set_column(whole.column_names.index("status"), "status", status)

    def tombstones(self) -> list[Tombstone]:
        """The pairs that could not be made, and those that were dropped."""
        return [*_tombstones(self.store.read(QUARANTINE)), *self.dropped.values()]

    def close(self) -> None:
        """Close every shard that this process has open; the next read opens it again."""
        self._open.close()


def open_dataset(uri: str | Path) -> Dataset:
    """Open a finished dataset.

    Args:
        uri: A folder, or a URI as in ``storage.open_store``.

    Raises:
        ShardError: There is no finished dataset, or ``dataset.json`` or the manifest was changed.
    """
    store = open_store(uri)
    if DATASET not in store.sizes():
        shards = len(committed_numbers(store))
        state = f"has {shards} shards but is not finished: run the same build again" if shards else "holds no dataset"
        raise ShardError(f"{store.uri} {state}.")
    info = read_sealed(store, DATASET)
    if info.get("format_version") != VERSION:
        raise ShardError(
            f"{store.uri}/{DATASET} has format version {info.get('format_version')}, this build reads {VERSION}: "
            f"install degradekit {info.get('environment', {}).get('libraries', {}).get('degradekit', '')}."
        )
    manifest = store.read(MANIFEST)
    if hashlib.sha256(manifest).hexdigest() != info["files"][MANIFEST]:
        raise ShardError(
            f"{store.uri}/{MANIFEST} was changed after it was written (its SHA-256 differs): restore it, or delete "
            f"{DATASET} and run the same build again."
        )
    return Dataset(store, info, read_manifest(manifest), _dropped(store, info))


def _dropped(store: Store, info: Mapping[str, Any]) -> dict[int, Tombstone]:
    """The pairs that were taken out.

    Raises:
        ShardError: Their list is missing or was changed.
    """
    if DROPPED not in info["files"]:
        return {}
    text = store.read(DROPPED)
    if hashlib.sha256(text).hexdigest() != info["files"][DROPPED]:
        raise ShardError(
            f"{store.uri}/{DROPPED} was changed after it was written (its SHA-256 differs): restore it, or delete "
            f"{DATASET} and run the same build again, which brings every pair back."
        )
    return {tombstone.index: tombstone for tombstone in _tombstones(text)}


def _tombstones(lines: bytes) -> list[Tombstone]:
    rows = [json.loads(line) for line in lines.decode().splitlines()]
    return [Tombstone(**{name: row[name] for name in Tombstone.__slots__}) for row in rows]
