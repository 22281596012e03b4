"""What is looked at of every pair of a shard: its file's hash, its headers and its parameters, but no pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from degradekit.audit.reference import Reference, continuous, group_columns
from degradekit.audit.result import PairName
from degradekit.canonical import canonical_json
from degradekit.errors import ShardError
from degradekit.rng import hash64
from degradekit.shards.dataset import Dataset
from degradekit.shards.verify import blob_sha256, verify_shard
from degradekit.types import Array, Record, Tombstone

__all__ = ["ShardScan", "scan_shard", "table_columns"]

SHOWN = 24
"""Pairs that are named for one kind of problem in one shard."""


@dataclass(frozen=True, slots=True)
class ShardScan:
    """What one shard says about itself.

    Args:
        number: Which shard.
        rows: Pairs and tombstones.
        pairs: Pairs.
        damage: One sentence per damaged file, page or value; the rest is empty where the shard cannot be read.
        misfits: Pairs whose header is wrong, with what is wrong.
        misfit_count: How many there are.
        headers: How often each (GT height, width, frames, channels, GT dtype, LQ dtype) occurs.
        index: Dataset index of each pair.
        content: Hash of source bytes and window of each pair; 0 where they are not
            recorded, and of every variant but the first.
        source: Hash of the source's bytes of each pair; 0 as above.
        path: Hash of the source's path of each pair; 0 as above.
        draws: Hash of the continuous parameters of each pair; 0 where there are none.
        counts: By (column, branch), on the axes of the reference.
    """

    number: int
    rows: int = 0
    pairs: int = 0
    damage: tuple[str, ...] = ()
    misfits: tuple[PairName, ...] = ()
    misfit_count: int = 0
    headers: Mapping[tuple[int, int, int, int, str, str], int] = field(default_factory=dict)
    index: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    content: Array = field(default_factory=lambda: np.zeros(0, np.uint64))
    source: Array = field(default_factory=lambda: np.zeros(0, np.uint64))
    path: Array = field(default_factory=lambda: np.zeros(0, np.uint64))
    draws: Array = field(default_factory=lambda: np.zeros(0, np.uint64))
    counts: Mapping[tuple[str, str], Array] = field(default_factory=dict)


def scan_shard(dataset: Dataset, number: int, *, reference: Reference | None, checksums: bool = True) -> ShardScan:
    """Look at everything of a shard but its pixels.

    Args:
        dataset: From ``open_dataset``.
        number: Which shard.
        reference: Axes to count parameters on; None counts none.
        checksums: Compare the file's SHA-256 with the manifest's; the time of reading the file once.
    """
    row = dataset.shards[number]
    if checksums:
        try:
            damaged = blob_sha256(dataset.store.open(row.file)) != row.sha256
        except (OSError, ShardError) as error:
            return ShardScan(number, row.rows, damage=(f"{row.file} cannot be read: {error}",))
        if damaged:
            problems = verify_shard(dataset, number, pixels=False) or [f"{row.file} is not what was committed."]
            return ShardScan(number, row.rows, damage=tuple(problems))
    try:
        headers = _Headers(dataset.scale)
        for block in dataset.shard(number).blocks(("meta",)):
            for record in block:
                if record.index not in dataset.dropped:
                    headers.add(record)
        counts, draws = _parameters(dataset, number, reference)
    except (ShardError, pa.ArrowException, OSError) as error:
        return ShardScan(number, row.rows, damage=(str(error),))
    return headers.scan(number, row.rows, counts, draws)


def table_columns(table: pa.Table, schema: Mapping[str, str]) -> dict[str, Array]:
    """Typed columns as arrays: numbers as float64, words as objects; NaN and ``""`` where there is none."""
    out: dict[str, Array] = {}
    for name, kind in schema.items():
        column = table.column(name)
        if kind == "str":
            out[name] = np.array(column.fill_null("").to_pylist(), object)
        else:
            out[name] = column.cast(pa.float64()).fill_null(float("nan")).to_numpy()
    return out


class _Headers:
    """Collects what the headers of one shard say."""

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._misfits: list[PairName] = []
        self._count = 0
        self._headers: Counter[tuple[int, int, int, int, str, str]] = Counter()
        self._rows: list[tuple[int, int, int, int]] = []
        self._hashes: dict[str, int] = {"": 0}

    def add(self, record: Record | Tombstone) -> None:
        if isinstance(record, Tombstone):
            return
        gt, lq, scale = record.gt.shape, record.lq.shape, self._scale
        self._headers[gt[1], gt[2], gt[0], gt[3], record.gt.dtype, record.lq.dtype] += 1
        problem = ""
        if gt[1:3] != (lq[1] * scale, lq[2] * scale):
            problem = f"GT {gt[1]}x{gt[2]} is not {scale} times LQ {lq[1]}x{lq[2]}"
        elif gt[0] != lq[0]:
            problem = f"GT has {gt[0]} frames, LQ {lq[0]}"
        elif gt[3] != lq[3]:
            problem = f"GT has {gt[3]} channels, LQ {lq[3]}"
        elif record.gt.dtype != record.lq.dtype:
            problem = f"GT is {record.gt.dtype}, LQ {record.lq.dtype}"
        if problem:
            self._count += 1
            if len(self._misfits) < SHOWN:
                self._misfits.append(PairName(record.index, record.key, record.variant, note=problem))
        if record.variant:
            self._rows.append((record.index, 0, 0, 0))  # variants share what the first one says
            return
        meta = record.meta
        digest = str(meta.get("source_xxh3", ""))
        window = canonical_json([meta.get(name, 0) for name in ("y", "x", "h", "w", "source_scale", "frame")])
        path = str(meta.get("source", "")) or record.key.partition("#")[0]
        content = f"{digest}{window}" if digest else ""
        self._rows.append((record.index, self._hash(content), self._hash(digest), self._hash(path)))

    def scan(self, number: int, rows: int, counts: Mapping[tuple[str, str], Array], draws: Array) -> ShardScan:
        columns = np.array(self._rows, np.uint64).reshape(-1, 4)
        return ShardScan(
            number,
            rows,
            len(self._rows),
            (),
            tuple(self._misfits),
            self._count,
            dict(self._headers),
            columns[:, 0].astype(np.int64),
            columns[:, 1],
            columns[:, 2],
            columns[:, 3],
            draws,
            counts,
        )

    def _hash(self, text: str) -> int:
        if text not in self._hashes:
            self._hashes[text] = hash64(text)
        return self._hashes[text]


def _parameters(
    dataset: Dataset, number: int, reference: Reference | None
) -> tuple[dict[tuple[str, str], Array], Array]:
    schema = dataset.schema
    if reference is None or not schema:
        return {}, np.zeros(0, np.uint64)
    table = dataset.shard(number).table(None)
    gone = pa.array(list(dataset.dropped), table.column("index").type)
    table = table.filter(pc.and_not(pc.equal(table.column("status"), "ok"), pc.is_in(table.column("index"), gone)))
    columns = table_columns(table, schema)
    groups = group_columns(columns, schema)
    counts = {group: reference.axes[group].count(values) for group, values in groups.items() if group in reference.axes}
    # Ops that the recipe cannot draw at a place are counted by the axis of the place, as a word that it does not know.
    names = continuous(schema)
    draws = np.zeros(table.num_rows, np.uint64)
    for name in names:
        bits = np.nan_to_num(columns[name], nan=-1.5).view(np.uint64)
        draws = (draws ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        draws ^= draws >> np.uint64(29)
    return counts, draws if names else np.zeros(0, np.uint64)
