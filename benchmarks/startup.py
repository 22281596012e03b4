"""What does a fresh process cost: ``import degradekit``, ``degradekit --help``, the first pair with code compiled?

Every figure is the median of several new processes, beside a Python that does nothing. Wall milliseconds, with files
cached and compiled code on disk.

    python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

FIRST_PAIR = """
import time
start = time.perf_counter()
import numpy as np
import degradekit as dk
recipe = dk.load_recipe("real_esrgan")
ready = time.perf_counter()
image = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
recipe.degrade(image, key="first")
first = time.perf_counter()
for i in range(20):
    recipe.degrade(image, key=str(i))
later = time.perf_counter()
recipe.degrade(image, key="first")
print(ready - start, first - ready, time.perf_counter() - later)
"""
PROCESSES = {
    "python, nothing": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import degradekit": ["-c", "import degradekit"],
    "degradekit --help": ["-m", "degradekit", "--help"],
    "degradekit build --help": ["-m", "degradekit", "build", "--help"],
    "import degradekit; load_recipe": ["-c", "import degradekit; degradekit.load_recipe('real_esrgan')"],
}
PARTS = ("import and load_recipe", "first pair", "the same pair again, warm")


def milliseconds(command: list[str]) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return 1e3 * (time.perf_counter() - start), done.stdout


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=9, help="new processes for each figure (default: 9)")
    args = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    whole: dict[str, list[float]] = {name: [] for name in (*PROCESSES, "a process that makes one pair and 21 more")}
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    for i in range(args.processes + 1):
        for name, command in (*PROCESSES.items(), ("a process that makes one pair and 21 more", ["-c", FIRST_PAIR])):
            taken, output = milliseconds(command)
            if i == 0:  # fills file caches and compiles
                continue
            whole[name].append(taken)
            if command[-1] == FIRST_PAIR:
                for part, seconds in zip(PARTS, output.split(), strict=True):
                    parts[part].append(1e3 * float(seconds))
    result = {
        "python": platform.python_version(),
        "whole process, ms": {name: spread(values) for name, values in whole.items()},
        "inside the last one, ms": {name: spread(values) for name, values in parts.items()},
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
