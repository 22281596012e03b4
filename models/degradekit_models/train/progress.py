"""Telling people and tools how a run goes."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, TextIO

from degradekit_models.train.boards import Board, MakeBoard
from degradekit_models.train.validate import Score
from degradekit_models.whole import written_whole

__all__ = ["Reporter"]

WINDOW = 50
"""Steps that the shown means are taken over."""


class Reporter:
    """Writes ``curve.jsonl``, curves on boards, and a line now and then.

    Args:
        out: Folder of the run; None keeps nothing.
        every: Steps between two lines.
        stream: Where lines go; None says nothing.
        boards: Further places for the curves, made when the first step begins.
    """

    def __init__(
        self,
        out: Path | None,
        *,
        every: int = 100,
        stream: TextIO | None = sys.stderr,
        boards: Sequence[MakeBoard] = (),
    ) -> None:
        self._out, self._every, self._stream = out, every, stream
        self._file: TextIO | None = None
        self._make_boards = tuple(boards)
        self._boards: list[Board] = []
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._waited: deque[float] = deque(maxlen=WINDOW)
        self._total = 0

    def begin(self, step: int, total: int) -> None:
        """The first step is about to be made; what an earlier run wrote beyond it is taken back."""
        self._total = total
        if self._out is None:
            return
        self._out.mkdir(parents=True, exist_ok=True)
        curve = self._out / "curve.jsonl"
        kept = _before(curve, step)
        with written_whole(curve) as part:
            part.write_text("".join(kept), encoding="utf-8")
        self._boards = [make(self._out, step) for make in self._make_boards]
        self._file = curve.open("a", encoding="utf-8")

    def step(self, step: int, losses: Mapping[str, float], *, rate: float, seconds: float, waited: float) -> None:
        """A step is done."""
        self._seconds.append(seconds)
        self._waited.append(waited)
        self._write({"step": step, "rate": rate, **losses})
        share, speed = fmean(self._waited) / fmean(self._seconds), 1 / fmean(self._seconds)
        shown = {f"loss/{name}": value for name, value in losses.items()}
        for board in self._boards:
            board.add(shown | {"rate": rate, "steps_per_second": speed, "data_wait": share}, step)
        if self._stream is not None and ((step + 1) % self._every == 0 or step + 1 == self._total):
            terms = ", ".join(f"{name} {value:.4g}" for name, value in losses.items())
            line = f"step {step + 1} of {self._total}: {terms}; {speed:.3g} steps/s, {share:.0%} waiting for data"
            print(line, file=self._stream, flush=True)

    def scores(self, step: int, scores: Mapping[str, Score]) -> None:
        """A validation is done."""
        for place, score in scores.items():
            name = Path(place).name
            self._write({"step": step - 1, "validation": name, "psnr": score.psnr, "ssim": score.ssim})
            for board in self._boards:
                board.add({f"psnr/{name}": score.psnr, f"ssim/{name}": score.ssim}, step - 1)
            if self._stream is not None:
                found = f"PSNR {score.psnr:.3f} dB, SSIM {score.ssim:.4f} on {score.frames} frames of {name}"
                print(f"step {step}: {found}", file=self._stream, flush=True)

    def end(self) -> None:
        """The run stops here, at its end or with an error."""
        if self._file is not None:
            self._file.close()
        for board in self._boards:
            board.close()
        self._file, self._boards = None, []

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is not None:
            print(json.dumps(line), file=self._file, flush=True)


def _before(curve: Path, step: int) -> list[str]:
    """Lines of an earlier run before a step; a last line that was cut off is left out."""
    if not curve.exists():
        return []
    lines = curve.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("}\n")]
    return [line for line in whole if json.loads(line)["step"] < step]
