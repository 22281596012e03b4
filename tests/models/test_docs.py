"""The guide's examples run as they stand."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.cli import main

GUIDE = Path(__file__).parents[2] / "docs" / "models.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_python_examples_run(capsys):
    for block in blocks("python"):
        exec(compile(block, str(GUIDE), "exec"), {})
    assert "RRDBNet of" in capsys.readouterr().out


def test_commands_run(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    av = pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEGRADEKIT_MODELS", str(tmp_path / "kept"))
    rng = np.random.default_rng(0)
    for folder, side in (("photos", 150), ("photos_large", 600)):
        Path(folder).mkdir()
        for i in range(2):
            noise = cv2.GaussianBlur(rng.normal(128, 120, (side, side, 3)), (0, 0), 1).clip(0, 255)
            cv2.imwrite(f"{folder}/{i}.png", noise.astype(np.uint8))
    cv2.imwrite("photo.png", noise[:40, :40].astype(np.uint8))
    with av.open("clip.mp4", "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    for seed, name in enumerate(("net.pth", "weak.pth")):
        torch.manual_seed(seed)
        torch.save({"params": SRVGGNetCompact(num_feat=4, num_conv=1).state_dict()}, name)
    (block,) = blocks("sh")
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert len(commands) == 9
    for program, *arguments in commands:
        assert program == "degradekit-models"
        if arguments != ["list"]:  # which test_cli.py runs
            assert main(arguments) == 0, arguments
    assert {p.name for p in Path("restored").iterdir()} == {"0.png", "1.png", "clip.mp4"}
