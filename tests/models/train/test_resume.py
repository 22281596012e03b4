"""Going on: a run that was stopped or killed anywhere, with or without worker processes, ends with the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from degradekit_models.errors import ModelError
from tests.models.train.conftest import TINY, TINY_EDVR, TINY_GAN, TINY_REAL_BASICVSR
from tests.models.train.running import curve, fork_all, go, weights

IMAGES = {"pixel": TINY, "gan": TINY_GAN}
CLIPS = {"edvr": TINY_EDVR, "real_basicvsr": TINY_REAL_BASICVSR}


def equal(parts: Path, whole: Path) -> None:
    assert curve(parts) == curve(whole)
    for key, values in weights(whole).items():
        if key.startswith("params"):
            assert all(torch.equal(weights(parts)[key][name], value) for name, value in values.items())


@pytest.mark.parametrize("text", IMAGES.values(), ids=IMAGES.keys())
def test_stopped_run_equals_an_unbroken_one(text: str, shards: Path, tmp_path: Path) -> None:
    go(text, shards, tmp_path / "whole")
    for steps in (1, 2, 3):
        go(text, shards, tmp_path / "parts", resume=True, stop_after=steps)
    assert len(curve(tmp_path / "whole")) == 6
    equal(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.slow
def test_killed_runs_go_on_bit_for_bit(shards: Path, clips: Path, tmp_path: Path) -> None:
    """Killed after a step, in the middle of a checkpoint, before parts begin to move; with changing workers."""
    kills: dict[str, list[dict[str, Any]]] = {name: [{"kill": 1, "workers": 2}] for name in CLIPS}
    kills["pixel"] = [{"kill": 0}, {"kill": 3, "workers": 2}, {"kill_in_save": True}]
    kills["gan"] = [{"kill": 3}]
    runs: list[dict[str, Any]] = []
    for name, text in (IMAGES | CLIPS).items():
        run = {"text": text, "shards": str(clips if name in CLIPS else shards)}
        cut = [*kills[name], {"workers": 1 if name == "pixel" else 0}]
        runs.append(run | {"name": f"{name}-whole"})
        runs += [run | {"name": f"{name}-{i}", "out": f"{name}-cut"} | how for i, how in enumerate(cut)]
    fork_all(tmp_path, runs)
    for name in IMAGES | CLIPS:
        assert len(curve(tmp_path / f"{name}-whole")) == (6 if name in IMAGES else 3)
        equal(tmp_path / f"{name}-cut", tmp_path / f"{name}-whole")


def test_other_config_or_data_is_refused(shards: Path, tmp_path: Path) -> None:
    go(TINY, shards, tmp_path, stop_after=2)
    with pytest.raises(ModelError, match=r"last.ckpt is of another config"):
        go(TINY.replace("lr: 1.0e-3", "lr: 2.0e-3"), shards, tmp_path, resume=True)
    (tmp_path / "last.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match=r"last.ckpt cannot be read"):
        go(TINY, shards, tmp_path, resume=True)
