"""Starting small runs, and reading what they wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from degradekit_models.train.config import Config, parse_config
from degradekit_models.train.loop import Run, train
from degradekit_models.train.progress import Reporter
from degradekit_models.train.scheme import Scheme

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def go(text: str | Config, shards: Path, out: Path, **options: Any) -> Scheme:
    """Train in this process."""
    config = parse_config(text) if isinstance(text, str) else text
    job = Run(out=out, data={str(shards): None}, **options)
    return train(config, job, Fabric(accelerator="cpu", devices=1), Reporter(out, stream=None))


def fork_all(folder: Path, runs: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Train in processes forked by ``forks.py``; for each run what its ranks wrote down, nothing of killed ones."""
    for run in runs:
        run["out"] = str(folder / run.get("out", run["name"]))
    command = [sys.executable, str(Path(__file__).parent / "forks.py"), json.dumps(runs)]
    with (folder / "said.txt").open("w") as said:
        subprocess.run(command, cwd=folder, env=ENVIRONMENT, timeout=200, check=True, stderr=said)
    found = {}
    for run in runs:
        files = [folder / f"{run['name']}-{rank}.json" for rank in range(run.get("ranks", 1))]
        killed = "kill" in run or "kill_in_save" in run
        assert [file.exists() for file in files] == [not killed] * len(files), (folder / "said.txt").read_text()
        found[run["name"]] = [json.loads(file.read_text()) for file in files if not killed]
    return found


def curve(out: Path) -> list[dict[str, float]]:
    """The lines of ``curve.jsonl``."""
    return [json.loads(line) for line in (out / "curve.jsonl").read_text().splitlines()]


def weights(out: Path) -> dict[str, dict[str, torch.Tensor]]:
    """What ``generator.pth`` holds."""
    found: dict[str, dict[str, torch.Tensor]] = torch.load(out / "generator.pth", weights_only=True)
    return found
