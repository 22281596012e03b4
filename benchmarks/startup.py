"""What does a fresh process cost: ``import degradekit``, ``degradekit --help``, the first pair with code compiled?

Every figure is of several new processes in turn, beside a Python that does nothing, with files cached and compiled code
on disk. Milliseconds of CPU time, which other processes on the machine disturb least; wall time is given beside it.

    python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from engine import machine, spread

FIRST_PAIR = """
import time
start = time.process_time()
import numpy as np
import degradekit as dk
recipe = dk.load_recipe("real_esrgan")
ready = time.process_time()
image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
recipe.degrade(image, key="first")
first = time.process_time()
for i in range(20):
    recipe.degrade(image, key=str(i))
later = time.process_time()
recipe.degrade(image, key="first")
print(ready - start, first - ready, time.process_time() - later)
"""
PROCESSES = {
    "python, nothing": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import degradekit": ["-c", "import degradekit"],
    "degradekit --help": ["-m", "degradekit", "--help"],
    "import degradekit; load_recipe": ["-c", "import degradekit; degradekit.load_recipe('real_esrgan')"],
}
LAST = "one pair, then 21 more"
PARTS = ("import and load_recipe", "first pair", "the same pair again, warm")


def milliseconds(command: list[str]) -> tuple[float, float, str]:
    """Run a new Python; its CPU and wall milliseconds, and what it printed."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), 1e3 * wall, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=9, help="new processes for each figure (default: 9)")
    parser.add_argument("--save", action="store_true", help="write results/startup.json too")
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    commands = {**PROCESSES, LAST: ["-c", FIRST_PAIR]}
    cpu: dict[str, list[float]] = {name: [] for name in commands}
    wall: dict[str, list[float]] = {name: [] for name in commands}
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    for i in range(args.processes + 1):
        for name, command in commands.items():
            of_core, of_clock, output = milliseconds(command)
            if i == 0:  # fills file caches and compiles
                continue
            cpu[name].append(of_core)
            wall[name].append(of_clock)
            if name == LAST:
                for part, seconds in zip(PARTS, output.split(), strict=True):
                    parts[part].append(1e3 * float(seconds))
    result = {
        "machine": machine(),
        "processes": args.processes,
        "whole process, CPU ms": {name: spread(values) for name, values in cpu.items()},
        "whole process, wall ms": {name: spread(values) for name, values in wall.items()},
        "inside the last one, CPU ms": {name: spread(values) for name, values in parts.items()},
    }
    text = json.dumps(result, indent=1)
    if args.save:
        (Path(__file__).parent / "results" / "startup.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
