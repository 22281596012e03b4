"""The whole build on a folder of photographs: speed, where the time goes, and whether memory stays flat.

    python benchmarks/build.py PHOTOS [--pairs 400] [--rounds 3] [--out RESULT.json]

Each run is a fresh `degradekit build` process, so that its memory is its own. Three questions:

* how many pairs a second with one worker and with two, in interleaved rounds (Ray, so that both pay for it);
* which share of the time each stage and op takes (seconds are added over workers, so shares do not depend on them);
* how peak memory and time grow when the number of images grows tenfold (the same photographs under ten names).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from degradekit.source import list_images


def run_build(source: Path, *, pairs: int, extra: list[str], recipe: str) -> dict[str, Any]:
    """One build in a process of its own; peak memory is sampled over the driver and, apart, its children."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "degradekit", "build", recipe, "--source", str(source), "--out", out]
        command += ["--limit", str(pairs), "--shard-size", "32", "--force", *extra]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        peaks = {"driver": 0, "worker": 0}
        watcher = threading.Thread(target=watch, args=(process.pid, peaks))
        watcher.start()
        _, errors = process.communicate()
        watcher.join()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{errors}")
        seconds = time.perf_counter() - start
        facts = json.loads((Path(out) / "build.json").read_text())
    return {
        "wall_s": seconds,
        "build_s": facts["seconds"],
        "pairs": facts["pairs"],
        "pairs_per_s": facts["pairs"] / facts["seconds"],
        "stages": facts["stages"],
        "peak_driver_mb": peaks["driver"] / 2**20,
        "peak_worker_mb": facts["peak_rss"] / 2**20,
    }


def watch(pid: int, peaks: dict[str, int]) -> None:
    """Sample resident memory until the process ends."""
    process = psutil.Process(pid)
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        try:
            peaks["driver"] = max(peaks["driver"], process.memory_info().rss)
        except psutil.Error:
            return
        time.sleep(0.05)


def many(photos: Path, folder: Path, times: int) -> Path:
    """The photographs under ``times`` names each, as links."""
    folder.mkdir()
    for image in list_images(photos).images:
        for i in range(times):
            name = image.key.replace("/", "_")
            (folder / f"{i}_{name}").symlink_to(Path(image.uri).resolve())
    return folder


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--recipe", default="real_esrgan")
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    photos = len(list_images(args.photos).images)
    per_image = ["--per-image", str(-(-args.pairs // photos))]

    warm = ["--executor", "inline", "--per-image", "1"]
    run_build(args.photos, pairs=8, extra=warm, recipe=args.recipe)  # compiles what is not compiled yet
    runs: dict[str, list[dict[str, Any]]] = {"inline": [], "ray, 1 worker": [], "ray, 2 workers": []}
    for _ in range(args.rounds):
        for name, extra in (
            ("inline", ["--executor", "inline"]),
            ("ray, 1 worker", ["--executor", "ray", "--workers", "1"]),
            ("ray, 2 workers", ["--executor", "ray", "--workers", "2"]),
        ):
            runs[name].append(run_build(args.photos, pairs=args.pairs, extra=per_image + extra, recipe=args.recipe))
            print(f"{name}: {runs[name][-1]['pairs_per_s']:.1f} pairs/s", file=sys.stderr)

    growth = []
    with tempfile.TemporaryDirectory() as folder:
        for times in (1, 10):
            source = many(args.photos, Path(folder) / f"x{times}", times)
            extra = ["--executor", "inline", "--per-image", "4"]
            growth.append(run_build(source, pairs=4 * photos * times, extra=extra, recipe=args.recipe))
            print(f"{growth[-1]['pairs']} pairs: {growth[-1]['peak_worker_mb']:.0f} MB", file=sys.stderr)

    def median(name: str, key: str) -> float:
        return statistics.median(run[key] for run in runs[name])

    scaling = [two["pairs_per_s"] / one["pairs_per_s"] for one, two in zip(*list(runs.values())[1:], strict=True)]
    result = {
        "recipe": args.recipe,
        "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "python": platform.python_version()},
        "photos": photos,
        "pairs": args.pairs,
        "pairs_per_s": {name: round(median(name, "pairs_per_s"), 2) for name in runs},
        "pairs_per_s_per_core": round(median("inline", "pairs_per_s"), 2),
        "rounds": {name: [round(run["pairs_per_s"], 2) for run in made] for name, made in runs.items()},
        "two_workers_over_one": {
            "median": round(statistics.median(scaling), 3),
            "rounds": [round(s, 3) for s in scaling],
        },
        "share_by_stage": groups(runs["inline"][-1]["stages"]),
        "share_by_op": shares(runs["inline"][-1]["stages"]),
        "peak_mb": {
            name: {"driver": round(median(name, "peak_driver_mb")), "worker": round(median(name, "peak_worker_mb"))}
            for name in runs
        },
        "growth": [
            {
                "pairs": run["pairs"],
                "seconds": round(run["build_s"], 2),
                "peak_mb": round(max(run["peak_worker_mb"], run["peak_driver_mb"])),
            }
            for run in growth
        ],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


def cpu_model() -> str:
    """Model name of the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
