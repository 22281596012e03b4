"""The child's half of the protocol: answer "run this row so many times" with timings, one JSON object a line.

A peer is a file that defines rows, ``name -> builder``; a builder takes the pool of crops and returns ``call``, which
makes one batch of pairs and says how many. Every peer runs in a process of its own, with its own Python if need be, so
that the parent can go round all of them again and again in one run.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

Pool = np.ndarray
"""uint8 RGB crops ``[N, 400, 400, 3]``, already decoded."""
Call = Callable[[int], int]
"""Makes the i-th batch; returns how many pairs that was."""

GT, SCALE = 400, 4
LQ = GT // SCALE


def serve(rows: dict[str, Callable[[Pool], Call]], *, reseed: Callable[[int], None], packages: tuple[str, ...]) -> None:
    """Read requests from stdin until it closes. What the peer prints goes to stderr and cannot disturb the answers.

    Args:
        rows: What can be run.
        reseed: Sets every random state that the peer uses.
        packages: Distributions whose versions are reported.
    """
    pool = np.load(sys.argv[1])
    os.sched_setaffinity(0, {int(sys.argv[2])})
    cv2.setNumThreads(1)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")

    answer(ready=True, versions={name: version(name) for name in packages})
    calls: dict[str, Call] = {}
    for line in sys.stdin:
        request = json.loads(line)
        row = request["row"]
        if row not in calls:
            calls[row] = rows[row](pool)
        reseed(request["seed"])
        answer(**measure(calls[row], request["first"], request["calls"]))


def measure(call: Call, first: int, count: int) -> dict[str, float]:
    """Time ``count`` calls: on the clock, and in CPU seconds of all threads of this process.

    CPU seconds leave out what other processes took of the core, and charge a library for threads that it starts.
    """
    wall, cpu, pairs = time.perf_counter(), time.process_time(), 0
    for i in range(first, first + count):
        pairs += call(i)
    return {"pairs": pairs, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
