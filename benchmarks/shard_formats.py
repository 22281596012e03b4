"""How fast does each shard format write, verify and read pairs, and how many bytes does it add? Prints JSON.

``python benchmarks/shard_formats.py --photos FOLDER --variants 4``: 512 pairs, GT 256 px and LQ 64 px, written to a
temporary folder (``TMPDIR``) and read back with a warm cache, best of several rounds. Decoding is not included: it
costs the same for every format.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from image_codecs import degraded, photographs

from degradekit.codecs import encode
from degradekit.shards import FORMATS, PARTS
from degradekit.shards.commit import commit
from degradekit.storage import open_store
from degradekit.types import Array, Record

PAIRS = 512
SCHEMA = {"deg.blur.op": "str"} | {f"deg.step{i}.value": "float" for i in range(40)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", default="sample", help="a folder of pictures, or 'sample'")
    parser.add_argument("--variants", type=int, default=1)
    parser.add_argument("--codec", default="qoi")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    records = list(pairs(photographs(arguments.photos), arguments.variants, arguments.codec))
    images = sum(len(r.lq.data) + len(r.gt.data) * (r.variant == 0) for r in records)
    results: dict[str, dict[str, float]] = {name: {} for name in FORMATS}
    for _ in range(arguments.rounds):
        for name in FORMATS:
            for what, figure in measure(name, records, images).items():
                results[name][what] = round(min(figure, results[name].get(what, figure)), 4)
    print(json.dumps({"image_mb": images / 1e6, **results}, indent=1))


def pairs(photos: list[Array], variants: int, codec: str) -> Iterator[Record]:
    """Pairs of which no two GTs are equal: crops of the pictures, shifted and mirrored."""
    for index in range(PAIRS):
        number = index // variants
        if index % variants == 0:
            clip = np.roll(photos[number % len(photos)], number, axis=2)
            gt = encode(np.ascontiguousarray(clip), codec)
        lq = encode(degraded(clip, index), codec)
        plan = json.dumps({"steps": [[f"step{i}", index / (i + 1)] for i in range(40)]})
        columns = {f"deg.step{i}.value": index / (i + 1) for i in range(40)} | {"deg.blur.op": "gaussian"}
        yield Record(index, f"photos/{number:06d}.png#0,0", index % variants, gt, lq, plan, columns, {"h": 256})


def measure(name: str, records: list[Record], images: int) -> dict[str, float]:
    """Milliseconds per pair, and bytes over the bytes of the images."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        start = time.perf_counter()
        receipt = commit(store, 0, records, format=name, schema=SCHEMA)
        figures = {"commit_ms": per_pair(start)}
        path = Path(folder) / receipt.file
        figures["bytes_ratio"] = sum(file.stat().st_size for file in path.parent.iterdir()) / images
        order = np.random.default_rng(0).permutation(PAIRS).tolist()
        with FORMATS[name].open(path) as shard:
            for label, parts in {"images": ("gt", "lq"), "columns": ("gt", "lq", "columns"), "all": PARTS}.items():
                figures[f"random_{label}_ms"] = timed(lambda parts=parts: [shard.read(row, parts) for row in order])
            figures["blocks_images_ms"] = timed(lambda: sum(len(block) for block in shard.blocks(("gt", "lq"))))
    return figures


def timed(function: Callable[[], object]) -> float:
    """Milliseconds per pair."""
    start = time.perf_counter()
    function()
    return per_pair(start)


def per_pair(start: float) -> float:
    """Milliseconds per pair since ``start``."""
    return 1e3 * (time.perf_counter() - start) / PAIRS


if __name__ == "__main__":
    main()
