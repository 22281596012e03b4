"""The parent's half of the protocol: start a peer in a process of its own, and ask it for timings."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent / "peers"
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""glibc keeps freed memory: whether large arrays cost page faults is otherwise a matter of the heap's luck."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class NotRunning(Exception):
    """The peer cannot run here; the text says why."""


class Child:
    """One peer.

    Args:
        peer: Stem of its file in ``peers/`` without ``_peer``.
        python: The interpreter whose environment has the peer.
        pool: The crops, as a ``.npy`` file.
        core: The core that it is pinned to.

    Raises:
        NotRunning: The interpreter or a package is missing, or the peer fails at the start.
    """

    def __init__(self, peer: str, python: Path, pool: Path, core: int) -> None:
        if not python.exists():
            raise NotRunning(f"not installed: there is no {python.parent.parent.name}; run with --setup-peers first")
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the child
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), **KEEP_MEMORY, "NO_ALBUMENTATIONS_UPDATE": "1"}
        self._process = subprocess.Popen(
            [str(python), str(PEERS / f"{peer}_peer.py"), str(pool), str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=environment,
        )
        self.versions: dict[str, str] = self._answer()["versions"]

    def run(self, row: str, *, first: int, calls: int, seed: int) -> dict[str, Any]:
        """Time ``calls`` batches of a row: ``pairs``, ``wall`` and ``cpu`` seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"row": row, "first": first, "calls": calls, "seed": seed}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End it: a peer stops when its input does."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._complaints.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return dict(json.loads(line))
        self._process.wait()
        self._complaints.seek(0)
        last = (self._complaints.read().strip().splitlines() or ["no message"])[-1]
        raise NotRunning(f"not installed: {last}" if last.startswith("ModuleNotFoundError") else f"failed: {last}")
