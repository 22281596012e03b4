"""The examples run as they stand, for a few steps; loops by three libraries say the same numbers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def losses(name: str, out: Path, *, steps: int, data: Path | None = None) -> list[str]:
    """What a run prints about its steps."""
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--out", str(out), "--steps", str(steps)]
    command += ["--data", str(data)] if data else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return re.findall(r"^step \d+: L1 \d\.\d{6}$", done.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The dataset that the plain loop builds for itself, and five steps over its three batches."""
    out = tmp_path_factory.mktemp("whole")
    return out / "shards", losses("pytorch_loop", out, steps=5)


def test_the_plain_loop_builds_its_dataset_and_trains(unbroken: tuple[Path, list[str]]) -> None:
    assert [line.partition(":")[0] for line in unbroken[1]] == [f"step {i}" for i in range(1, 6)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "library"),
    [("pytorch_loop", "torch"), ("lightning_module", "lightning"), ("huggingface_accelerate", "accelerate")],
)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    name: str, library: str, unbroken: tuple[Path, list[str]], tmp_path: Path
) -> None:
    pytest.importorskip(library)
    data, whole = unbroken
    assert losses(name, tmp_path, steps=2, data=data) == whole[:2]
    assert losses(name, tmp_path, steps=5, data=data) == whole[2:]


def test_basicsr_way_exports_and_trains(tmp_path: Path) -> None:
    assert len(losses("basicsr_lmdb", tmp_path, steps=4)) == 4
    assert (tmp_path / "generator.pth").exists()
    for role in ("gt", "lq"):
        assert len((tmp_path / f"lmdb/{role}.lmdb/meta_info.txt").read_text().splitlines()) == 12


def test_every_example_is_run_here_and_named_in_the_docs() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    run = set(re.findall(r'"(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    assert names == {"pytorch_loop.py", "lightning_module.py", "huggingface_accelerate.py", "basicsr_lmdb.py"}
    assert {name.removesuffix(".py") for name in names} <= run
    docs = (EXAMPLES.parent / "docs/streaming.md").read_text(encoding="utf-8")
    assert all(f"../examples/{name}" in docs for name in names)
