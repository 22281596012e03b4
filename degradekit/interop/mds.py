"""MosaicML Streaming's MDS: ``shard.00000.mds`` and so on, and ``index.json``.

A shard is ``u32 n``, ``u32 offset[n + 1]``, the JSON of its columns, and the samples; a sample is ``u32 size`` of every
column and then their values, all little-endian, columns in the order of their names. It is written here in forty lines
so that an export needs no package; ``streaming.StreamingDataset`` and ``LocalDataset`` read it.

Source: mosaicml-streaming 0.13, documentation "Dataset format" and ``MDSWriter``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from degradekit.canonical import canonical_json
from degradekit.interop.pairs import ROLES, Pair, still

__all__ = ["write"]

SHARD_BYTES = 1 << 26
"""Largest shard, MosaicML's own default."""


def write(pairs: Iterable[Pair], folder: Path, *, codec: str) -> int:
    """Write MDS shards with the columns ``gt``, ``key``, ``lq`` and ``params``; returns how many pairs.

    Args:
        pairs: Pairs of images.
        folder: Where: ``local`` of a ``StreamingDataset``, or ``local`` and ``split``.
        codec: PNGs are read back as Pillow images, WebP files as bytes.
    """
    images = "png" if codec == "png" else "bytes"
    columns = {"gt": images, "key": "str", "lq": images, "params": "str"}
    config = {
        "version": 2,
        "format": "mds",
        "compression": None,
        "hashes": [],
        "size_limit": SHARD_BYTES,
        "column_names": list(columns),
        "column_encodings": list(columns.values()),
        "column_sizes": [None] * len(columns),
    }
    shards: list[dict[str, Any]] = []
    samples: list[bytes] = []
    head = 8 + len(json.dumps(config, sort_keys=True))
    size = head
    count = 0
    for pair in pairs:
        sample = _sample(still(pair, "MDS"), codec)
        if samples and size + len(sample) + 4 > SHARD_BYTES:
            shards.append(_write_shard(folder, len(shards), samples, config))
            samples, size = [], head
        samples.append(sample)
        size += len(sample) + 4
        count += 1
    if samples:
        shards.append(_write_shard(folder, len(shards), samples, config))
    (folder / "index.json").write_text(json.dumps({"version": 2, "shards": shards}, sort_keys=True))
    return count


def _sample(pair: Pair, codec: str) -> bytes:
    images = {role: pair.files(role, codec)[0][1] for role in ROLES}
    values = [images["gt"], pair.record.key.encode(), images["lq"], canonical_json(pair.facts()).encode()]
    return struct.pack(f"<{len(values)}I", *map(len, values)) + b"".join(values)


def _write_shard(folder: Path, number: int, samples: list[bytes], config: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(config, sort_keys=True).encode()
    offsets = [4 + 4 * (len(samples) + 1) + len(text)]
    for sample in samples:
        offsets.append(offsets[-1] + len(sample))
    data = struct.pack(f"<{len(samples) + 2}I", len(samples), *offsets) + text + b"".join(samples)
    name = f"shard.{number:05d}.mds"
    (folder / name).write_bytes(data)
    raw = {"basename": name, "bytes": len(data), "hashes": {}}
    return {**config, "samples": len(samples), "raw_data": raw, "zip_data": None}
