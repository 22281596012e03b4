"""How fast is a Real-ESRGAN x4 pair, GT 400x400 -> LQ 100x100, here and in the peers, on one core of this machine?

And a pair of BSRGAN x4 (400 -> 100 px) and of GFPGAN (512 -> 512), and a clip of RealBasicVSR (15 frames, 256 -> 64).

Every peer is a process of its own, pinned to one and the same core, one thread. All rows run in turn, again and again,
in one run, so that slow phases of the machine fall on all alike; ratios are taken round by round. Time is CPU seconds
of the peer's process: what other processes take of the core does not count, and threads of its own do.

    python benchmarks/engine.py --setup-peers            # once: makes .venv-peers
    python benchmarks/engine.py --photos FOLDER --save   # about ten minutes
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import venv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from children import KEEP_MEMORY, Child, NotRunning
from floor import floors
from pool import crops

HERE = Path(__file__).parent
PEERS_ENVIRONMENT = HERE.parent / ".venv-peers"
OURS = "degradekit"


@dataclass(frozen=True)
class Row:
    """One line of the table: what a peer is asked to run.

    Args:
        peer: Stem of its file in ``peers/``.
        name: What the file calls the row.
        usm: With unsharp mask; rows of one recipe and setting are compared.
        weight: Times the usual number of calls, for rows whose cost differs much by draw.
        recipe: What is made.
    """

    peer: str
    name: str
    usm: bool
    weight: int = 1
    recipe: str = "real_esrgan"


Times = dict[Row, list[dict[str, Any]]]
"""Row -> its answers, one a round: ``pairs``, ``wall`` and ``cpu`` seconds."""

YARDSTICK = Row(OURS, "yardstick", True)
ROWS = (
    Row(OURS, "USM", True),
    Row(OURS, "no USM", False),
    YARDSTICK,
    Row("realesrgan", "batch 1", True),
    Row("realesrgan", "batch 12", True),
    Row("realesrgan", "batch 1, no USM", False),
    Row("realesrgan", "batch 12, no USM", False, 3),
    Row("albumentations", "USM", True),
    Row("albumentations", "no USM", False),
    Row("kornia", "batch 1", True),
    Row("kornia", "batch 12", True, 2),
    Row("kornia", "batch 1, no USM", False),
    Row("kornia", "batch 12, no USM", False, 2),
    Row("hand", "USM", True),
    Row("hand", "no USM", False),
    Row(OURS, "bsrgan", False, 1, "bsrgan"),
    Row("bsrgan", "BSRGAN", False, 2, "bsrgan"),
    Row(OURS, "gfpgan", False, 1, "gfpgan"),
    Row("gfpgan", "GFPGAN", False, 1, "gfpgan"),
    Row(OURS, "realbasicvsr", True, 2, "realbasicvsr"),
)


def setup_peers() -> None:
    """Make the peers' environment. basicsr and realesrgan name torchvision, which ``peers/bare.py`` stands in for."""
    venv.create(PEERS_ENVIRONMENT, with_pip=True)
    pip = [str(PEERS_ENVIRONMENT / "bin" / "python"), "-m", "pip", "install"]
    constraints = ["--constraint", str(HERE / "peers" / "constraints.txt")]
    libraries = ["torch", "opencv-python-headless", "albumentations", "kornia", "simplejpeg", "scipy"]
    subprocess.run([*pip, *constraints, *libraries, "setuptools", "wheel"], check=True)
    bare = ["--no-deps", "--no-build-isolation", "basicsr", "realesrgan"]
    subprocess.run([*pip, *constraints, *bare], check=True)


def calibrate(child: Child, row: Row, seconds: float) -> int:
    """Warm the row up (it builds and compiles what it needs) and say how many calls fill ``seconds``."""
    child.run(row.name, first=0, calls=2, seed=0)
    calls = 1
    while True:
        cpu = child.run(row.name, first=2, calls=calls, seed=0)["cpu"]
        if cpu > seconds / 8:
            return max(1, math.ceil(calls * seconds * row.weight / cpu))
        calls *= 4


def start(peer: str, pool: Path, rows: list[Row], core: int, seconds: float) -> tuple[Child, dict[Row, int]]:
    """Start a peer and calibrate its rows."""
    python = Path(sys.executable) if peer == OURS else PEERS_ENVIRONMENT / "bin" / "python"
    child = Child(peer, python, pool, core)
    try:
        return child, {row: calibrate(child, row, seconds) for row in rows if row.peer == peer}
    except NotRunning:
        child.close()
        raise


def measure(children: dict[str, Child], calls: dict[Row, int], rounds: int) -> Times:
    """Run all rows in turn, ``rounds`` times; every second round backwards."""
    times: Times = {row: [] for row in calls}
    for i in range(rounds):
        for row, count in list(calls.items())[:: 1 if i % 2 == 0 else -1]:
            times[row].append(children[row.peer].run(row.name, first=i * count, calls=count, seed=i + 1))
        print(f"round {i + 1} of {rounds}", file=sys.stderr)
    return times


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def per_pair(rounds: list[dict[str, Any]]) -> list[float]:
    """Milliseconds a pair, round by round."""
    return [1e3 * r["cpu"] / r["pairs"] for r in rounds]


def summary(times: Times) -> dict[str, Any]:
    """Medians over the rounds with their range, ratios to this engine with and without USM, and the yardstick."""
    ms = {row: per_pair(rounds) for row, rounds in times.items()}
    base = {(row.recipe, row.usm): ms[row] for row in times if row.peer == OURS and row is not YARDSTICK}
    lines = []
    for row, rounds in times.items():
        if row is YARDSTICK:
            continue
        line = {**asdict(row), "ms_per_pair": spread(ms[row]), "pairs_per_s": 1e3 / statistics.median(ms[row])}
        line["ms_per_pair_all"] = 1e3 * sum(r["cpu"] for r in rounds) / sum(r["pairs"] for r in rounds)
        line["pairs"] = sum(r["pairs"] for r in rounds)
        line["core_share"] = sum(r["cpu"] for r in rounds) / sum(r["wall"] for r in rounds)
        if row.peer != OURS and (row.recipe, row.usm) in base:
            line["times_slower"] = spread([a / b for a, b in zip(ms[row], base[row.recipe, row.usm], strict=True)])
        lines.append(line)
    result: dict[str, Any] = {"rows": lines}
    if YARDSTICK in ms and base:
        result["yardstick"] = {
            "what": "one cv2.filter2D, 21x21 float32 kernel, 400x400x3 float32",
            "ms": spread(ms[YARDSTICK]),
            **{
                "pair with USM" if usm else "pair without USM": spread(
                    [a / b for a, b in zip(values, ms[YARDSTICK], strict=True)]
                )
                for (recipe, usm), values in base.items()
                if recipe == "real_esrgan"
            },
        }
    return result


def machine() -> dict[str, Any]:
    """What the figures depend on: no names, no paths."""
    fields = {}
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(re.findall(r"^([^\t:\n]+)\s*: (.*)$", info.read_text().split("\n\n")[0], re.MULTILINE))
    vectors = [flag for flag in ("avx2", "fma", "avx512f") if flag in fields.get("flags", "").split()]
    return {
        "cpu": fields.get("model name", platform.processor()),
        "family_model": f"{fields.get('cpu family', '?')}/{fields.get('model', '?')}",
        "cache": fields.get("cache size", "?"),
        "vectors": vectors,
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in fields.get("flags", "").split(),
        "python": platform.python_version(),
    }


def profile_steps(photos: str, draws: int, core: int) -> list[dict[str, Any]]:
    """``steps.py`` in a process of its own."""
    command = [sys.executable, str(HERE / "steps.py"), "--photos", photos, "--draws", str(draws), "--core", str(core)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **KEEP_MEMORY})
    return list(json.loads(done.stdout))


def run(args: argparse.Namespace) -> dict[str, Any]:
    pool = crops(args.photos)
    children: dict[str, Child] = {}
    calls: dict[Row, int] = {}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pool.npy"
        np.save(path, pool)
        try:
            rows = [row for row in ROWS if row.recipe in args.recipes or row is YARDSTICK]
            for peer in (OURS, *(peer for peer in args.peers if any(row.peer == peer for row in rows))):
                try:
                    children[peer], counts = start(peer, path, rows, args.core, args.seconds)
                except NotRunning as reason:
                    if peer == OURS:
                        raise
                    missing[peer] = str(reason)
                else:
                    calls |= counts
            times = measure(children, calls, args.rounds)
        finally:
            for child in children.values():
                child.close()
    found = summary(times)
    steps = profile_steps(args.photos, args.draws, args.core) if args.draws else []
    return {
        "question": "CPU milliseconds of one core for one pair from memory; Real-ESRGAN x4 makes 100x100 of 400x400",
        "machine": machine(),
        "settings": {"rounds": args.rounds, "seconds": args.seconds},
        "pool": {"crops": len(pool), "mean_level": float(pool.mean())},
        "versions": {peer: child.versions for peer, child in children.items()},
        "missing": missing,
        **found,
        "steps": steps,
        "floors": floors(steps, found["yardstick"]["ms"]["median"]),
    }


def main() -> None:
    every = [peer for peer in dict.fromkeys(row.peer for row in ROWS) if peer != OURS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup-peers", action="store_true", help="make the peers' virtual environment and stop")
    parser.add_argument("--photos", default="sample", help="folder of photographs (default: scikit-image's)")
    parser.add_argument("--rounds", type=int, default=7, help="how often all rows run in turn (default: 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds of a row in a round (default: 2)")
    parser.add_argument("--draws", type=int, default=600, help="pairs for the step profile, 0 for none (default: 600)")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="core that all rows share")
    parser.add_argument("--peers", nargs="*", default=every, choices=every, help="peers to run (default: all)")
    recipes = list(dict.fromkeys(row.recipe for row in ROWS))
    parser.add_argument("--recipes", nargs="*", default=recipes, choices=recipes, help="recipes to run (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument(
        "--save",
        action="store_true",
        help="write results/engine.json and .md too, for some recipes alone results/engine-RECIPES.json and .md",
    )
    args = parser.parse_args()
    if args.setup_peers:
        setup_peers()
        return
    result = run(args)
    text, table = json.dumps(result, indent=1) + "\n", markdown(result)
    if args.save:
        name = "engine" if args.recipes == recipes else "-".join(["engine", *args.recipes])
        (HERE / "results" / f"{name}.json").write_text(text)
        (HERE / "results" / f"{name}.md").write_text(table)
    print(text if args.json else table)


if __name__ == "__main__":
    from table import markdown

    main()
