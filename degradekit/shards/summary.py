"""What a shard holds, counted and hashed while its records pass by; equal for every format that stores them.

The logical hash is the SHA-256 over one canonical JSON line per record: identity, the codec, size and checksum of
both images, the plan, the columns and the source's facts. It does not see how a format lays them out, so a Parquet
and an LMDB build of one recipe have equal logical hashes, and any change to a single value changes it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from operator import add
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from degradekit.canonical import canonical_json
from degradekit.codecs import Buffer, checksum
from degradekit.errors import ShardError
from degradekit.types import EncodedImage, Record, Scalar, Tombstone

__all__ = [
    "ColumnType",
    "Digest",
    "Digests",
    "Schema",
    "ShardInfo",
    "Summary",
    "check_schema",
    "digest",
    "merge_stats",
    "normalise",
]

ColumnType: TypeAlias = Literal["bool", "int", "float", "str"]
Schema: TypeAlias = Mapping[str, str]
"""Typed columns that a recipe can fill, name to ``bool``, ``int``, ``float`` or ``str``, known before any record."""

Stats: TypeAlias = dict[str, float | int]


class Digest(NamedTuple):
    """Size and xxh3-64 of an encoded image: all that a summary needs to know of its bytes."""

    bytes: int
    xxh3: int


Digests: TypeAlias = tuple[Digest, Digest]
"""Of a record's GT and LQ."""

_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}


def digest(data: Buffer) -> Digest:
    """Size and checksum of an encoded image."""
    return Digest(len(data), checksum(data))


def check_schema(schema: Schema) -> None:
    """Refuse a schema that no shard can store.

    Raises:
        ShardError: A type is unknown, or a name lacks the dot that keeps it apart from the fixed columns.
    """
    for name, kind in schema.items():
        if kind not in _TYPES:
            raise ShardError(f"column {name!r} has type {kind!r}; choose one of {', '.join(_TYPES)}.")
        if "." not in name:
            raise ShardError(f"column {name!r} could clash with a fixed column; name it gt.* or deg.*.")


def normalise(record: Record, schema: Schema) -> Record:
    """The record with its columns in the schema's order and exactly the schema's types.

    An integer in a ``float`` column becomes a float and a scalar in a ``str`` column its JSON text, as the types say;
    everything else that does not fit is an error.

    Raises:
        ShardError: A column is not in the schema, or a value does not fit its type.
    """
    unknown = record.columns.keys() - schema.keys()
    if unknown:
        raise ShardError(f"sample {record.key!r} has columns that the schema lacks: {', '.join(sorted(unknown))}.")
    columns = {}
    for name, kind in schema.items():
        if name in record.columns:
            try:
                columns[name] = _coerce(record.columns[name], kind)
            except ValueError as error:
                raise ShardError(f"sample {record.key!r}, column {name}: {error}.") from error
    return replace(record, columns=columns)


def _coerce(value: Scalar, kind: str) -> Scalar:
    if kind == "str" and not isinstance(value, str):
        return canonical_json(value)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not _TYPES[kind]:
        raise ValueError(f"{value!r} is {type(value).__name__}, the schema says {kind}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number; leave the column out where it has no value")
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise ValueError(f"{value!r} does not fit 64 bits")
    return value


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """What one shard holds.

    Args:
        first_index: Index of its first record; the others follow without a gap.
        rows: Records and tombstones.
        logical: SHA-256 of the content, independent of the format, 64 hex digits.
        tombstones: The pairs that could not be made.
        stats: Per typed column ``count``, and for numbers ``min``, ``max``, ``sum``; shards merge by ``merge_stats``.
    """

    first_index: int
    rows: int
    logical: str
    tombstones: tuple[Tombstone, ...]
    stats: dict[str, Stats]

    def to_json(self) -> dict[str, Any]:
        """JSON value, tombstones as objects."""
        return asdict(self) | {"tombstones": [asdict(tombstone) for tombstone in self.tombstones]}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ShardInfo:
        """Read ``to_json`` back."""
        tombstones = tuple(Tombstone(**entry) for entry in raw["tombstones"])
        return cls(raw["first_index"], raw["rows"], raw["logical"], tombstones, raw["stats"])


class Summary:
    """Accumulates a ``ShardInfo`` from records in their order, refusing gaps and duplicates.

    Args:
        schema: Typed columns of the shard.

    Example:
        >>> summary = Summary({})
        >>> summary.add(Tombstone(index=7, key="a.png", variant=0, step="read", reason="truncated"))
        >>> summary.close().rows
        1
    """

    def __init__(self, schema: Schema) -> None:
        check_schema(schema)
        self._first = 0
        self._rows = 0
        self._hash = hashlib.sha256(canonical_json(dict(schema)).encode())
        self._seen: set[tuple[str, int]] = set()
        self._tombstones: list[Tombstone] = []
        self._values: dict[str, list[Scalar]] = {name: [] for name in schema}
        self._kinds = dict(schema)

    def add(self, record: Record | Tombstone, digests: Digests | None = None) -> None:
        """Count one record.

        Args:
            record: The next record, normalised.
            digests: Of its images where the caller has them; None computes them here.

        Raises:
            ShardError: Its index does not follow the last one, or its (key, variant) was there before.
        """
        if self._rows == 0:
            self._first = record.index
        if record.index != self._first + self._rows:
            expected = self._first + self._rows
            raise ShardError(f"sample {record.key!r} has index {record.index} where {expected} follows.")
        identity = (record.key, record.variant)
        if not record.key or identity in self._seen:
            raise ShardError(f"sample {record.key!r}, variant {record.variant} occurs twice or has no name.")
        self._seen.add(identity)
        self._rows += 1
        try:
            self._hash.update(canonical_json(self._line(record, digests)).encode() + b"\n")
        except (UnicodeEncodeError, TypeError, ValueError) as error:
            raise ShardError(f"sample {record.key!r} cannot be stored as JSON: {error}.") from error

    def _line(self, record: Record | Tombstone, digests: Digests | None) -> list[Any]:
        identity = [record.index, record.key, record.variant]
        if isinstance(record, Tombstone):
            self._tombstones.append(record)
            return [*identity, "tombstone", record.step, record.reason]
        for name, value in record.columns.items():
            self._values[name].append(value)
        gt, lq = digests or (digest(record.gt.data), digest(record.lq.data))
        images = [_image_line(record.gt, gt), _image_line(record.lq, lq)]
        return [*identity, "ok", *images, record.plan, record.columns, record.meta]

    def close(self) -> ShardInfo:
        """What was added.

        Raises:
            ShardError: Nothing was.
        """
        if self._rows == 0:
            raise ShardError("a shard of no records cannot be stored; plan at least one sample per shard.")
        stats = {name: _stats(values, self._kinds[name]) for name, values in self._values.items()}
        return ShardInfo(self._first, self._rows, self._hash.hexdigest(), tuple(self._tombstones), stats)


def _image_line(image: EncodedImage, known: Digest) -> list[Any]:
    return [image.codec, list(image.shape), image.dtype, known.bytes, f"{known.xxh3:016x}"]


def _stats(values: list[Scalar], kind: str) -> Stats:
    if kind == "str" or not values:
        return {"count": len(values)}
    numbers = cast(list[float], values)
    if kind == "float":
        return {"count": len(numbers), "min": min(numbers), "max": max(numbers), "sum": math.fsum(numbers)}
    whole = [int(number) for number in numbers]
    return {"count": len(whole), "min": min(whole), "max": max(whole), "sum": sum(whole)}


def merge_stats(first: Mapping[str, Stats], second: Mapping[str, Stats]) -> dict[str, Stats]:
    """Column statistics of two shards together.

    Example:
        >>> merge_stats({"deg.q": {"count": 2, "min": 5, "max": 9, "sum": 14}}, {"deg.q": {"count": 0}})
        {'deg.q': {'count': 2, 'min': 5, 'max': 9, 'sum': 14}}
    """
    out = {name: dict(stats) for name, stats in first.items()}
    join: dict[str, Callable[[float, float], float]] = {"count": add, "sum": add, "min": min, "max": max}
    for name, stats in second.items():
        mine = out.setdefault(name, {"count": 0})
        for field, value in stats.items():
            mine[field] = join[field](mine[field], value) if field in mine else value
    return out
