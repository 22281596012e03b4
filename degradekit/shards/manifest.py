"""The last files of a build: what the dataset is, which shards it has, and which pairs could not be made.

``dataset.json`` is written last and vouches for everything: it carries its own digest, the hashes of
``manifest.parquet`` and ``quarantine.jsonl``, and two roots over the shards, one of the files' bytes and one of what
they hold. It knows no time and no host, so two builds of one recipe are equal byte for byte where the libraries are;
what a clock says goes to ``build.json``, which nothing vouches for.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from degradekit.canonical import canonical_json
from degradekit.errors import ShardError
from degradekit.shards.commit import (
    Receipt,
    batched_receipts,
    committed_numbers,
    publish_bytes,
    read_sealed,
    sealed,
)
from degradekit.shards.hashed import sha256_of
from degradekit.shards.summary import Schema, Stats, merge_stats
from degradekit.storage import Store, io_errors

__all__ = ["BuildFacts", "ShardRow", "environment", "finish", "read_manifest", "root"]

VERSION = 1
DATASET, MANIFEST, QUARANTINE, CLOCK = "dataset.json", "manifest.parquet", "quarantine.jsonl", "build.json"
DROPPED = "dropped.jsonl"
"""Pairs that were taken out of a finished dataset; see ``degradekit repair``."""
LIBRARIES = (
    "degradekit",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "numba",
    "llvmlite",
    "pillow",
    "imagecodecs",
    "pyarrow",
    "lmdb",
)
OPTIONAL = ("av", "pillow-heif")
"""Codecs of some ops, recorded where they are installed."""


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """What a dataset is, known before the first record.

    Args:
        recipe: Text of the recipe.
        recipe_digest: Fingerprint of what it means.
        seed: Seed of every draw.
        scale: GT side / LQ side.
        format: Name in ``FORMATS``.
        codec: Codec that was asked for.
        shard_size: Records per shard; the last may have fewer.
        variants: LQs per GT.
        samples: Records, tombstones included.
        schema: Typed columns.
        options: The recipe's switches as they were set.
        per_image: Crops per image where they were not the recipe's own number.
    """

    recipe: str
    recipe_digest: str
    seed: int
    scale: int
    format: str
    codec: str
    shard_size: int
    variants: int
    samples: int
    schema: Schema
    options: Mapping[str, bool] = field(default_factory=dict)
    per_image: int | None = None


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One row of ``manifest.parquet``.

    Args:
        number: Which shard.
        file: Its path inside the dataset.
        first_index: Index of its first record.
        rows: Records, tombstones included.
        tombstones: Pairs that could not be made.
        bytes: Size of the file.
        sha256: Of the file.
        offsets_sha256: Of its offset file, or empty.
        logical: Hash of what it holds.
        stats: JSON of its columns' statistics.
        census_sha256: Of its census, or empty where an older version wrote it.
    """

    number: int
    file: str
    first_index: int
    rows: int
    tombstones: int
    bytes: int
    sha256: str
    offsets_sha256: str
    logical: str
    stats: str
    census_sha256: str = ""

    @classmethod
    def of(cls, receipt: Receipt) -> ShardRow:
        """The row of a committed shard."""
        info, dead = receipt.info, len(receipt.info.tombstones)
        hashes = (receipt.sha256, receipt.offsets_sha256, info.logical)
        place = (receipt.number, receipt.file, info.first_index, info.rows, dead, receipt.bytes)
        return cls(*place, *hashes, canonical_json(info.stats), receipt.census_sha256)


def environment() -> dict[str, Any]:
    """Everything outside the recipe that can change a pixel: versions, platform, CPU features."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": {name: version(name) for name in (*LIBRARIES, *filter(_installed, OPTIONAL))},
        "cpu_features": cv2.getCPUFeaturesLine(),
    }


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def root(hashes: Sequence[str]) -> str:
    """One hash over the hashes of all shards in their order.

    Example:
        >>> root(["aa", "bb"]) == root(["bb", "aa"])
        False
    """
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def finish(store: Store, facts: BuildFacts, *, clock: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Check that every shard is committed and write the files that make the folder a dataset.

    Args:
        store: The dataset.
        facts: What it is.
        clock: Times, hosts and other facts of this run, for ``build.json``.

    Returns:
        The content of ``dataset.json``.

    Raises:
        ShardError: A shard is missing or of another build, the folder is already a dataset with other content, or it
            cannot be written.
    """
    _check_complete(committed_numbers(store), facts, store.uri)
    with store.workspace() as folder, io_errors(f"{store.uri}/{MANIFEST} cannot be written"):
        totals = _gather(store, facts, folder)
        content = {**totals.content(facts), "environment": environment()}
        if DATASET in store.sizes():
            before = read_sealed(store, DATASET)
            built = before.get("built_id", before["dataset_id"])  # dropping pairs changes the other
            if built != content["dataset_id"] or before["roots"] != content["roots"]:
                ids = f"{before['dataset_id']}, this build is {content['dataset_id']}"
                raise ShardError(f"{store.uri} already is dataset {ids}: build into an empty folder.")
            return before
        content["files"] = {name: sha256_of(folder / name) for name in (MANIFEST, QUARANTINE)}
        for name in (MANIFEST, QUARANTINE):
            store.publish(folder / name, name)
        if clock is not None:
            publish_bytes(store, folder, (json.dumps(dict(clock), indent=1) + "\n").encode(), CLOCK)
        publish_bytes(store, folder, sealed(content), DATASET)
    return content


@dataclass(slots=True)
class _Totals:
    """What the sidecars add up to; a few hundred bytes for each shard, whatever it holds."""

    files: list[str] = field(default_factory=list)
    logical: list[str] = field(default_factory=list)
    stats: dict[str, Stats] = field(default_factory=dict)
    dead: int = 0
    bytes: int = 0

    def add(self, receipt: Receipt) -> None:
        """Count one shard."""
        self.files.append(receipt.sha256)
        self.logical.append(receipt.info.logical)
        self.stats = merge_stats(self.stats, receipt.info.stats)
        self.dead += len(receipt.info.tombstones)
        self.bytes += receipt.bytes

    def content(self, facts: BuildFacts) -> dict[str, Any]:
        """``dataset.json`` but for the environment and the files beside it."""
        roots = {"files": root(self.files), "logical": root(self.logical)}
        identity = [facts.recipe_digest, facts.seed, facts.scale, facts.variants, roots["logical"]]
        counts = {
            "samples": facts.samples,
            "ok": facts.samples - self.dead,
            "tombstones": self.dead,
            "shards": len(self.files),
            "bytes": self.bytes,
        }
        return {
            "format_version": VERSION,
            "dataset_id": hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:16],
            **{name: value for name, value in asdict(facts).items() if name not in {"schema", "samples"}},
            "counts": counts,
            "columns": {name: {"type": kind, **self.stats[name]} for name, kind in facts.schema.items()},
            "roots": roots,
        }


def _gather(store: Store, facts: BuildFacts, folder: Path) -> _Totals:
    """Read every sidecar once, a few at a time, and write the manifest and the quarantine into ``folder``."""
    totals = _Totals()
    kinds = {"int": pa.int64(), "str": pa.string()}
    schema = pa.schema([(f.name, kinds[str(f.type)]) for f in fields(ShardRow)])
    writing = {"compression": "zstd", "write_page_checksum": True}
    with (
        (folder / QUARANTINE).open("w", encoding="utf-8") as quarantine,
        pq.ParquetWriter(folder / MANIFEST, schema, **writing) as manifest,
    ):
        for receipts in batched_receipts(store, -(-facts.samples // facts.shard_size)):
            for receipt in receipts:
                _check_shard(receipt, facts, store.uri)
                totals.add(receipt)
                for dead in receipt.info.tombstones:
                    line = asdict(dead) | {"shard": Path(receipt.file).name}
                    quarantine.write(canonical_json(line) + "\n")
            manifest.write_table(pa.Table.from_pylist([asdict(ShardRow.of(r)) for r in receipts], schema))
    return totals


def _check_complete(numbers: set[int], facts: BuildFacts, uri: str) -> None:
    shards = -(-facts.samples // facts.shard_size)
    missing = sorted(set(range(shards)) - numbers)
    extra = sorted(numbers - set(range(shards)))
    if missing or extra:
        which = f"shards {missing[:8]} are missing" if missing else f"shards {extra[:8]} are too many"
        raise ShardError(f"{uri}: {which} of {shards}; run the build again, or use an empty folder for another plan.")


def _check_shard(receipt: Receipt, facts: BuildFacts, uri: str) -> None:
    info, size = receipt.info, facts.shard_size
    rows = min(size, facts.samples - receipt.number * size)
    found = (receipt.format, info.first_index, info.rows, sorted(info.stats))
    if found != (facts.format, receipt.number * size, rows, sorted(facts.schema)):
        detail = f"{found[0]}, {info.rows} rows from index {info.first_index}"
        raise ShardError(f"{uri}/{receipt.file} ({detail}) is of another plan: use an empty folder.")


def read_manifest(data: bytes) -> tuple[ShardRow, ...]:
    """The rows of ``manifest.parquet``."""
    return tuple(ShardRow(**row) for row in pq.read_table(io.BytesIO(data)).to_pylist())
