"""LMDB shards: one memory-mapped file per shard, for random access on a local disk.

Keys are big-endian u64 indices. ``index`` holds a record (head, columns, meta, plan, LQ), ``index`` + ``gt`` the GT
that the records of one key share, ``__keys__`` and ``__meta__`` close the file. Values are appended in key order, so
equal records give an equal file without free pages. The file is LMDB 0.9's (``lib_version=0``), which every LMDB reads.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from degradekit.canonical import canonical_json
from degradekit.codecs import checksum
from degradekit.errors import ShardError
from degradekit.shards.hashed import sha256_of
from degradekit.shards.interface import Checked, OffsetsAt, ShardReader, Written, differs, summarise
from degradekit.shards.lmdb_reader import GT_KEY, KEYS_KEY, META_KEY, RECORD, LmdbReader, index_key, seal
from degradekit.shards.summary import Digest, Digests, Schema, Summary, digest, normalise
from degradekit.storage import Blob, open_blob
from degradekit.types import EncodedImage, Record, Tombstone

__all__ = ["BLOCK_BYTES", "LmdbFormat"]

VERSION = 1
PAGE = 4096
BLOCK_BYTES = 32 << 20
"""One transaction per so many bytes: what the writer holds in memory."""

Pairs = list[tuple[bytes, bytes]]


class LmdbFormat:
    """The LMDB format; stateless."""

    suffix = ".lmdb"

    def write(self, path: Path, records: Iterable[Record | Tombstone], *, schema: Schema) -> Written:
        """Write a shard transaction by transaction.

        Raises:
            ShardError: A record does not fit the schema, its index or name is out of order, or the disk is full.
        """
        summary = Summary(schema)
        path.unlink(missing_ok=True)
        with _errors(path):
            # Without a lock file or syncs: nobody else sees this file, and commit flushes it as a whole.
            env = lmdb.open(
                str(path), subdir=False, map_size=1 << 20, lock=False, sync=False, metasync=False, lib_version=0
            )
        try:
            names: list[tuple[str, int, bool]] = []
            for block in _blocks(records, schema, summary, names):
                _append(env, block, path)
            info = summary.close()
            meta = {"format_version": VERSION, "schema": list(schema.items()), "rows": info.rows}
            meta |= {"first_index": info.first_index, "logical": info.logical}
            closing = [(KEYS_KEY, seal(canonical_json(names))), (META_KEY, seal(canonical_json(meta)))]
            _append(env, closing, path)
            return Written(info)
        finally:
            env.close()

    def check(self, path: Path, written: Written) -> Checked:
        """Read a shard back; no offsets, because random access is LMDB's own.

        Raises:
            ShardError: A value is damaged, or differs from what was written.
        """
        with self.open(path) as reader:
            if summarise(reader) != written.info:
                raise differs(path)
        return Checked(sha256_of(path), None)

    def open(self, where: str | Path | Blob, *, offsets: OffsetsAt = "beside", readahead: bool = True) -> ShardReader:
        """Open a shard.

        Raises:
            ShardError: It is not a local file.
        """
        blob = open_blob(where)
        if blob.path is None:
            raise ShardError(f"{blob.name}: LMDB shards are memory-mapped; copy the dataset to a local disk first.")
        return LmdbReader(blob.path, readahead=readahead)

    def damage(self, path: Path) -> str | None:
        """The first broken invariant of the file's pages, which the LMDB engine would follow blindly."""
        from lmdb.verify import VerifyError, verify

        try:
            found = verify(str(path), subdir=False)
        except (VerifyError, OSError, ValueError, struct.error) as error:
            return str(error)
        return str(found[0]) if found else None


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:
        # A full disk is an input/output error to LMDB, so say what would tell.
        free = shutil.disk_usage(path.parent).free / 1e6
        remedy = f"{free:.0f} MB are free there; if that is too little, free more and run the same command again"
        raise ShardError(f"{path} cannot be written: {error}; {remedy}.") from error


def _append(env: Any, block: Pairs, path: Path) -> None:
    need = sum(len(value) + 2 * PAGE for _, value in block) + 64 * PAGE
    used = (env.info()["last_pgno"] + 1) * PAGE
    with _errors(path):
        if env.info()["map_size"] < used + need:
            env.set_mapsize(-(-(used + need) // PAGE) * PAGE)
        with env.begin(write=True) as transaction:
            for key, value in block:
                transaction.put(key, value, append=True)


def _blocks(
    records: Iterable[Record | Tombstone], schema: Schema, summary: Summary, names: list[tuple[str, int, bool]]
) -> Iterator[Pairs]:
    block: Pairs = []
    size = 0
    shared: tuple[str, EncodedImage, int] | None = None  # key, GT, index under which it is stored
    for raw in records:
        record = normalise(raw, schema) if isinstance(raw, Record) else raw
        names.append((record.key, record.variant, isinstance(record, Record)))
        if isinstance(record, Tombstone):
            summary.add(record)
            block.append((index_key(record.index), _tombstone_value(record)))
            continue
        digests = (digest(record.gt.data), digest(record.lq.data))
        summary.add(record, digests)
        if shared is None or shared[:2] != (record.key, record.gt):
            shared = (record.key, record.gt, record.index)
        block.append((index_key(record.index), _record_value(record, digests, shared[2])))
        size += len(block[-1][1])
        if shared[2] == record.index:
            block.append((index_key(record.index) + GT_KEY, bytes(record.gt.data)))
            size += len(record.gt.data)
        if size >= BLOCK_BYTES:
            yield block
            block, size = [], 0
    yield block


def _record_value(record: Record, digests: Digests, holder: int) -> bytes:
    head = {"index": record.index, "key": record.key, "variant": record.variant}
    head |= {"gt": _facts(record.gt, digests[0]) | {"at": holder}, "lq": _facts(record.lq, digests[1])}
    return _value(head, (canonical_json(record.columns), canonical_json(record.meta), record.plan), record.lq.data)


def _tombstone_value(record: Tombstone) -> bytes:
    head = {"index": record.index, "key": record.key, "variant": record.variant}
    return _value(head | {"step": record.step, "reason": record.reason}, ("", "", ""), b"")


def _value(head: dict[str, Any], texts: tuple[str, str, str], lq: bytes | memoryview) -> bytes:
    encoded = [text.encode() for text in (canonical_json(head), *texts)]
    digest = checksum(b"".join(encoded))
    return b"".join([RECORD.pack(*map(len, encoded), len(lq), digest), *encoded, lq])


def _facts(image: EncodedImage, known: Digest) -> dict[str, Any]:
    facts = {"codec": image.codec, "shape": list(image.shape), "dtype": image.dtype}
    return facts | {"bytes": known.bytes, "xxh3": f"{known.xxh3:016x}"}
