"""How long does an audit of a million pairs take, and how much memory?

Builds a few real shards and repeats them under as many names as it takes, each with a census and a sidecar of its own
whose numbers are those of no other shard, then audits the result in a fresh process:

    python benchmarks/audit_large.py --photos FOLDER --pairs 1000000 --save

The first row of a size is the audit without a sample: the recipe's reference, censuses, manifest, judging. The second
has 3,000 pairs, 64 of which are made again, and the hashes of 16 GiB besides. Both are one process. The pixels of
repeated shards are equal, so what the audit finds in them means nothing; its time does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from audit import build

from degradekit.audit.gather import Options
from degradekit.audit.run import audit
from degradekit.shards.commit import Receipt, read_sealed, sealed, shard_name
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.storage import LocalStore

REAL = 8
RESULTS = Path(__file__).parent / "results" / "audit_large.md"


def repeat(small: Dataset, out: Path, shards: int) -> None:
    """A dataset of ``shards`` shards whose files are those of a small one, linked, and whose censuses are their own."""
    store, size = LocalStore(out), small.info["shard_size"]
    (out / "data").mkdir(parents=True)
    for number in range(shards):
        donor = number % REAL
        for suffix in (".parquet", ".idx"):
            os.link(small.store.open(shard_name(donor, suffix)).path or "", out / shard_name(number, suffix))
        census = small.census(donor)
        assert census is not None
        moved = {name: getattr(census, name) ^ np.uint64(number // REAL) for name in ("content", "draws")}
        data = replace(census, index=census.index + (number - donor) * size, **moved).pack()
        (out / shard_name(number, ".npz")).write_bytes(data)
        receipt = Receipt.from_json(read_sealed(small.store, shard_name(donor, ".json")))
        info = replace(receipt.info, first_index=number * size)
        receipt = replace(receipt, number=number, info=info, census_sha256=hashlib.sha256(data).hexdigest())
        (out / shard_name(number, ".json")).write_bytes(sealed(receipt.to_json()))
    told = {name: small.info[name] for name in BuildFacts.__slots__ if name not in ("schema", "samples")}
    finish(store, BuildFacts(**told, schema=small.schema, samples=shards * size))


def measure(folder: str, sample: int, replay: int, checksums: str) -> None:
    """Audit in this process and print its wall time and peak memory; run in a process of its own."""
    start = time.monotonic()
    dataset = open_dataset(folder)
    found = audit(dataset, options=Options(sample, replay, checksums=checksums))  # type: ignore[arg-type]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "wall_s": time.monotonic() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss >> 10,
    }
    assert found.result("integrity").status == "ok", found.result("integrity").findings
    print(json.dumps({"pairs": len(dataset)} | {name: round(value, 1) for name, value in told.items()}))


def row(folder: Path, *words: str) -> dict[str, float]:
    """One audit in a fresh process."""
    command = [sys.executable, __file__, "--measure", str(folder), *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    """Build, repeat, audit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos")
    parser.add_argument("--recipe", default="real_esrgan")
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS}")
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure[0], int(args.measure[1]), int(args.measure[2]), args.measure[3])
        return
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before it began"
    lines = [f"`{args.recipe}`, GTs of {args.size} px, one process; {load}.", ""]
    lines += ["| pairs | audit | wall s | CPU s | peak MB |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        small = build(args.recipe, argparse.Namespace(**{**vars(args), "pairs": REAL * 512}), 0, Path(folder) / "small")
        for pairs in (args.pairs // 10, args.pairs):
            out = Path(folder) / str(pairs)
            repeat(small, out, pairs // 512)
            for what, *words in (
                ("censuses, parameters, one pair", "1", "0", "none"),
                ("and 3,000 pairs, 64 made again, 16 GiB hashed", "3000", "64", "auto"),
            ):
                found = row(out, *words)
                lines.append(
                    f"| {found['pairs']:,} | {what} | {found['wall_s']} | {found['cpu_s']} | {found['peak_mb']:.0f} |"
                )
                print(lines[-1], flush=True)
    if args.save:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
