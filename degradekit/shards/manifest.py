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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from degradekit.errors import ShardError
from degradekit.shards.commit import Receipt, committed, publish_bytes, read_sealed, sealed
from degradekit.shards.summary import Schema, Stats, canonical_json, merge_stats
from degradekit.storage import Store

__all__ = ["BuildFacts", "ShardRow", "environment", "finish", "read_manifest", "root"]

VERSION = 1
DATASET, MANIFEST, QUARANTINE, CLOCK = "dataset.json", "manifest.parquet", "quarantine.jsonl", "build.json"
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

    @classmethod
    def of(cls, receipt: Receipt) -> ShardRow:
        """The row of a committed shard."""
        info, dead = receipt.info, len(receipt.info.tombstones)
        hashes = (receipt.sha256, receipt.offsets_sha256, info.logical)
        place = (receipt.number, receipt.file, info.first_index, info.rows, dead, receipt.bytes)
        return cls(*place, *hashes, canonical_json(info.stats))


def environment() -> dict[str, Any]:
    """Everything outside the recipe that can change a pixel: versions, platform, CPU features."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": {name: version(name) for name in LIBRARIES},
        "cpu_features": cv2.getCPUFeaturesLine(),
    }


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
        ShardError: A shard is missing or of another build, or the folder is already a dataset with other content.
    """
    receipts = _complete(committed(store), facts, store.uri)
    content = {**_content(receipts, facts), "environment": environment()}
    if DATASET in store.sizes():
        before = read_sealed(store, DATASET)
        if before["dataset_id"] != content["dataset_id"] or before["roots"] != content["roots"]:
            ids = f"{before['dataset_id']}, this build is {content['dataset_id']}"
            raise ShardError(f"{store.uri} already is dataset {ids}: build into an empty folder.")
        return before
    manifest, quarantine = _manifest(receipts), _quarantine(receipts)
    files = {MANIFEST: manifest, QUARANTINE: quarantine}
    content["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    if clock is not None:
        files[CLOCK] = (json.dumps(dict(clock), indent=1) + "\n").encode()
    with store.workspace() as folder:
        for name, data in files.items():
            publish_bytes(store, folder, data, name)
        publish_bytes(store, folder, sealed(content), DATASET)
    return content


def _complete(receipts: Mapping[int, Receipt], facts: BuildFacts, uri: str) -> list[Receipt]:
    size = facts.shard_size
    shards = -(-facts.samples // size)
    missing = [number for number in range(shards) if number not in receipts]
    extra = sorted(set(receipts) - set(range(shards)))
    if missing or extra:
        which = f"shards {missing[:8]} are missing" if missing else f"shards {extra[:8]} are too many"
        raise ShardError(f"{uri}: {which} of {shards}; run the build again, or use an empty folder for another plan.")
    for number in range(shards):
        info = receipts[number].info
        rows = min(size, facts.samples - number * size)
        found = (receipts[number].format, info.first_index, info.rows, sorted(info.stats))
        if found != (facts.format, number * size, rows, sorted(facts.schema)):
            detail = f"{found[0]}, {info.rows} rows from index {info.first_index}"
            raise ShardError(f"{uri}/{receipts[number].file} ({detail}) is of another plan: use an empty folder.")
    return [receipts[number] for number in range(shards)]


def _content(receipts: Sequence[Receipt], facts: BuildFacts) -> dict[str, Any]:
    roots = {
        "files": root([receipt.sha256 for receipt in receipts]),
        "logical": root([receipt.info.logical for receipt in receipts]),
    }
    identity = [facts.recipe_digest, facts.seed, facts.scale, facts.variants, roots["logical"]]
    stats: dict[str, Stats] = {}
    for receipt in receipts:
        stats = merge_stats(stats, receipt.info.stats)
    dead = sum(len(receipt.info.tombstones) for receipt in receipts)
    counts = {"samples": facts.samples, "ok": facts.samples - dead, "tombstones": dead, "shards": len(receipts)}
    return {
        "format_version": VERSION,
        "dataset_id": hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:16],
        **{name: value for name, value in asdict(facts).items() if name not in {"schema", "samples"}},
        "counts": counts | {"bytes": sum(receipt.bytes for receipt in receipts)},
        "columns": {name: {"type": kind, **stats[name]} for name, kind in facts.schema.items()},
        "roots": roots,
    }


def _manifest(receipts: Sequence[Receipt]) -> bytes:
    table = pa.Table.from_pylist([asdict(ShardRow.of(receipt)) for receipt in receipts])
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def read_manifest(data: bytes) -> tuple[ShardRow, ...]:
    """The rows of ``manifest.parquet``."""
    return tuple(ShardRow(**row) for row in pq.read_table(io.BytesIO(data)).to_pylist())


def _quarantine(receipts: Sequence[Receipt]) -> bytes:
    def lines() -> Iterator[str]:
        for receipt in receipts:
            for tombstone in receipt.info.tombstones:
                yield canonical_json(asdict(tombstone) | {"shard": Path(receipt.file).name}) + "\n"

    return "".join(lines()).encode()
