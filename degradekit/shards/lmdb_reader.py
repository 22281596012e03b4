"""Reading LMDB shards: every process maps a file once, and every value is checked before it is returned."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import lmdb
import pyarrow as pa

from degradekit.codecs import checksum
from degradekit.errors import ShardError
from degradekit.shards.interface import PARTS, Block, Parts, check_parts, check_row
from degradekit.shards.summary import Schema
from degradekit.types import EncodedImage, Record, Tombstone

__all__ = ["GT_KEY", "KEYS_KEY", "META_KEY", "RECORD", "LmdbReader", "index_key", "seal", "unseal"]

GT_KEY = b"gt"
KEYS_KEY = b"__keys__"
META_KEY = b"__meta__"
RECORD = struct.Struct("<IIIIIQ")
"""Bytes of head, columns, meta, plan (texts) and LQ, and the checksum of the four texts; the five follow."""
BLOCK_ROWS = 64
BLOCK_BYTES = 32 << 20


def index_key(index: int) -> bytes:
    """The LMDB key of a record; big-endian, so that keys sort as indices do."""
    return index.to_bytes(8, "big")


def seal(text: str) -> bytes:
    """A text behind its checksum."""
    data = text.encode()
    return struct.pack("<Q", checksum(data)) + data


def unseal(value: bytes | None, where: str) -> Any:
    """The JSON value of a sealed text.

    Raises:
        ShardError: It is missing or damaged.
    """
    if value is None or checksum(value[8:]) != int.from_bytes(value[:8], "little"):
        raise ShardError(f"{where} is missing or fails its checksum: the file is damaged, rebuild the shard.")
    return json.loads(value[8:])


@dataclass(slots=True)
class _Mapping:
    pid: int
    env: Any
    users: int


# LMDB forbids mapping one file twice in a process, so the readers of a process share its mappings, by (device, inode).
_MAPPINGS: dict[tuple[int, int], _Mapping] = {}


def _acquire(path: Path, readahead: bool) -> tuple[int, int]:
    try:
        stat = path.stat()
        identity = (stat.st_dev, stat.st_ino)
        found = _MAPPINGS.get(identity)
        if found is not None and found.pid != os.getpid():
            found.env.close()  # inherited by a fork: unmapped in this process only
            found = None
        if found is None:
            env = lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=readahead, lib_version=0)
            found = _Mapping(os.getpid(), env, 0)
            needed = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
            if stat.st_size < needed:
                env.close()
                raise ShardError(f"{path} has {stat.st_size} of {needed} bytes: it is truncated, rebuild the shard.")
            _MAPPINGS[identity] = found
    except (lmdb.Error, OSError) as error:
        raise ShardError(f"{path} is no intact LMDB shard: {error}.") from error
    found.users += 1
    return identity


def _release(identity: tuple[int, int]) -> None:
    found = _MAPPINGS[identity]
    found.users -= 1
    if found.users == 0:
        found.env.close()
        del _MAPPINGS[identity]


class LmdbReader:
    """An open LMDB shard.

    Args:
        path: The file.
        readahead: Let the kernel read ahead; right where the dataset fits into memory, wrong where it does not.
    """

    def __init__(self, path: Path, *, readahead: bool = True) -> None:
        self._path = path
        self._readahead = readahead
        self._open: tuple[int, tuple[int, int]] | None = None
        self._facts: dict[str, Any] = {}
        self._names: list[list[Any]] = []

    def __getstate__(self) -> tuple[Path, bool]:
        return self._path, self._readahead

    def __setstate__(self, state: tuple[Path, bool]) -> None:
        self.__init__(state[0], readahead=state[1])  # type: ignore[misc]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Release the mapping of this process."""
        if self._open is not None and self._open[0] == os.getpid():
            _release(self._open[1])
        self._open = None

    def _get(self, *keys: bytes) -> list[bytes | None]:
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), _acquire(self._path, self._readahead))
        try:
            with _MAPPINGS[self._open[1]].env.begin() as transaction:
                return [transaction.get(key) for key in keys]
        except lmdb.Error as error:
            raise ShardError(f"{self._path} is damaged: {error}; rebuild the shard.") from error

    def _meta(self) -> dict[str, Any]:
        if not self._facts:
            self._facts = unseal(self._get(META_KEY)[0], f"{self._path}: __meta__")
        return self._facts

    @property
    def first_index(self) -> int:
        """Index of the first record."""
        return cast(int, self._meta()["first_index"])

    def __len__(self) -> int:
        return cast(int, self._meta()["rows"])

    def schema(self) -> Schema:
        """The typed columns."""
        return dict(self._meta()["schema"])

    def read(self, row: int, parts: Parts = PARTS) -> Record | Tombstone:
        """One record by its row.

        Raises:
            ShardError: There is no such row, or a value of it is damaged.
        """
        wanted = check_parts(parts)
        index = self.first_index + check_row(row, len(self), str(self._path))
        where = f"{self._path}: row {row}"
        value = self._get(index_key(index))[0]
        text, columns, meta, plan, lq = _split(value, where)
        head = json.loads(text)
        if head["index"] != index:
            raise ShardError(f"{where} holds index {head['index']}: the file is damaged, rebuild the shard.")
        if "reason" in head:
            return Tombstone(index, head["key"], head["variant"], head["step"], head["reason"])
        gt = self._get(index_key(head["gt"]["at"]) + GT_KEY)[0] if "gt" in wanted else None
        return Record(
            index=index,
            key=head["key"],
            variant=head["variant"],
            gt=_image(gt, head["gt"], f"{where}: gt", "gt" in wanted),
            lq=_image(lq, head["lq"], f"{where}: lq", "lq" in wanted),
            plan=plan.decode() if "plan" in wanted else "",
            columns=json.loads(columns) if "columns" in wanted else {},
            meta=json.loads(meta) if "meta" in wanted else {},
        )

    def blocks(self, parts: Parts = PARTS) -> Iterator[Block]:
        """All records in order, in lists of 64 records or 32 MiB."""
        block: Block = []
        size = 0
        for row in range(len(self)):
            record = self.read(row, parts)
            block.append(record)
            size += len(record.gt.data) + len(record.lq.data) if isinstance(record, Record) else 0
            if len(block) == BLOCK_ROWS or size >= BLOCK_BYTES:
                yield block
                block, size = [], 0
        if block:
            yield block

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Identity and typed columns of the whole shard, no pixels.

        Raises:
            ShardError: A column is unknown or damaged.
        """
        schema = self.schema()
        names = list(schema if columns is None else columns)
        if unknown := set(names) - set(schema):
            raise ShardError(f"{self._path} has no column {', '.join(sorted(unknown))}; see its schema().")
        arrow = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "str": pa.string()}
        records = [record for block in self.blocks(("columns",)) for record in block]
        arrays = {
            "index": pa.array([record.index for record in records], pa.int64()),
            "key": pa.array([record.key for record in records], pa.string()),
            "variant": pa.array([record.variant for record in records], pa.int32()),
            "status": pa.array(["ok" if isinstance(record, Record) else "tombstone" for record in records]),
        }
        for name in names:
            values = [record.columns.get(name) if isinstance(record, Record) else None for record in records]
            arrays[name] = pa.array(values, arrow[schema[name]])
        return pa.table(arrays)

    def find(self, key: str, variant: int) -> int | None:
        """The row of a sample, or None."""
        if not self._names:
            self._names = unseal(self._get(KEYS_KEY)[0], f"{self._path}: __keys__")
        rows = (row for row, name in enumerate(self._names) if name[:2] == [key, variant])
        return next(rows, None)


def _split(value: bytes | None, where: str) -> list[bytes]:
    """Head, columns, meta, plan and LQ of a record's value."""
    if value is None or len(value) < RECORD.size:
        raise ShardError(f"{where} is missing: the file is damaged, rebuild the shard.")
    *lengths, digest = RECORD.unpack_from(value)
    ends = list(accumulate(lengths, initial=RECORD.size))
    if len(value) != ends[-1] or checksum(value[RECORD.size : ends[-2]]) != digest:
        raise ShardError(f"{where}: its texts fail their checksum: the file is damaged, rebuild the shard.")
    return [value[start:end] for start, end in pairwise(ends)]


def _image(data: bytes | None, facts: dict[str, Any], where: str, wanted: bool) -> EncodedImage:
    if wanted and (data is None or f"{checksum(data):016x}" != facts["xxh3"]):
        raise ShardError(f"{where} fails its checksum: the file is damaged, rebuild the shard.")
    shape = cast(tuple[int, int, int, int], tuple(facts["shape"]))
    return EncodedImage(data if wanted and data is not None else b"", facts["codec"], shape, facts["dtype"])
