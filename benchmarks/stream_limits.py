"""What a stream costs besides its pairs: the first batch, opening, memory over a long epoch. Prints JSON.

Pairs are tiny (16 px), so that what is measured is not their pixels.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from degradekit.codecs import encode
from degradekit.shards.commit import commit
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.storage import open_store
from degradekit.stream import PairStream
from degradekit.types import Record

SHARDS, PAIRS = 1000, 1_000_000
FIRST = """
import time
from degradekit.stream import PairStream
imported, clock = time.process_time(), time.perf_counter()
next(iter(PairStream({folder!r}, batch_size=16)))
print(imported, time.process_time() - imported, time.perf_counter() - clock)
"""


def make(folder: Path, shards: int, rows: int) -> str:
    """A dataset of so many shards of so many pairs."""
    rng = np.random.default_rng(0)
    images = [encode(rng.integers(0, 256, (1, side, side, 3)).astype(np.uint8), "raw") for side in (16, 4)]
    place = open_store(folder)
    for number in range(shards):
        first = number * rows
        records = (Record(i, f"{i}.png", 0, *images, "{}", {}) for i in range(first, first + rows))
        commit(place, number, records, format="parquet", schema={})
    facts = {"shard_size": rows, "variants": 1, "samples": shards * rows, "schema": {}}
    finish(place, BuildFacts("", "", 0, 4, format="parquet", codec="raw", **facts))
    return str(folder)


def first_batch(folder: str) -> dict[str, Any]:
    """Medians of five processes: CPU seconds to start and import, then to the first batch; the latter on the clock."""
    code = FIRST.format(folder=folder)
    runs = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
        runs.append([float(word) for word in done.stdout.split()])
    imported, cpu, wall = (statistics.median(column) for column in zip(*runs, strict=True))
    return {"shards": SHARDS, "import_cpu_s": imported, "cpu_s": cpu, "wall_s": wall}


def opening(folder: str) -> dict[str, Any]:
    """Median CPU milliseconds of twenty openings of dataset and stream."""
    times = []
    for _ in range(20):
        start = time.process_time()
        stream = PairStream(folder, batch_size=16)
        times.append(1e3 * (time.process_time() - start))
    dataset = open_dataset(folder)
    return {"shards": len(dataset.shards), "samples": stream.samples, "ms": statistics.median(times)}


def memory(folder: str) -> dict[str, Any]:
    """Private memory at each tenth of an epoch that goes over the stored pairs again and again."""
    stream = PairStream(folder, batch_size=64, epoch_size=PAIRS)
    found: list[float] = []
    seen = 0
    for batch in stream:
        seen += len(batch["gt"])
        if seen >= (len(found) + 1) * PAIRS // 10:
            found.append(private_mb())
    return {"pairs": seen, "stored": len(open_dataset(folder)), "mb": found}


def private_mb() -> float:
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1e3 if found else 0.0


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        few, many = make(Path(text) / "few", 50, 2), make(Path(text) / "many", 50, 256)
        thousand = make(Path(text) / "thousand", SHARDS, 2)
        result = {
            "first_batch": first_batch(thousand),
            "opening": [opening(few), opening(many)],
            "memory": memory(thousand),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
