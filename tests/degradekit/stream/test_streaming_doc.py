"""The examples of docs/streaming.md run as they are printed, one after another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import degradekit

DOC = Path(__file__).parents[3] / "docs" / "streaming.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOC.read_text(), re.DOTALL) if DOC.exists() else []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_an_example_runs(number: int, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shards").symlink_to(built)
    exec(compile(BLOCKS[number], f"{DOC.name}, example {number}", "exec"), {"__name__": "__main__"})


def test_every_promised_name_is_there() -> None:
    assert degradekit.PairStream.__module__.startswith("degradekit.stream")
