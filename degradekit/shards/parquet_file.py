"""Parquet shards: an ordinary flat table that stores each GT once and lets a reader fetch single images.

The GT column is dictionary-encoded, so the K variants of one GT share its bytes while every Parquet reader sees a
plain column of K values. LQ values are PLAIN. Neither is compressed (images already are), so both lie contiguous in
the file; pages carry checksums, values their own xxh3, and row groups are cut between GTs. See ``docs/format.md``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from degradekit.codecs import checksum
from degradekit.errors import ShardError
from degradekit.shards.interface import OffsetsAt, ShardReader
from degradekit.shards.offsets import Entry, Slot, beside, pack_offsets
from degradekit.shards.parquet_reader import ParquetReader
from degradekit.shards.summary import Schema, ShardInfo, Summary, canonical_json, normalise
from degradekit.storage import Blob, LocalBlob, open_blob
from degradekit.types import EncodedImage, Record, Tombstone

__all__ = ["GROUP_BYTES", "GROUP_ROWS", "ParquetFormat"]

VERSION = 1
GROUP_ROWS = 64
"""Rows per row group: small enough to hold, large enough to read at full speed (docs/format.md has the table)."""
GROUP_BYTES = 32 << 20
"""A row group also ends before its images pass this size; writing and verifying takes eight times as much memory."""
GAP = 4096
"""Page headers and empty values between two images never take more bytes than this."""

_IMAGE = (
    ("", pa.binary()),
    ("_codec", pa.string()),
    ("_shape", pa.list_(pa.int32())),
    ("_dtype", pa.string()),
    ("_xxh3", pa.uint64()),
)
_TYPED = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "str": pa.string()}


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of a shard in their order, with our own schema in the file's metadata."""
    fields = [
        pa.field("index", pa.int64(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("variant", pa.int32(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("step", pa.string()),
        pa.field("reason", pa.string()),
    ]
    for role in ("gt", "lq"):
        fields += [pa.field(role + suffix, kind, nullable=suffix != "") for suffix, kind in _IMAGE]
    fields += [pa.field("plan", pa.string()), pa.field("meta", pa.string())]
    fields += [pa.field(name, _TYPED[kind]) for name, kind in schema.items()]
    facts = canonical_json({"format_version": VERSION, "schema": list(schema.items())})
    return pa.schema(fields, metadata={"degradekit": facts})


class ParquetFormat:
    """The Parquet format; stateless."""

    suffix = ".parquet"

    def write(self, path: Path, records: Iterable[Record | Tombstone], *, schema: Schema) -> ShardInfo:
        """Write a shard row group by row group.

        Raises:
            ShardError: A record does not fit the schema, or its index or name is out of order.
        """
        summary = Summary(schema)
        layout = arrow_schema(schema)
        with pq.ParquetWriter(path, layout, **_options(layout)) as writer:
            for group in _row_groups(records, schema):
                sums = _checksums(group)
                for record, pair in zip(group, sums, strict=True):
                    summary.add(record, pair)
                writer.write_table(_to_table(group, sums, layout), row_group_size=len(group))
            return summary.close()

    def offsets(self, path: Path) -> bytes | None:
        """Find every image in a written shard.

        Raises:
            ShardError: A value is not where the layout says, so this pyarrow lays files out otherwise.
        """
        blob = LocalBlob(path)
        with ParquetReader(blob, None) as reader:
            entries = list(_entries(reader, blob))
            return pack_offsets(entries, first_index=reader.first_index, shard_bytes=blob.size())

    def open(self, where: str | Path | Blob, *, offsets: OffsetsAt = "beside", readahead: bool = True) -> ShardReader:
        """Open a shard; for a local file the offsets are found beside it."""
        blob = open_blob(where)
        if offsets == "beside":
            found = Path(beside(blob.path)) if blob.path else None
            offsets = LocalBlob(found) if found and found.exists() else None
        return ParquetReader(blob, offsets)

    def damage(self, path: Path) -> str | None:
        """Always None: pyarrow reports damage as an error and never follows it."""
        return None


def _options(layout: pa.Schema) -> dict[str, Any]:
    images = {"gt", "lq"}
    dictionary = ["gt"] + [f.name for f in layout if f.type == pa.string() and f.name not in {"plan", "meta", "reason"}]
    leaves = [f.name + ".list.element" if pa.types.is_list(f.type) else f.name for f in layout]
    return {
        "use_dictionary": dictionary,
        "dictionary_pagesize_limit": 2**31 - 1,
        "compression": {name: "none" if name in images else "zstd" for name in leaves},
        "write_statistics": [name for name in leaves if name not in images | {"plan", "meta"}],
        "write_page_checksum": True,
    }


def _row_groups(records: Iterable[Record | Tombstone], schema: Schema) -> Iterator[list[Record | Tombstone]]:
    """Cut the stream between keys, so that no GT is stored in two row groups."""
    group: list[Record | Tombstone] = []
    start = size = 0  # where the current key starts in the group, bytes of images in the group
    for raw in records:
        record = normalise(raw, schema) if isinstance(raw, Record) else raw
        if group and record.key != group[-1].key:
            start = len(group)
        bytes_ = len(record.gt.data) + len(record.lq.data) if isinstance(record, Record) else 0
        if start and (len(group) >= GROUP_ROWS or size + bytes_ > GROUP_BYTES):
            yield group[:start]
            group = group[start:]
            start, size = 0, sum(len(r.gt.data) + len(r.lq.data) for r in group if isinstance(r, Record))
        group.append(record)
        size += bytes_
    if group:
        yield group


def _checksums(group: list[Record | Tombstone]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    before: EncodedImage | None = None
    for record in group:
        if isinstance(record, Tombstone):
            out.append((0, 0))
            continue
        shared = before is not None and before.data is record.gt.data
        out.append((out[-1][0] if shared and out[-1][0] else checksum(record.gt.data), checksum(record.lq.data)))
        before = record.gt
    return out


def _to_table(group: list[Record | Tombstone], sums: list[tuple[int, int]], layout: pa.Schema) -> pa.Table:
    rows = [_to_row(record, pair) for record, pair in zip(group, sums, strict=True)]
    arrays = [pa.array([row.get(field.name) for row in rows], field.type) for field in layout]
    return pa.Table.from_arrays(arrays, schema=layout)


def _to_row(record: Record | Tombstone, sums: tuple[int, int]) -> dict[str, Any]:
    row: dict[str, Any] = {"index": record.index, "key": record.key, "variant": record.variant}
    if isinstance(record, Tombstone):
        return row | {"status": "tombstone", "step": record.step, "reason": record.reason, "gt": b"", "lq": b""}
    for role, image, digest in (("gt", record.gt, sums[0]), ("lq", record.lq, sums[1])):
        row |= {role: image.data, f"{role}_codec": image.codec, f"{role}_shape": image.shape}
        row |= {f"{role}_dtype": image.dtype, f"{role}_xxh3": digest}
    return row | {"status": "ok", "plan": record.plan, "meta": canonical_json(record.meta)} | record.columns


def _entries(reader: ParquetReader, blob: LocalBlob) -> Iterator[Entry]:
    for number, block in enumerate(reader.blocks(("gt", "lq"))):
        starts = [reader.chunk_start(number, role) for role in ("gt", "lq")]
        known: dict[bytes | memoryview, int] = {}
        for record in block:
            if isinstance(record, Tombstone):
                yield Entry(record.key, record.variant, None, None)
                continue
            if record.gt.data not in known:
                known[record.gt.data] = starts[0] = _locate(blob, record.gt.data, starts[0])
                starts[0] += len(record.gt.data)
            starts[1] = _locate(blob, record.lq.data, starts[1])
            slots = [_slot(record.gt, known[record.gt.data]), _slot(record.lq, starts[1])]
            starts[1] += len(record.lq.data)
            yield Entry(record.key, record.variant, *slots)


def _slot(image: EncodedImage, offset: int) -> Slot:
    return Slot(offset, len(image.data), checksum(image.data), image.codec, image.dtype, image.shape)


def _locate(blob: LocalBlob, value: bytes | memoryview, start: int) -> int:
    head = struct.pack("<I", len(value)) + value[:64]  # a needle as long as an image takes find() a millisecond
    near = blob.pread(start, GAP + 4 + len(value))
    at = near.find(head)
    while at >= 0:
        if near[at + 4 : at + 4 + len(value)] == value:
            return start + at + 4
        at = near.find(head, at + 1)
    where = f"{blob.name}: an image is not contiguous near byte {start}"
    raise ShardError(f"{where}; this pyarrow lays Parquet out differently.")
