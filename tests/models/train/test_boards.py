"""Curves in TensorBoard and Weights & Biases."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from degradekit_models.cli import main
from tests.models.train.conftest import TINY

STAND_IN = """
import json

class Run:
    def __init__(self, **options):
        self.file = open(options["dir"] + "/said.jsonl", "a")
        self.say(init=options)

    def say(self, **what):
        print(json.dumps(what), file=self.file, flush=True)

    def log(self, values, step):
        self.say(step=step, **values)

    def finish(self):
        self.say(finish=True)
        self.file.close()

init = Run
"""


def test_weights_and_biases(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "wandb.py").write_text(STAND_IN)
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.syspath_prepend(tmp_path / "installed")
    importlib.invalidate_caches()
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY + "validation: {every: 3, pairs: 2}\n")
    command = ["train", str(config), "--data", str(shards), "--validate", str(shards), "-o", str(tmp_path / "run")]
    command += ["--accelerator", "cpu", "--wandb", "--resume", "auto"]
    for steps in ("4", "2"):
        assert main([*command, "--steps", steps]) == 0
    said = [json.loads(line) for line in (tmp_path / "run" / "said.jsonl").read_text().splitlines()]
    begun = [line["init"] for line in said if "init" in line]
    assert [(run["project"], run["name"], run["resume"]) for run in begun] == [("degradekit", "tiny", "allow")] * 2
    assert begun[0]["id"] == begun[1]["id"], "a run that goes on is the same run there"
    assert begun[0]["config"]["optimizer"]["lr"] == 1e-3
    assert [line["step"] for line in said if "loss/pixel" in line] == list(range(6))
    assert [line["step"] for line in said if f"psnr/{shards.name}" in line] == [2, 5]
    assert sum("finish" in line for line in said) == 2


def test_missing_packages_are_named(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY)
    command = ["train", str(config), "--data", str(shards), "-o", str(tmp_path / "run"), "--accelerator", "cpu"]
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert main([*command, "--wandb"]) == 2
    assert "--wandb needs Weights & Biases: pip install wandb" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main([*command, "--tensorboard"]) == 2
    assert "--tensorboard needs TensorBoard: pip install tensorboard" in capsys.readouterr().err
