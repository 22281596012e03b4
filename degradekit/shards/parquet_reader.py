"""Reading Parquet shards: single images by their offsets, everything else by row groups."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, cast

import pyarrow as pa
import pyarrow.parquet as pq

from degradekit.codecs import checksum
from degradekit.errors import ShardError
from degradekit.shards.interface import PARTS, Block, Parts, check_parts, check_row
from degradekit.shards.offsets import Offsets, Slot
from degradekit.shards.pages import Stored, stored_values
from degradekit.shards.summary import Schema
from degradekit.storage import Blob
from degradekit.types import EncodedImage, Record, Tombstone

__all__ = ["ParquetReader"]

IDENTITY = ("index", "key", "variant", "status", "step", "reason")
FACET = ("_codec", "_shape", "_dtype", "_xxh3")
FACETS = tuple(role + facet for role in ("gt", "lq") for facet in FACET)
TEXTS = frozenset({"plan", "meta"})
BAD_SUM = "fails its checksum: the file is damaged, rebuild the shard."

Columns = dict[str, list[Any]]


class _Handles:
    """What one process holds open."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self.file = file
        meta = file.metadata
        self.starts = [0]
        for number in range(meta.num_row_groups):
            self.starts.append(self.starts[-1] + meta.row_group(number).num_rows)
        self.leaves = {meta.row_group(0).column(i).path_in_schema: i for i in range(meta.num_columns)}
        self.schema: Schema = dict(json.loads((meta.metadata or {})[b"degradekit"])["schema"])
        self.cached: tuple[int, tuple[str, ...], Columns] = (-1, (), {})  # one tuple, so that threads see it whole
        self.typed: list[_Typed] | None = None


class _Typed:
    """A typed column of a whole shard as numpy arrays: compact, and a cell costs a fraction of a microsecond."""

    def __init__(self, name: str, column: pa.ChunkedArray) -> None:
        self.name = name
        self.valid = column.is_valid().to_numpy().tolist()
        blank = "" if pa.types.is_string(column.type) else False if pa.types.is_boolean(column.type) else 0
        self.values = column.fill_null(blank).to_numpy()


class ParquetReader:
    """An open Parquet shard.

    Args:
        blob: The shard.
        offsets: Its offset file; None reads images by whole row groups.
    """

    def __init__(self, blob: Blob, offsets: Blob | None) -> None:
        self._blob = blob
        self._offset_blob = offsets
        self._open: tuple[int, _Handles] | None = None
        self._offsets: Offsets | None = None

    def __getstate__(self) -> tuple[Blob, Blob | None]:
        return self._blob, self._offset_blob

    def __setstate__(self, state: tuple[Blob, Blob | None]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Path or URI."""
        return self._blob.name

    def close(self) -> None:
        """Release the handles of this process."""
        if self._open is not None and self._open[0] == os.getpid():
            self._open[1].file.close()
        self._open = None
        self._blob.close()

    def _handles(self) -> _Handles:
        if self._open is None or self._open[0] != os.getpid():
            with _damage(f"{self.name} is no intact Parquet shard of degradekit"):
                native = self._blob.native()
                self._open = (os.getpid(), _Handles(_open(native)))
        return self._open[1]

    def _index(self) -> Offsets | None:
        if self._offsets is None and self._offset_blob is not None:
            blob = self._offset_blob
            offsets = Offsets(blob.pread(0, blob.size()), blob.name)
            if offsets.shard_bytes != (size := self._blob.size()):
                found = f"describes a shard of {offsets.shard_bytes} bytes, {self.name} has {size}"
                raise ShardError(f"{blob.name} {found}: one of the two is truncated or from another build.")
            self._offsets = offsets
        return self._offsets

    @property
    def first_index(self) -> int:
        """Index of the first record."""
        if offsets := self._index():
            return offsets.first_index
        return int(self._handles().file.metadata.row_group(0).column(0).statistics.min)

    def __len__(self) -> int:
        if offsets := self._index():
            return offsets.rows
        return int(self._handles().file.metadata.num_rows)

    def schema(self) -> Schema:
        """The typed columns."""
        return self._handles().schema

    def texts(self, group: int) -> pa.Table:
        """Everything but the images of a row group.

        Raises:
            ShardError: It is damaged.
        """
        return self._table(
            group, [name for name in self._handles().file.schema_arrow.names if name not in ("gt", "lq")]
        )

    def stored(self, group: int, role: str, texts: pa.Table) -> list[Stored]:
        """Where the images of a row group lie in the file, one per row, each read from there and checked.

        Args:
            group: Number of the row group.
            role: ``"gt"`` or ``"lq"``.
            texts: The other columns of the row group.

        Raises:
            ShardError: A page or a value is damaged.
        """
        handles = self._handles()
        chunk = handles.file.metadata.row_group(group).column(handles.leaves[role])
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        found = stored_values(self._blob, start, start + chunk.total_compressed_size, rows=chunk.num_values)
        sums = texts[f"{role}_xxh3"].to_pylist()
        for row, (value, known) in enumerate(zip(found, sums, strict=True), handles.starts[group]):
            if value.digest.xxh3 != known and not (known is None and value.digest.bytes == 0):  # None: a tombstone
                raise ShardError(f"{self.name}: row {row}: {role} {BAD_SUM}")
        return found

    def read(self, row: int, parts: Parts = PARTS) -> Record | Tombstone:
        """One record by its row.

        Raises:
            ShardError: There is no such row, or a value of it is damaged.
        """
        wanted = check_parts(parts)
        check_row(row, len(self), self.name)
        offsets = self._index()
        entry = offsets[row] if offsets else None
        if offsets is None or entry is None:
            return self._from_group(row, wanted)
        if entry.gt is None or entry.lq is None:
            return self._from_group(row, frozenset())
        return Record(
            index=offsets.first_index + row,
            key=entry.key,
            variant=entry.variant,
            gt=self._fetch(row, "gt", entry.gt, "gt" in wanted),
            lq=self._fetch(row, "lq", entry.lq, "lq" in wanted),
            **self._texts(row, wanted),
        )

    def _fetch(self, row: int, role: str, slot: Slot, wanted: bool) -> EncodedImage:
        data = self._blob.pread(slot.offset, slot.length) if wanted else b""
        if wanted and checksum(data) != slot.xxh3:
            raise ShardError(f"{self.name}: row {row}: {role} {BAD_SUM}")
        return EncodedImage(data, slot.codec, slot.shape, slot.dtype)

    def _texts(self, row: int, wanted: frozenset[str]) -> dict[str, Any]:
        """Plan, columns and meta of one row, without touching its images."""
        typed: dict[str, Any] = {}
        if "columns" in wanted:
            handles = self._handles()
            if handles.typed is None:
                table = self.table()
                handles.typed = [_Typed(name, table.column(name)) for name in handles.schema]
            typed = {column.name: column.values.item(row) for column in handles.typed if column.valid[row]}
        columns, at = self._group(row, tuple(sorted(wanted & TEXTS)))
        return {
            "plan": columns["plan"][at] if "plan" in wanted else "",
            "columns": typed,
            "meta": json.loads(columns["meta"][at]) if "meta" in wanted else {},
        }

    def _group(self, row: int, names: tuple[str, ...]) -> tuple[Columns, int]:
        """Columns of the row group around a row, and the row's place in it; the last group is kept."""
        if not names:
            return {}, 0
        handles = self._handles()
        group = bisect_right(handles.starts, row) - 1
        cached = handles.cached
        if cached[:2] != (group, names):
            cached = handles.cached = (group, names, self._load(group, names))
        return cached[2], row - handles.starts[group]

    def _from_group(self, row: int, wanted: frozenset[str]) -> Record | Tombstone:
        columns, at = self._group(row, self._names(wanted))
        return self._record(columns, at, row, wanted)

    def blocks(self, parts: Parts = PARTS) -> Iterator[Block]:
        """All records in order, one list per row group.

        Raises:
            ShardError: A page or a value is damaged.
        """
        wanted = check_parts(parts)
        starts = self._handles().starts
        for group, start in enumerate(starts[:-1]):
            columns = self._load(group, self._names(wanted))
            block = [self._record(columns, at, start + at, wanted) for at in range(len(columns["index"]))]
            del columns
            yield block
            del block  # or the next row group would be loaded beside this one

    def _names(self, wanted: frozenset[str]) -> tuple[str, ...]:
        typed = tuple(self._handles().schema) if "columns" in wanted else ()
        return (*IDENTITY, *FACETS, *sorted(wanted - {"columns"}), *typed)

    def _load(self, group: int, names: Sequence[str]) -> Columns:
        table = self._table(group, names)
        return {name: _to_list(table.column(name)) for name in names}

    def _table(self, group: int, names: Sequence[str]) -> pa.Table:
        handles = self._handles()
        try:
            with _damage(f"{self.name}: row group {group} (rows from {handles.starts[group]}) is damaged"):
                table = handles.file.read_row_group(group, columns=list(names), use_threads=False)
                if table.num_rows != handles.starts[group + 1] - handles.starts[group]:
                    raise ValueError(f"it has {table.num_rows} rows")
                return table
        except ShardError:
            for name in names if len(names) > 1 else ():  # alone, the damaged column names itself
                with _damage(f"{self.name}: row group {group} (rows from {handles.starts[group]}), column {name}"):
                    handles.file.read_row_group(group, columns=[name], use_threads=False)
            raise

    def _record(self, columns: Columns, at: int, row: int, wanted: frozenset[str]) -> Record | Tombstone:
        with _damage(f"{self.name}: row {row} is damaged"):
            return self._assemble(columns, at, row, wanted)

    def _assemble(self, columns: Columns, at: int, row: int, wanted: frozenset[str]) -> Record | Tombstone:
        identity = (columns["index"][at], columns["key"][at], columns["variant"][at])
        if columns["status"][at] != "ok":
            return Tombstone(*identity, columns["step"][at], columns["reason"][at])
        typed = {}
        if "columns" in wanted:
            typed = {name: columns[name][at] for name in self.schema() if columns[name][at] is not None}
        return Record(
            *identity,
            gt=self._image(columns, "gt", at, row),
            lq=self._image(columns, "lq", at, row),
            plan=columns["plan"][at] if "plan" in wanted else "",
            columns=typed,
            meta=json.loads(columns["meta"][at]) if "meta" in wanted else {},
        )

    def _image(self, columns: Columns, role: str, at: int, row: int) -> EncodedImage:
        codec, shape, dtype, xxh3 = (columns[role + facet][at] for facet in FACET)
        data = b""
        if role in columns:
            data = columns[role][at]
            shared = at > 0 and data is columns[role][at - 1] and xxh3 == columns[role + "_xxh3"][at - 1]
            if not shared and checksum(data) != xxh3:
                raise ShardError(f"{self.name}: row {row}: {role} {BAD_SUM}")
        return EncodedImage(data, codec, cast(tuple[int, int, int, int], tuple(shape)), dtype)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Identity and typed columns of the whole shard, no pixels.

        Raises:
            ShardError: A column is unknown or damaged.
        """
        handles = self._handles()
        names = list(handles.schema if columns is None else columns)
        if unknown := set(names) - set(handles.schema):
            raise ShardError(f"{self.name} has no column {', '.join(sorted(unknown))}; see its schema().")
        with _damage(f"{self.name}: the columns are damaged"):
            return handles.file.read(columns=[*IDENTITY[:4], *names], use_threads=False).select([*IDENTITY[:4], *names])

    def find(self, key: str, variant: int) -> int | None:
        """The row of a sample, or None."""
        if offsets := self._index():
            return offsets.find(key, variant)
        table = self.table([])
        pairs = zip(table["key"].to_pylist(), table["variant"].to_pylist(), strict=True)
        return next((row for row, pair in enumerate(pairs) if pair == (key, variant)), None)


def _open(native: Any) -> pq.ParquetFile:
    """The file; where GTs are in dictionaries they stay there, so that the variants of one share its bytes."""
    meta = pq.read_metadata(native)
    chunks = [meta.row_group(0).column(i) for i in range(meta.num_columns)]
    shared = [chunk.path_in_schema for chunk in chunks if chunk.path_in_schema == "gt" and chunk.has_dictionary_page]
    return pq.ParquetFile(
        native, metadata=meta, page_checksum_verification=True, read_dictionary=shared, pre_buffer=False
    )


def _to_list(column: pa.ChunkedArray) -> list[Any]:
    """Python values; rows that share a dictionary value share one bytes object."""
    if not pa.types.is_dictionary(column.type):
        return cast(list[Any], column.to_pylist())
    out: list[Any] = []
    for chunk in column.chunks:
        values = chunk.dictionary.to_pylist()
        out += [values[code] for code in chunk.indices.to_pylist()]
    return out


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Turn pyarrow's complaints into a ShardError that starts with ``what``."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        raise ShardError(f"{what}: {' '.join(str(error).split())}.") from error
