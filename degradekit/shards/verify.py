"""Checking a finished dataset: every hash, every checksum, every image decoded, every count against the manifest.

A shard whose SHA-256 is right holds what was committed. Where it is wrong, each value is read on its own to name what
is damaged; an LMDB file is first walked by py-lmdb's verifier, because its engine would follow broken pages blindly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from degradekit.codecs import checksum, decode
from degradekit.errors import ShardError
from degradekit.shards import FORMATS
from degradekit.shards.census import take_census
from degradekit.shards.commit import FOLDER, Receipt, garbage, read_sealed, shard_name
from degradekit.shards.dataset import Dataset, open_dataset, open_shard
from degradekit.shards.interface import ShardReader
from degradekit.shards.manifest import QUARANTINE, ShardRow
from degradekit.shards.summary import Summary
from degradekit.storage import Blob
from degradekit.types import Array, Record, Tombstone

__all__ = ["blob_sha256", "duplicates", "verify_dataset", "verify_manifest", "verify_shard"]

CHUNK = 8 << 20
"""Bytes of a file hashed at a time."""


def verify_dataset(uri: str | Path, *, pixels: bool = True, workers: int = 1) -> list[str]:
    """Check a whole dataset, holding one block of records in memory per worker.

    Args:
        uri: A folder, or a URI as in ``storage.open_store``.
        pixels: Also decode every image and compare its size with the scale; several times slower.
        workers: Processes that share out the shards; 1 stays in this one.

    Returns:
        One sentence per problem, naming file, row, sample and value; empty where all is well.
    """
    try:
        dataset = open_dataset(uri)
    except ShardError as error:
        return [str(error)]
    problems = verify_manifest(dataset)
    check = partial(verify_shard, dataset, pixels=pixels)
    numbers = range(len(dataset.shards))
    if workers == 1:
        found = list(map(check, numbers))
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(check, numbers))
    problems += [problem for shard in found for problem in shard]
    return problems or duplicates(dataset)


def verify_manifest(dataset: Dataset) -> list[str]:
    """Check what is not inside a shard: the list of shards, the quarantine, and that nothing else is there."""
    info, rows, store = dataset.info, dataset.shards, dataset.store
    problems = []
    size, samples = info["shard_size"], info["counts"]["samples"]
    places = [(row.number, row.first_index, row.rows) for row in rows]
    wanted = [(n, n * size, min(size, samples - n * size)) for n in range(-(-samples // size))]
    if places != wanted:
        problems.append(f"{store.uri}/manifest.parquet lists other shards than {samples} samples in shards of {size}.")
    try:
        if hashlib.sha256(store.read(QUARANTINE)).hexdigest() != info["files"][QUARANTINE]:
            problems.append(f"{store.uri}/{QUARANTINE} was changed after it was written (its SHA-256 differs).")
    except ShardError as error:
        problems.append(str(error))
    return problems + [f"{store.uri}/{name} belongs to no shard of this dataset." for name in garbage(store)]


def duplicates(dataset: Dataset) -> list[str]:
    """Samples of a sound dataset whose (key, variant) another sample has; eight bytes per sample in memory."""
    names: list[Array] = []
    for row in dataset.shards:
        table = dataset.shard(row.number).table([])
        pairs = zip(table["variant"].to_pylist(), table["key"].to_pylist(), strict=True)
        names.append(np.array([checksum(f"{variant}:{key}".encode()) for variant, key in pairs], np.uint64))
    codes = np.concatenate(names) if names else np.empty(0, np.uint64)
    order = np.argsort(codes, kind="stable")
    same = np.flatnonzero(codes[order][1:] == codes[order][:-1])
    problems = []
    for place in same:
        first, second = (int(order[place + step]) for step in (0, 1))
        twin, record = dataset.read(first, ()), dataset.read(second, ())
        if (twin.key, twin.variant) == (record.key, record.variant):
            name = f"sample {record.key!r}, variant {record.variant}"
            problems.append(f"{dataset.store.uri}: indices {first} and {second} are both {name}.")
    return problems


def verify_shard(dataset: Dataset, number: int, *, pixels: bool = True) -> list[str]:
    """Check one shard; calls for different shards are independent, so a pool may share them out.

    Args:
        dataset: The dataset.
        number: Which shard.
        pixels: Also decode every image.

    Returns:
        One sentence per problem.
    """
    row, store = dataset.shards[number], dataset.store
    problems: list[str] = []
    try:
        receipt = Receipt.from_json(read_sealed(store, shard_name(number, ".json")))
        if ShardRow.of(receipt) != row:
            problems.append(f"{store.uri}/{shard_name(number, '.json')} and manifest.parquet differ.")
    except ShardError as error:
        problems.append(str(error))
    damaged = {suffix: _damaged_beside(dataset, row, suffix) for suffix in (".idx", ".npz")}
    offsets_ok = not damaged[".idx"]
    problems += [problem for problem in damaged.values() if problem]
    if PurePosixPath(row.file).name not in store.sizes(FOLDER):
        return [*problems, f"{store.uri}/{row.file} is missing: run the build again."]
    if blob_sha256(store.open(row.file)) != row.sha256:
        return problems + _localise(dataset, row, offsets_ok)
    return [*problems, *_content(dataset, row, pixels, offsets_ok), *_other_census(dataset, row, damaged[".npz"])]


def _damaged_beside(dataset: Dataset, row: ShardRow, suffix: str) -> str:
    """What is wrong with a shard's offsets or census; empty where nothing is, or the file is gone, which is allowed."""
    wanted = {".idx": row.offsets_sha256, ".npz": row.census_sha256}[suffix]
    name, store = shard_name(row.number, suffix), dataset.store
    if not wanted or PurePosixPath(name).name not in store.sizes(FOLDER) or blob_sha256(store.open(name)) == wanted:
        return ""
    return f"{store.uri}/{name} is damaged (its SHA-256 differs): delete it or rebuild the shard."


def blob_sha256(blob: Blob) -> str:
    """SHA-256 of a file wherever it lies, a part at a time; the blob is closed."""
    digest, size = hashlib.sha256(), blob.size()
    for start in range(0, size, CHUNK):
        digest.update(blob.pread(start, CHUNK))
    blob.close()
    return digest.hexdigest()


def _content(dataset: Dataset, row: ShardRow, pixels: bool, offsets_ok: bool) -> Iterator[str]:
    """Problems of a shard whose bytes are as committed: it must hold what the manifest says, and decode."""
    name = f"{dataset.store.uri}/{row.file}"
    try:
        with _open(dataset, row, offsets_ok) as reader:
            if reader.schema() != dataset.schema:
                yield f"{name} has other columns than dataset.json."
            summary = Summary(reader.schema())
            for block in reader.blocks():
                for record in block:
                    summary.add(record)
                if pixels:
                    yield from _undecodable(block, dataset.scale, name, row.first_index)
            if summary.close().logical != row.logical:
                yield f"{name} holds other records than the manifest says (logical hash)."
    except ShardError as error:
        yield str(error)


def _other_census(dataset: Dataset, row: ShardRow, damaged: str) -> Iterator[str]:
    """A census that is whole has to be that of the shard's records."""
    stored = None if damaged else dataset.census(row.number)
    if stored is None:
        return
    name = f"{dataset.store.uri}/{shard_name(row.number, '.npz')}"
    try:
        taken = take_census(dataset.shard(row.number))
    except ShardError:
        return  # the shard itself is damaged, which is said elsewhere
    if taken.pack() != stored.pack():
        yield f"{name} is the census of other records: delete it or rebuild the shard."


def _open(dataset: Dataset, row: ShardRow, offsets_ok: bool) -> ShardReader:
    if offsets_ok:
        return open_shard(dataset.store, row)
    return FORMATS[dataset.info["format"]].open(dataset.store.open(row.file), offsets=None)


def _undecodable(block: list[Record | Tombstone], scale: int, name: str, first: int) -> Iterator[str]:
    before: Record | None = None
    for record in block:
        if isinstance(record, Tombstone):
            continue
        where = f"{name}: row {record.index - first} (sample {record.key!r}, variant {record.variant})"
        gt, lq = record.gt.shape, record.lq.shape
        if gt[0] != lq[0] or gt[1:3] != (lq[1] * scale, lq[2] * scale):
            yield f"{where}: GT {gt} is not {scale} times LQ {lq}."
        for role in ("gt", "lq"):
            image = getattr(record, role)
            if role == "gt" and before is not None and before.gt.data is image.data:
                continue
            try:
                decode(image)
            except ShardError as error:
                yield f"{where}, {role}: {error}"
        before = record


def _localise(dataset: Dataset, row: ShardRow, offsets_ok: bool) -> list[str]:
    """Name what is damaged in a shard whose SHA-256 is wrong."""
    name, blob = f"{dataset.store.uri}/{row.file}", dataset.store.open(row.file)
    if blob.size() != row.bytes:
        return [
            f"{name} has {blob.size()} bytes, the manifest says {row.bytes}: it is truncated or replaced, rebuild it."
        ]
    layout = FORMATS[dataset.info["format"]]
    if blob.path is not None and (broken := layout.damage(blob.path)):
        return [f"{name} has broken pages ({broken}): rebuild the shard."]
    found: list[str] = []
    for single in (True, False) if offsets_ok and row.offsets_sha256 else (False,):
        with _open(dataset, row, single) as reader:
            found = found or list(_damaged(reader, row, name))
    where = "outside every stored value (page headers, statistics or padding)"
    return found or [f"{name}: the SHA-256 differs from the manifest's; the change is {where}, rebuild the shard."]


def _damaged(reader: ShardReader, row: ShardRow, name: str) -> Iterator[str]:
    readable = True
    try:
        schema = reader.schema()
        reader.table([])
    except (ShardError, pa.ArrowException) as error:
        yield f"{name}: index, key, variant, status: {error}"
        schema, readable = {}, False
    for column in schema:
        try:
            reader.table([column])
        except ShardError as error:
            yield f"{name}: column {column}: {error}"
    seen: set[str] = set()  # a damaged page makes every row of its row group unreadable: say so once
    for part in ("gt", "lq", "plan", "meta") if readable else ("gt", "lq"):
        for at in range(row.rows):
            try:
                reader.read(at, (part,))
            except ShardError as error:
                if str(error) not in seen:
                    yield f"{_sample(reader, at, name)}, {part}: {error}"
                seen.add(str(error))


def _sample(reader: ShardReader, at: int, name: str) -> str:
    try:
        record = reader.read(at, ())
    except ShardError:
        return f"{name}: row {at}"
    return f"{name}: row {at} (sample {record.key!r}, variant {record.variant})"
