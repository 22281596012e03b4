"""How fast does each shard format write, verify and read pairs, and how many bytes does it add?

``python benchmarks/shard_formats.py --photos FOLDER`` prints the table of ``docs/format.md``; ``--json`` has the same
figures. 512 pairs, GT 256 px and LQ 64 px, are written to a temporary folder (``TMPDIR``) and read back with a warm
cache, best of several rounds; once with a GT for every LQ (K = 1) and once with one for four (K = 4). Decoding is not
included: it costs the same for every format.
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
NAMES = {"parquet": "Parquet", "lmdb": "LMDB"}
SCHEMA = {"deg.blur.op": "str"} | {f"deg.step{i}.value": "float" for i in range(40)}


ROWS = {
    "write, verify and commit": "commit_ms",
    "one pair at random: GT and LQ": "random_images_ms",
    "... with its typed columns": "random_columns_ms",
    "... and plan and meta": "random_all_ms",
    "in order, GT and LQ": "blocks_images_ms",
    "bytes over the images' bytes": "bytes_ratio",
}
VARIANTS = (1, 4)

Results = dict[int, dict[str, dict[str, float]]]
"""Variants -> format -> figure."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="sample", help="a folder of pictures, or 'sample'")
    parser.add_argument("--codec", default="qoi")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    photos = photographs(arguments.photos)
    results: Results = {}
    for variants in VARIANTS:
        records = list(pairs(photos, variants, arguments.codec))
        images = sum(len(r.lq.data) + len(r.gt.data) * (r.variant == 0) for r in records)
        best = results[variants] = {name: {} for name in FORMATS}
        for _ in range(arguments.rounds):
            for name in FORMATS:
                for what, figure in measure(name, records, images).items():
                    best[name][what] = min(figure, best[name].get(what, figure))
    print(json.dumps(results, indent=1) if arguments.json else table(results, arguments.codec))


def table(results: Results, codec: str) -> str:
    """Milliseconds a pair with K = 1, and in brackets with K = 4."""
    head = f"{PAIRS} pairs, GT 256², LQ 64², {codec.upper()}, {len(SCHEMA)} typed columns; ms per pair, K = 1 (K = 4)"
    lines = [f"| {head} | {' | '.join(NAMES[name] for name in FORMATS)} |", "|---" * (1 + len(FORMATS)) + "|"]
    for row, figure in ROWS.items():
        digits = 3 if figure == "bytes_ratio" else 2
        cells = [[f"{results[k][name][figure]:.{digits}f}" for k in VARIANTS] for name in FORMATS]
        lines.append(f"| {row} | {' | '.join(f'{one} ({four})' for one, four in cells)} |")
    return "\n".join(lines)


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
