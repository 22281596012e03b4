"""Several ranks: the same run as with one, started by torchrun or as a job of Ray Train."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.train.conftest import TINY, TINY_GAN
from tests.models.train.faces import TINY_GFPGAN, TINY_STYLEGAN2
from tests.models.train.running import ENVIRONMENT, curve, fork_all, go, weights


def steps_of(ranks: list[dict[str, Any]]) -> list[list[str]]:
    """The pairs of every micro-batch of all ranks together: their shares one behind the other."""
    every = zip(*(rank["keys"] for rank in ranks), strict=True)
    return [[key for share in shares for key in share] for shares in every]


def agree(one: Path, other: Path) -> None:
    """Losses, rates and scores of every step are the same but for the order of additions."""
    a, b = curve(one), curve(other)
    assert [line.pop("validation", None) for line in a] == [line.pop("validation", None) for line in b]
    assert len(a) == len(b) > 0
    for here, there in zip(a, b, strict=True):
        assert there == pytest.approx(here, rel=1e-4)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))


def test_two_ranks_train_as_one_and_a_run_changes_between_them(shards: Path, tmp_path: Path) -> None:
    smooth = TINY.replace("pixel: {", "pixel: {kind: mse, ")  # Adam would make steps of the kinks of L1
    text = smooth + (
        "freeze: [{names: [body], until: 3}]\nclip_gradients: 0.5\nvalidation: {every: 3, pairs: 5, pictures: 2}\n"
    )
    runs: list[dict[str, Any]] = [{"name": "one", "ranks": 1}, {"name": "two", "ranks": 2}]
    runs += [{"name": f"part{i}", "ranks": n, "out": "parts", "steps": 2} for i, n in enumerate((1, 2, 1))]
    found = fork_all(tmp_path, [run | {"text": text, "shards": str(shards), "validate": True} for run in runs])
    one, two = found["one"], found["two"]
    assert [(rank["ranks"], rank["first"]) for rank in two] == [(2, True), (2, False)]
    assert steps_of(two) == steps_of(one)
    assert two[0]["weights"] == two[1]["weights"]
    agree(tmp_path / "one", tmp_path / "two")
    assert files(tmp_path / "two") == files(tmp_path / "one")
    assert len([name for name in files(tmp_path / "one") if name.startswith("pictures")]) == 4
    assert [step for part in ("part0", "part1", "part2") for step in steps_of(found[part])] == steps_of(one)
    agree(tmp_path / "one", tmp_path / "parts")
    for key in ("params", "params_ema"):
        for name, value in weights(tmp_path / "one")[key].items():
            for other in ("two", "parts"):
                torch.testing.assert_close(weights(tmp_path / other)[key][name], value, rtol=1e-4, atol=1e-6)


def test_two_ranks_play_the_game_as_one_and_stop_together(shards: Path, tmp_path: Path) -> None:
    runs: list[dict[str, Any]] = [{"name": "one", "ranks": 1}, {"name": "two", "ranks": 2}]
    runs += [{"name": "poisoned", "ranks": 2, "poison": [1, 6]}]
    found = fork_all(tmp_path, [run | {"text": TINY_GAN, "shards": str(shards)} for run in runs])
    assert steps_of(found["two"]) == steps_of(found["one"])
    assert found["two"][0]["weights"] == found["two"][1]["weights"]
    agree(tmp_path / "one", tmp_path / "two")
    errors = [rank["error"] for rank in found["poisoned"]]
    assert "step 3: the loss 'pixel' is nan on another rank" in errors[0]
    assert "step 3: the loss 'pixel' is nan; its pairs begin with" in errors[1]
    assert torch.load(tmp_path / "poisoned" / "last.ckpt", weights_only=True)["step"] == 2


def test_two_ranks_train_faces_alike(faces: Path, tmp_path: Path) -> None:
    """Noise, and who is compared with whom in the discriminator, are a rank's own; all else is as with one."""
    runs: list[dict[str, Any]] = [
        {"name": "gfpgan1", "text": TINY_GFPGAN},
        {"name": "gfpgan2", "text": TINY_GFPGAN, "ranks": 2},
        {"name": "stylegan2", "text": TINY_STYLEGAN2, "ranks": 2},
    ]
    found = fork_all(tmp_path, [{"ranks": 1, "steps": 2, "shards": str(faces)} | run for run in runs])
    for name in ("gfpgan2", "stylegan2"):
        assert found[name][0]["weights"] == found[name][1]["weights"]
        assert len(curve(tmp_path / name)) == 2
    assert steps_of(found["gfpgan2"]) == steps_of(found["gfpgan1"])
    assert "path" in curve(tmp_path / "stylegan2")[1]
    assert "d_r1" in curve(tmp_path / "gfpgan2")[1]
    one, two = (curve(tmp_path / f"gfpgan{ranks}")[0] for ranks in (1, 2))  # noise has no strength yet
    shared = set(one) - {"gan", "d_real", "d_fake"}
    assert {term: two[term] for term in shared} == pytest.approx({term: one[term] for term in shared}, rel=1e-4)


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(TORCHRUN, (), id="torchrun"),
        pytest.param((), ("--ray", "2"), id="ray", marks=[pytest.mark.ray, pytest.mark.slow]),
    ],
)
def test_the_command_line_starts_ranks(
    before: tuple[str, ...], after: tuple[str, ...], shards: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    command = [sys.executable, *before, "-m", "degradekit_models", "train", "tiny.yaml", "--data", str(shards)]
    command += ["--accelerator", "cpu", "-o", "two", *after]
    done = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, timeout=290, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    if not after:
        assert done.stdout.split() == ["two/generator.pth"], "the first rank alone speaks"
        assert done.stderr.count("step 6 of 6") == 1
    go(TINY, shards, tmp_path / "one")
    agree(tmp_path / "one", tmp_path / "two")
