"""The whole build on a folder of photographs: where the CPU time goes, what a second worker brings, and how it grows.

    python benchmarks/build.py PHOTOS [--save]           # about five minutes

Every run is a fresh ``degradekit build`` process. Three questions:

* which share of the CPU time each stage and op takes, in shards of 512 pairs;
* how many pairs a second one Ray worker makes and how many two, in interleaved rounds. The clock runs from the moment
  every worker has committed a shard to the last commit, so the start of Ray, which is reported apart, does not count.
  In the same rounds, what the machine has for a second worker: two processes against one that only make pairs;
* how time and peak memory grow when the number of images grows tenfold (the same photographs under ten names).

Datasets are written to memory where there is ``/dev/shm``, so that a disk is not what is measured; ``--work`` chooses.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import psutil

from degradekit.recipe import load_recipe
from degradekit.source import list_images

sys.path.insert(0, str(Path(__file__).parent))
from engine import machine, spread

MEMORY = Path("/dev/shm")
WORK = ("read", "draw", "apply", "encode")
"""Stages that make pairs; ``write`` and ``other`` are what a build adds to them."""


def run_build(args: argparse.Namespace, source: Path, *, pairs: int, shard: int, extra: list[str]) -> dict[str, Any]:
    """One build in a process of its own; what it was like."""
    with tempfile.TemporaryDirectory(dir=args.work) as out:
        command = [sys.executable, "-m", "degradekit", "build", args.recipe, "--source", str(source), "--out", out]
        command += ["--limit", str(pairs), "--shard-size", str(shard), "--force", *extra]
        began = time.time()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        peaks = {"driver": 0}
        watcher = threading.Thread(target=watch, args=(process.pid, peaks))
        watcher.start()
        _, errors = process.communicate()
        watcher.join()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{errors}")
        facts = json.loads((Path(out) / "build.json").read_text())
        receipts = sorted(file.stat().st_mtime for file in Path(out).glob("data/_shard-*.json"))
        size = sum(file.stat().st_size for file in Path(out).glob("data/*"))
    return {
        "pairs": facts["pairs"],
        "seconds": facts["seconds"],
        "cpu_ms_per_pair": 1e3 * sum(facts["stages"].values()) / facts["pairs"],
        "stages": facts["stages"],
        "first_shard_s": receipts[0] - began,
        "receipts": receipts,
        "kb_per_pair": size / facts["pairs"] / 1e3,
        "peak_mb": {"driver": peaks["driver"] / 2**20, "worker": facts["peak_rss"] / 2**20},
    }


def watch(pid: int, peaks: dict[str, int]) -> None:
    """Sample resident memory of the driver until it ends."""
    process = psutil.Process(pid)
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        try:
            peaks["driver"] = max(peaks["driver"], process.memory_info().rss)
        except psutil.Error:
            return
        time.sleep(0.05)


def steady(run: dict[str, Any], workers: int, shard: int) -> float:
    """Pairs a second from the commit with which all workers were at work to the last one; all shards are full."""
    receipts = run["receipts"][workers - 1 :]
    return shard * (len(receipts) - 1) / (receipts[-1] - receipts[0])


def shares(stages: dict[str, float]) -> dict[str, float]:
    """Fraction of all seconds by stage, largest first."""
    total = sum(stages.values())
    return {stage: round(s / total, 4) for stage, s in sorted(stages.items(), key=lambda item: -item[1])}


def groups(stages: dict[str, float]) -> dict[str, float]:
    """Shares of read, draw, apply, encode, write and other."""
    merged: dict[str, float] = {}
    for stage, seconds in stages.items():
        merged[stage.split(".")[0]] = merged.get(stage.split(".")[0], 0.0) + seconds
    return shares(merged)


def stages(args: argparse.Namespace, photos: int) -> dict[str, Any]:
    """Where the CPU time goes in shards of the usual size."""
    pairs = 3 * 512
    extra = ["--executor", "inline", "--per-image", str(-(-pairs // photos))]
    runs = [run_build(args, args.photos, pairs=pairs, shard=512, extra=extra) for _ in range(2)]
    run = runs[-1]  # the first one also pays for memory that the machine has not handed out before
    by_stage = groups(run["stages"])
    return {
        "pairs": run["pairs"],
        "cpu_ms_per_pair": run["cpu_ms_per_pair"],
        "kb_per_pair": run["kb_per_pair"],
        "making_pairs": round(sum(by_stage[stage] for stage in WORK), 4),
        "by_stage": by_stage,
        "by_op": shares(run["stages"]),
    }


def make_pairs(recipe: str, photo: str, seconds: float) -> float:
    """Pairs a second that this process makes of one picture, without encoding or writing them."""
    cv2.setNumThreads(1)
    loaded = load_recipe(recipe)
    image = cv2.imread(photo)[:400, :400, ::-1].copy()
    loaded.degrade(image, key="warm")
    made, began = 0, time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        loaded.degrade(image, key=str(made))
        made += 1
    return made / spent


def in_memory(pool: ProcessPoolExecutor, args: argparse.Namespace, seconds: float = 10.0) -> float:
    """What two processes make at a time, over what one makes alone."""
    photo = list_images(args.photos).images[0].uri
    rates = []
    for processes in (1, 2):
        running = [pool.submit(make_pairs, args.recipe, photo, seconds) for _ in range(processes)]
        rates.append(sum(future.result() for future in running))
    return rates[1] / rates[0]


def scaling(args: argparse.Namespace, photos: int) -> dict[str, Any]:
    """One worker against two, round by round."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        in_memory(pool, args, 1.0)  # the processes load the engine
        return compare(args, photos, pool)


def compare(args: argparse.Namespace, photos: int, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """The rounds."""
    shard = 64
    pairs = args.pairs // shard * shard
    per_image = ["--per-image", str(-(-pairs // photos))]
    runs: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    ceilings = []
    for i in range(args.rounds):
        ceilings.append(in_memory(pool, args))
        for workers in (1, 2) if i % 2 == 0 else (2, 1):
            extra = ["--executor", "ray", "--workers", str(workers), *per_image]
            runs[workers].append(run_build(args, args.photos, pairs=pairs, shard=shard, extra=extra))
            print(f"workers: {workers}, {steady(runs[workers][-1], workers, shard):.1f} pairs/s", file=sys.stderr)
    rates = {workers: [steady(run, workers, shard) for run in made] for workers, made in runs.items()}
    cpu = {workers: [run["cpu_ms_per_pair"] for run in made] for workers, made in runs.items()}
    every = [run for made in runs.values() for run in made]
    return {
        "pairs": pairs,
        "pairs_per_s": {f"{workers} worker{'s' * (workers > 1)}": spread(values) for workers, values in rates.items()},
        "two_over_one": spread([two / one for one, two in zip(rates[1], rates[2], strict=True)]),
        "two_over_one_in_memory": spread(ceilings),
        # 1 would be ideal: what the second worker costs the first (memory, cache, clock), and what it waits for.
        "cpu_per_pair_two_over_one": spread([two / one for one, two in zip(cpu[1], cpu[2], strict=True)]),
        "cores_busy_with_two": spread([rate * ms / 1e3 for rate, ms in zip(rates[2], cpu[2], strict=True)]),
        "start_to_first_shard_s": spread([run["first_shard_s"] for run in every]),
        "peak_mb": {
            where: round(statistics.median(run["peak_mb"][where] for run in every)) for where in ("driver", "worker")
        },
    }


def growth(args: argparse.Namespace, photos: int) -> dict[str, Any]:
    """Ten times the images: time and memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, 10):
            source = many(args.photos, Path(folder) / f"x{times}", times)
            extra = ["--executor", "inline", "--per-image", "4"]
            run = run_build(args, source, pairs=4 * photos * times, shard=64, extra=extra)
            rows.append(
                {
                    "pairs": run["pairs"],
                    "seconds": round(run["seconds"], 2),
                    "cpu_ms_per_pair": round(run["cpu_ms_per_pair"], 2),
                    "peak_mb": round(max(run["peak_mb"].values())),
                }
            )
    one, ten = rows
    return {
        "rows": rows,
        "pairs": ten["pairs"] / one["pairs"],
        "seconds": ten["seconds"] / one["seconds"],
        "peak_mb": ten["peak_mb"] / one["peak_mb"],
    }


def many(photos: Path, folder: Path, times: int) -> Path:
    """The photographs under ``times`` names each, as links."""
    folder.mkdir()
    for image in list_images(photos).images:
        for i in range(times):
            name = image.key.replace("/", "_")
            (folder / f"{i}_{name}").symlink_to(Path(image.uri).resolve())
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--recipe", default="real_esrgan")
    parser.add_argument("--pairs", type=int, default=2560, help="pairs of a scaling run (default: 2560)")
    parser.add_argument("--rounds", type=int, default=3, help="scaling runs of either kind (default: 3)")
    parser.add_argument("--work", type=Path, default=MEMORY if MEMORY.is_dir() else None, help="where datasets go")
    parser.add_argument("--save", action="store_true", help="write results/build.json too")
    args = parser.parse_args()
    photos = len(list_images(args.photos).images)
    warm = ["--executor", "inline", "--per-image", "1"]
    run_build(args, args.photos, pairs=8, shard=32, extra=warm)  # compiles what is not compiled yet
    result = {
        "recipe": args.recipe,
        "machine": machine(),
        "photos": photos,
        "written_to": "memory" if args.work == MEMORY else "a disk",
        "stages": stages(args, photos),
        "scaling": scaling(args, photos),
        "growth": growth(args, photos),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if args.save:
        (Path(__file__).parent / "results" / "build.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
