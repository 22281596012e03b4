"""Telling how far a build is: one live bar on a terminal, plain lines elsewhere, and ``progress.json`` for machines."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

__all__ = ["Progress"]


class Progress:
    """Progress of one build.

    Args:
        stream: Where to write; None is silent.
        json_path: File that is replaced with the current state every ``json_seconds`` and at the end.
        line_seconds: Off a terminal, at most one line in this time.
        json_seconds: At most one JSON state in this time.
    """

    def __init__(
        self,
        stream: TextIO | None = sys.stderr,
        *,
        json_path: Path | None = None,
        line_seconds: float = 10.0,
        json_seconds: float = 2.0,
    ) -> None:
        self._stream = stream
        self._json_path = json_path
        self._every = {"line": line_seconds, "json": json_seconds}
        self._last = {"line": 0.0, "json": 0.0}
        self._bar: tqdm[Any] | None = None
        self._started = False
        self._total = self._done = self._before = self._bytes = self._failures = 0
        self._began = time.monotonic()

    def start(self, *, total: int, done: int) -> None:
        """Begin with ``done`` of ``total`` pairs from an earlier run."""
        self._started = True
        self._total, self._done, self._before = total, done, done
        self._began = time.monotonic()
        if self._stream is not None and self._stream.isatty():
            self._bar = tqdm(total=total, initial=done, unit="pair", file=self._stream, dynamic_ncols=True)
        elif self._stream is not None and done:
            print(f"{done} of {total} pairs are there already", file=self._stream, flush=True)
        self._write_json("running")

    def advance(self, pairs: int, *, bytes: int, failures: int) -> None:
        """Count a finished shard."""
        self._done += pairs
        self._bytes += bytes
        self._failures = failures
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self.megabytes_per_second:.1f} MB/s, {failures} failed", refresh=False)
            self._bar.update(pairs)
        elif self._stream is not None and self._done < self._total and self._due("line"):
            print(self.line(), file=self._stream, flush=True)
        if self._due("json"):
            self._write_json("running")

    def stop(self, state: str) -> None:
        """End with ``done``, ``stopped`` or ``failed``; a build that was refused before it started leaves no trace."""
        if not self._started:
            return
        if self._bar is not None:
            self._bar.close()
        elif self._stream is not None and self._done > self._before:
            print(self.line(), file=self._stream, flush=True)
        self._write_json(state)

    @property
    def pairs_per_second(self) -> float:
        """Pairs of this run over its wall time."""
        return (self._done - self._before) / max(time.monotonic() - self._began, 1e-9)

    @property
    def megabytes_per_second(self) -> float:
        """Shard bytes of this run over its wall time."""
        return self._bytes / 1e6 / max(time.monotonic() - self._began, 1e-9)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds to go at the rate so far; None before the first shard."""
        rate = self.pairs_per_second
        return (self._total - self._done) / rate if rate > 0 else None

    def line(self) -> str:
        """The state in words."""
        eta = self.eta_seconds
        rest = "" if eta is None or self._done >= self._total else f", {eta:.0f} s to go"
        return (
            f"{self._done} of {self._total} pairs, {self.pairs_per_second:.1f} pairs/s, "
            f"{self.megabytes_per_second:.1f} MB/s, {self._failures} failed{rest}"
        )

    def _due(self, what: str) -> bool:
        now = time.monotonic()
        if now - self._last[what] < self._every[what]:
            return False
        self._last[what] = now
        return True

    def _write_json(self, state: str) -> None:
        if self._json_path is None:
            return
        eta = self.eta_seconds
        value = {
            "state": state,
            "pairs": self._done,
            "total": self._total,
            "failures": self._failures,
            "pairs_per_second": round(self.pairs_per_second, 3),
            "megabytes_per_second": round(self.megabytes_per_second, 3),
            "eta_seconds": None if eta is None else round(eta, 1),
        }
        temporary = self._json_path.with_suffix(".json.tmp")
        try:
            temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
            temporary.replace(self._json_path)
        except OSError:
            # A full disk stops the build where it matters, with a remedy; here no state is better than a stale one.
            for file in (temporary, self._json_path):
                with suppress(OSError):
                    file.unlink(missing_ok=True)
