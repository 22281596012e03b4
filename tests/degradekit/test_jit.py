"""Machine code on disk follows every source that went into it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CALLEE = "from degradekit.jit import inline\n\nFACTOR = 1\n\n\n@inline\ndef change(x):\n    return x + {step}\n"
CALLER = """\
from callee import FACTOR, change

from degradekit.jit import kernel


@kernel
def run(x):
    return change(x) * FACTOR


print(run(1), sum(run.stats.cache_hits.values()))
"""


def run_in(folder: Path) -> list[int]:
    """The result in a process of its own, and whether the code came from disk."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(folder / "caller.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return [int(word) for word in done.stdout.split()]


def test_a_change_in_what_is_called_reaches_the_caller(tmp_path: Path) -> None:
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "callee.py").write_text(CALLEE.format(step=1))
    assert run_in(tmp_path) == [2, 0]
    assert run_in(tmp_path) == [2, 1]
    (tmp_path / "callee.py").write_text(CALLEE.format(step=5).replace("FACTOR = 1", "FACTOR = 7"))
    assert run_in(tmp_path) == [42, 0]
