"""Parquet shards: an ordinary flat table that stores each GT once and lets a reader fetch single images.

Where GTs have several variants, the GT column is dictionary-encoded: the variants of one GT share its bytes while
every Parquet reader sees a plain column of K values. LQs are PLAIN, and so are GTs of one variant. Neither is
compressed (images already are), so both lie contiguous in the file; pages carry checksums, values their own xxh3, and
row groups are cut between GTs. See ``docs/format.md``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from degradekit.canonical import canonical_json
from degradekit.shards.arrow_column import arrow_column
from degradekit.shards.hashed import HashedBlob
from degradekit.shards.interface import Checked, OffsetsAt, ShardReader, Written, differs
from degradekit.shards.offsets import Entry, Slot, beside, pack_offsets
from degradekit.shards.pages import Stored
from degradekit.shards.parquet_reader import ParquetReader
from degradekit.shards.summary import Digest, Digests, Schema, Summary, digest, normalise
from degradekit.storage import Blob, LocalBlob, open_blob
from degradekit.types import EncodedImage, Record, Tombstone

__all__ = ["GROUP_BYTES", "GROUP_ROWS", "ParquetFormat"]

VERSION = 1
GROUP_ROWS = 64
"""Rows per row group: small enough to hold, large enough to read at full speed (docs/format.md has the table)."""
GROUP_BYTES = 32 << 20
"""A row group also ends before its images pass this size; writing and verifying takes eight times as much memory."""

_IMAGE = (
    ("", pa.binary()),
    ("_codec", pa.string()),
    ("_shape", pa.list_(pa.int32())),
    ("_dtype", pa.string()),
    ("_xxh3", pa.uint64()),
)
ROLES = ("gt", "lq")
LONG = ("plan", "meta", "reason")
"""What zstd makes smaller. 64 numbers or dictionary indices it does not, at a third of the time of writing them."""
NOTHING = Digest(0, 0)
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
    for role in ROLES:
        fields += [pa.field(role + suffix, kind, nullable=suffix != "") for suffix, kind in _IMAGE]
    fields += [pa.field("plan", pa.string()), pa.field("meta", pa.string())]
    fields += [pa.field(name, _TYPED[kind]) for name, kind in schema.items()]
    facts = canonical_json({"format_version": VERSION, "schema": list(schema.items())})
    return pa.schema(fields, metadata={"degradekit": facts})


class ParquetFormat:
    """The Parquet format; stateless."""

    suffix = ".parquet"

    def write(self, path: Path, records: Iterable[Record | Tombstone], *, schema: Schema) -> Written:
        """Write a shard row group by row group.

        Raises:
            ShardError: A record does not fit the schema, or its index or name is out of order.
        """
        summary = Summary(schema)
        layout = arrow_schema(schema)
        texts: list[pa.Table] = []
        with ExitStack() as stack:
            writer: Any = None
            for group in _row_groups(records, schema):
                digests = _digests(group)
                for record, pair in zip(group, digests, strict=True):
                    summary.add(record, pair)
                if writer is None:
                    shared = any(record.variant for record in group)
                    writer = stack.enter_context(pq.ParquetWriter(path, layout, **_options(layout, shared)))
                table = _to_table(group, digests, layout)
                writer.write_table(table, row_group_size=len(group))
                texts.append(table.drop_columns(list(ROLES)))
            return Written(summary.close(), texts)

    def check(self, path: Path, written: Written) -> Checked:
        """Read a local shard back: images page by page in the order of the file, everything else through pyarrow.

        Raises:
            ShardError: A value is damaged, not where the layout says, or not what was written.
        """
        blob = HashedBlob(path)
        entries: list[Entry] = []
        with ParquetReader(blob, None) as reader:
            if len(reader) != written.info.rows:
                raise differs(path)
            for group, texts in enumerate(written.texts):
                if not reader.texts(group).equals(texts):
                    raise differs(path)
                entries += _entries(texts, *(reader.stored(group, role, texts) for role in ROLES))
            offsets = pack_offsets(entries, first_index=written.info.first_index, shard_bytes=blob.size())
            return Checked(blob.sha256(), offsets)

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


def _options(layout: pa.Schema, shared: bool) -> dict[str, Any]:
    """How to write; a dictionary of GTs hashes and copies each, so only where variants share them."""
    dictionary = [f.name for f in layout if f.type == pa.string() and f.name not in LONG]
    leaves = [f.name + ".list.element" if pa.types.is_list(f.type) else f.name for f in layout]
    return {
        "use_dictionary": [*dictionary, "gt"] if shared else dictionary,
        "dictionary_pagesize_limit": 2**31 - 1,
        "compression": {name: "zstd" if name in LONG else "none" for name in leaves},
        "write_statistics": [name for name in leaves if name not in {*ROLES, *LONG}],
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


def _digests(group: list[Record | Tombstone]) -> list[Digests]:
    """Of every record's images; the variants of one GT, which hold the same object, have it hashed once."""
    out: list[Digests] = []
    before: EncodedImage | None = None
    for record in group:
        if isinstance(record, Tombstone):
            out.append((NOTHING, NOTHING))
            continue
        if before is None or before.data is not record.gt.data:
            before, known = record.gt, digest(record.gt.data)
        out.append((known, digest(record.lq.data)))
    return out


def _to_table(group: list[Record | Tombstone], digests: list[Digests], layout: pa.Schema) -> pa.Table:
    rows = [_to_row(record, pair) for record, pair in zip(group, digests, strict=True)]
    arrays = []
    for field in layout:
        cells = [row.get(field.name) for row in rows]
        arrays.append(_views(cells) if field.type == pa.binary() else arrow_column(cells, field.type))
    return pa.Table.from_arrays(arrays, schema=layout)


def _views(images: list[Any]) -> pa.ChunkedArray:
    """Images as a column without copying them: one chunk each, around its bytes."""
    chunks = []
    for data in images:
        ends = struct.pack("=2i", 0, len(data))
        chunks.append(pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(ends), pa.py_buffer(data)]))
    return pa.chunked_array(chunks)


def _to_row(record: Record | Tombstone, digests: Digests) -> dict[str, Any]:
    row: dict[str, Any] = {"index": record.index, "key": record.key, "variant": record.variant}
    if isinstance(record, Tombstone):
        return row | {"status": "tombstone", "step": record.step, "reason": record.reason, "gt": b"", "lq": b""}
    for role, image, known in zip(ROLES, (record.gt, record.lq), digests, strict=True):
        row |= {role: image.data, f"{role}_codec": image.codec, f"{role}_shape": image.shape}
        row |= {f"{role}_dtype": image.dtype, f"{role}_xxh3": known.xxh3}
    return row | {"status": "ok", "plan": record.plan, "meta": canonical_json(record.meta)} | record.columns


def _entries(texts: pa.Table, gt: list[Stored], lq: list[Stored]) -> Iterator[Entry]:
    """Where the images of a row group lie, row by row."""
    slots = [_slots(texts, role, stored) for role, stored in zip(ROLES, (gt, lq), strict=True)]
    identity = (texts[name].to_pylist() for name in ("key", "variant", "status"))
    for key, variant, status, *places in zip(*identity, *slots, strict=True):
        yield Entry(key, variant, *(places if status == "ok" else (None, None)))


def _slots(texts: pa.Table, role: str, stored: list[Stored]) -> Iterator[Slot]:
    facts = (texts[role + suffix].to_pylist() for suffix in ("_codec", "_dtype", "_shape"))
    for value, codec, dtype, shape in zip(stored, *facts, strict=True):
        yield Slot(value.offset, value.digest.bytes, value.digest.xxh3, codec, dtype, shape)
