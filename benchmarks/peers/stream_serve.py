"""The child's half of ``stream.py``: answer "deliver so many pairs of this row" with timings, one JSON object a line.

A peer defines rows, ``name -> builder``; a builder takes the folder with all formats and returns an endless iterator
that yields how many pairs were delivered since the last time. Decoded pairs are uint8 RGB arrays.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Row = Callable[[Path], Iterator[int]]


def png(data: Any) -> np.ndarray:
    """Decode a PNG as fast as OpenCV can, to RGB."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def check(gt: np.ndarray, lq: np.ndarray) -> None:
    """What a row says it delivers."""
    assert gt.shape == (256, 256, 3) and lq.shape == (64, 64, 3)


def serve(rows: dict[str, Row], packages: tuple[str, ...]) -> None:
    """Read requests from stdin until it closes; what a library prints goes to stderr."""
    folder = Path(sys.argv[1])
    os.sched_setaffinity(0, {int(sys.argv[2])})
    cv2.setNumThreads(1)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")

    answer(ready=True, versions={name: version(name) for name in packages})
    made: dict[str, Iterator[int]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request["row"]
        if name not in made:
            made[name] = rows[name](folder)
        answer(**measure(made[name], request["calls"]))


def measure(delivered: Iterator[int], wanted: int) -> dict[str, float]:
    """Time ``wanted`` pairs: on the clock, and in CPU seconds of all threads of this process; memory after them."""
    wall, cpu, pairs = time.perf_counter(), time.process_time(), 0
    while pairs < wanted:
        pairs += next(delivered)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+)", status)
    return {"pairs": pairs, "wall": wall, "cpu": cpu, "mb": int(found[1]) / 1e3 if found else 0.0}
