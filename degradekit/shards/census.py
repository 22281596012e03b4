"""A census of a shard: what an audit asks of every pair, counted while the records pass by, and kept beside the shard.

A sample of pairs is looked at pixel by pixel; sizes, sources, windows and parameters are known of all of them. Reading
those out of a million records takes minutes, merging the censuses of their shards takes seconds. A census is exact
but for numbers, of which it keeps eight significant bits (``coarse``): enough to compare distributions, and integers up
to 256 stay what they are. It is a NumPy archive, described in ``docs/format.md``.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from degradekit.canonical import canonical_json
from degradekit.rng import hash64
from degradekit.shards.interface import ShardReader
from degradekit.shards.summary import Schema
from degradekit.types import Array, Record, Scalar, Tombstone

__all__ = [
    "Census",
    "CensusTaker",
    "Group",
    "Header",
    "coarse",
    "columns_of",
    "continuous",
    "group_columns",
    "take_census",
]

VERSION = 1
WINDOW = ("y", "x", "h", "w", "source_scale", "frame")
"""What of a record's facts says which part of its source it shows."""
HASHES = ("content", "source", "path", "draws")

Group: TypeAlias = tuple[str, str]
"""A column, and the op at its place that its values are of; ``""`` for the column that names that op."""
Header: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], str, str]
"""Shapes (T, H, W, C) of GT and LQ, and their dtypes."""


@dataclass(frozen=True, slots=True)
class Census:
    """What is known of every pair of a shard without looking at a pixel.

    Args:
        index: Dataset index of each pair; tombstones have none.
        content: Hash of source bytes and window of each pair; 0 where they are not recorded, and of every variant but
            the first.
        source: Hash of the source's bytes of each pair; 0 as above.
        path: Hash of the source's path of each pair; 0 of every variant but the first.
        draws: Hash of the continuous parameters of each pair; empty where there are none.
        headers: How often each header occurs.
        values: By group, the distinct values (coarse numbers or words), rising, and how often each occurs.
    """

    index: Array
    content: Array
    source: Array
    path: Array
    draws: Array
    headers: Mapping[Header, int]
    values: Mapping[Group, tuple[Array, Array]]

    def pack(self) -> bytes:
        """The census as the bytes of a NumPy archive; equal records give equal bytes."""
        numbers = [item for item in self.values.values() if item[0].dtype.kind == "f"]
        facts = {
            "version": VERSION,
            "headers": [[*header, count] for header, count in self.headers.items()],
            "groups": [[*group, *_listed(*item)] for group, item in self.values.items()],
        }
        kept = np.concatenate([values for values, _ in numbers] or [np.zeros(0)])
        file = io.BytesIO()
        np.savez(
            file,
            facts=np.frombuffer(canonical_json(facts).encode(), np.uint8),
            index=self.index,
            **{name: getattr(self, name) for name in HASHES},
            values=(kept.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16),
            counts=np.concatenate([counts for _, counts in numbers] or [np.zeros(0)]).astype(np.uint32),
        )
        return file.getvalue()

    @classmethod
    def unpack(cls, data: bytes) -> Census | None:
        """Read ``pack`` back; None where another version wrote it."""
        with np.load(io.BytesIO(data)) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(arrays["facts"].tobytes())
        if facts["version"] != VERSION:
            return None
        headers = {(tuple(gt), tuple(lq), *kinds): count for gt, lq, *kinds, count in facts["headers"]}
        kept = (arrays["values"].astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        values: dict[Group, tuple[Array, Array]] = {}
        start = 0
        for column, op, *listed in facts["groups"]:
            if len(listed) == 2:
                values[column, op] = (np.array(listed[0], str), np.array(listed[1], np.int64))
                continue
            end = start + listed[0]
            values[column, op] = (kept[start:end], arrays["counts"][start:end])
            start = end
        content, source, path, draws = (arrays[name] for name in HASHES)
        return cls(arrays["index"], content, source, path, draws, headers, values)


class CensusTaker:
    """Takes the census of records as they pass by.

    Args:
        schema: Typed columns of the shard.

    Example:
        >>> taker = CensusTaker({})
        >>> taker.add(Tombstone(index=7, key="a.png", variant=0, step="read", reason="truncated"))
        >>> len(taker.close().index)
        0
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._headers: Counter[Header] = Counter()
        self._rows: list[tuple[int, int, int, int]] = []
        self._columns: list[Mapping[str, Scalar]] = []
        self._hashes: dict[str, int] = {"": 0}

    def passing(self, records: Iterable[Record | Tombstone]) -> Iterator[Record | Tombstone]:
        """The records as they are, each counted once it was asked for."""
        for record in records:
            self.add(record)
            yield record

    def add(self, record: Record | Tombstone) -> None:
        """Count one record."""
        if isinstance(record, Tombstone):
            return
        gt, lq, meta = record.gt, record.lq, record.meta
        self._headers[gt.shape, lq.shape, gt.dtype, lq.dtype] += 1
        self._columns.append(record.columns)
        if record.variant:
            self._rows.append((record.index, 0, 0, 0))  # variants share what the first one says
            return
        digest = str(meta.get("source_xxh3", ""))
        path = str(meta.get("source", "")) or record.key.partition("#")[0]
        window = canonical_json([meta.get(name, 0) for name in WINDOW])
        content = hash64(f"{digest}{window}") if digest else 0
        self._rows.append((record.index, content, self._hash(digest), self._hash(path)))

    def close(self) -> Census:
        """The census of what was added."""
        index, content, source, path = np.array(self._rows, np.uint64).reshape(-1, 4).T.copy()
        columns = columns_of(self._columns, self._schema)
        return Census(
            index.astype(np.int64),
            content,
            source,
            path,
            _draws(columns, self._schema, len(index)),
            dict(self._headers),
            {group: _counted(values) for group, values in group_columns(columns, self._schema).items()},
        )

    def _hash(self, text: str) -> int:
        if text not in self._hashes:
            self._hashes[text] = hash64(text)
        return self._hashes[text]


def take_census(shard: ShardReader, dropped: Container[int] = ()) -> Census:
    """The census of a shard by reading its records, without those that were dropped from it.

    Raises:
        ShardError: A value is damaged.
    """
    taker = CensusTaker(shard.schema())
    for block in shard.blocks(("columns", "meta")):
        for record in block:
            if record.index not in dropped:
                taker.add(record)
    return taker.close()


def coarse(values: Array) -> Array:
    """Numbers rounded down to eight significant bits: the sixteen upper bits of a float32 (bfloat16).

    Example:
        >>> coarse(np.array([75.0, 0.2, -0.2, 1000.0])).tolist()
        [75.0, 0.19921875, -0.2001953125, 1000.0]
    """
    bits = np.asarray(values, np.float32).view(np.uint32)
    down = bits + np.where((bits >> 31 == 1) & (bits & 0xFFFF != 0), np.uint32(0x10000), np.uint32(0))
    return (down & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64) + 0.0  # there is but one zero


def columns_of(rows: Sequence[Mapping[str, Scalar]], schema: Schema) -> dict[str, Array]:
    """Recorded parameters as arrays: numbers as float64, words as text; NaN and ``""`` where there is none."""
    out: dict[str, Array] = {}
    for name, kind in schema.items():
        if kind == "str":
            out[name] = np.array([_word(row.get(name, "")) for row in rows], str)
        else:
            out[name] = np.array([row.get(name, np.nan) for row in rows], np.float64)
    return out


def continuous(schema: Schema) -> list[str]:
    """Columns whose values do not repeat by chance."""
    return [name for name, kind in schema.items() if kind == "float" and name.startswith("deg.")]


def group_columns(columns: Mapping[str, Array], schema: Schema) -> dict[Group, Array]:
    """Values of each parameter by the op at its place; of a place itself, the op that ran, ``""`` where none did.

    Args:
        columns: From ``columns_of``.
        schema: Their types.
    """
    out: dict[Group, Array] = {}
    for name, kind in schema.items():
        place, _, parameter = name.rpartition(".")
        ops = columns.get(f"{place}.op")
        if ops is None:
            continue
        if parameter == "op":
            out[name, ""] = ops
            continue
        values = columns[name]
        live = values != "" if kind == "str" else ~np.isnan(values)
        for op in np.unique(ops[live]).tolist():
            if op:
                out[name, op] = values[live & (ops == op)]
    return out


def _listed(values: Array, counts: Array) -> list[Any]:
    """What the archive's JSON says of a group: words with their counts, of numbers how many there are."""
    return [len(values)] if values.dtype.kind == "f" else [values.tolist(), counts.tolist()]


def _word(value: Scalar) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _draws(columns: Mapping[str, Array], schema: Schema, pairs: int) -> Array:
    names = continuous(schema)
    draws = np.zeros(pairs if names else 0, np.uint64)
    for name in names:
        bits = np.nan_to_num(columns[name], nan=-1.5).view(np.uint64)
        draws = (draws ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        draws ^= draws >> np.uint64(29)
    return draws


def _counted(values: Array) -> tuple[Array, Array]:
    return np.unique(coarse(values) if values.dtype.kind == "f" else values, return_counts=True)
