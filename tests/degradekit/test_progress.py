"""Progress on a terminal, off a terminal, and as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

from degradekit.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_off_a_terminal_lines_are_rare_and_complete() -> None:
    out = io.StringIO()
    progress = Progress(out, line_seconds=1000)
    progress.start(total=100, done=20)
    for _ in range(8):
        progress.advance(10, bytes=1000, failures=1)
    progress.stop("done")
    lines = out.getvalue().splitlines()
    assert lines[0] == "20 of 100 pairs are there already"
    assert len(lines) == 3
    assert lines[-1].startswith("100 of 100 pairs, ")
    assert "1 failed" in lines[-1]
    assert "to go" in lines[1]


def test_a_terminal_gets_one_bar() -> None:
    out = Terminal()
    progress = Progress(out)
    progress.start(total=10, done=0)
    progress.advance(10, bytes=5_000_000, failures=2)
    progress.stop("done")
    assert "10/10" in out.getvalue()
    assert out.getvalue().count("\n") == 1


def test_json_tells_the_state(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    progress = Progress(None, json_path=path, json_seconds=0)
    progress.start(total=10, done=0)
    assert json.loads(path.read_text()) | {"eta_seconds": None} == {
        "state": "running",
        "pairs": 0,
        "total": 10,
        "failures": 0,
        "pairs_per_second": 0.0,
        "megabytes_per_second": 0.0,
        "eta_seconds": None,
    }
    progress.advance(4, bytes=100, failures=1)
    assert json.loads(path.read_text())["pairs"] == 4
    progress.stop("stopped")
    final = json.loads(path.read_text())
    assert (final["state"], final["failures"]) == ("stopped", 1)
    assert final["pairs_per_second"] > 0


def test_nothing_is_written_before_a_start(tmp_path: Path) -> None:
    """A build that is refused leaves no folder and no file behind."""
    path = tmp_path / "missing" / "progress.json"
    Progress(None, json_path=path).stop("failed")
    assert not path.parent.exists()
