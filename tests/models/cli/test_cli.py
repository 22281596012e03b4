"""The command line: what it writes and prints, and its exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import degradekit_models
from degradekit_models.archs.basicvsr import BasicVSR
from degradekit_models.archs.edvr import EDVR
from degradekit_models.archs.gfpgan import GFPGANv1Clean
from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.checkpoints import load_checkpoint
from degradekit_models.cli import VERBS, main
from degradekit_models.restore.faces import TEMPLATE
from degradekit_models.restore.pictures import Picture, read_picture, write_picture

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("DEGRADEKIT_MODELS", str(tmp_path / "kept"))

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def save(path: Path, net: torch.nn.Module) -> Path:
    torch.save({"params_ema": net.state_dict()}, path)
    return path


def srvgg(seed: int) -> SRVGGNetCompact:
    torch.manual_seed(seed)
    return SRVGGNetCompact(num_feat=4, num_conv=1, upscale=2)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tmp_path / "net.pth", srvgg(0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures and a broken one."""
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name, shape in {"a.png": (20, 24, 3), "b.jpg": (18, 16, 3), "c.png": (12, 12, 4)}.items():
        cv2.imwrite(str(tmp_path / "in" / name), rng.integers(0, 256, shape, np.uint8))
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "in" / "notes.txt").write_text("not to be touched")
    return tmp_path / "in"


def test_help_loads_no_torch() -> None:
    code = (
        "import sys, degradekit_models.cli as c; c.make_parser(); print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    models = str(Path(degradekit_models.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={"PYTHONPATH": models})
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(cli: Run, verb: str) -> None:
    code, out, _ = cli(verb, "--help")
    assert code == 0 and (VERBS[verb].__doc__ or "").split(":")[0].split("\n")[0][:30] in " ".join(out.split())


def test_without_a_verb_the_help_is_printed(cli: Run) -> None:
    code, out, _ = cli()
    assert code == 2 and all(verb in out for verb in VERBS)


def test_a_folder_is_restored_and_what_fails_is_listed_at_the_end(
    cli: Run, model: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, printed, err = cli("restore", folder, "-o", out, "--model", model, "--device", "cpu")
    assert code == 1
    assert "failed: " in err and "broken.png: is no picture" in err
    assert "3 of 4 files" in printed
    assert sorted(p.name for p in out.iterdir()) == ["a.png", "b.jpg", "c.png"]
    assert read_picture(out / "a.png").rgb.shape == (40, 48, 3)
    assert read_picture(out / "c.png").alpha is not None
    net = load_checkpoint(model)
    with torch.no_grad():
        x = torch.from_numpy(read_picture(folder / "a.png").rgb).movedim(-1, 0)[None]
        expected = net(x)[0].clamp(0, 1).movedim(0, -1).numpy()
    assert np.abs(read_picture(out / "a.png").rgb - expected).max() < 0.6 / 255


def test_files_that_are_there_are_left_out(cli: Run, model: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (folder / "broken.png").unlink()
    assert cli("restore", folder, "-o", out, "--model", model)[0] == 0
    marked = {p: p.write_bytes(b"mine") for p in out.iterdir() if p.name != "b.jpg"}
    (out / "b.jpg").unlink()
    assert cli("restore", folder, "-o", out, "--model", model, "--skip-existing")[0] == 0
    assert all(p.read_bytes() == b"mine" for p in marked)
    assert read_picture(out / "b.jpg").rgb.shape == (36, 32, 3)


def test_one_file_tiles_scale_and_format(cli: Run, model: Path, folder: Path, tmp_path: Path) -> None:
    whole, tiled = tmp_path / "whole.png", tmp_path / "tiled.png"
    assert cli("restore", folder / "a.png", "-o", whole, "--model", model)[0] == 0
    options = ("--tile", 8, "--tile-overlap", 8, "--batch", 2, "--channels-last")
    assert cli("restore", folder / "a.png", "-o", tiled, "--model", model, *options)[0] == 0
    assert np.abs(read_picture(whole).rgb - read_picture(tiled).rgb).max() <= 1.01 / 255
    assert (
        cli(
            "restore",
            folder / "a.png",
            "-o",
            tmp_path / "o",
            "--model",
            model,
            "--outscale",
            1.5,
            "--format",
            "webp",
            "--suffix",
            "_x",
        )[0]
        == 0
    )
    assert read_picture(tmp_path / "o" / "a_x.webp").rgb.shape == (30, 36, 3)


def test_denoising_is_a_mixture(cli: Run, folder: Path, tmp_path: Path) -> None:
    strong, weak = save(tmp_path / "strong.pth", srvgg(0)), save(tmp_path / "weak.pth", srvgg(1))
    mixed = tmp_path / "mixed.pth"
    assert cli("interpolate", weak, strong, "--alpha", 0.3, "-o", mixed)[0] == 0
    assert cli("restore", folder / "a.png", "-o", tmp_path / "a.png", "--model", mixed)[0] == 0
    arguments = ("--model", strong, "--denoise", 0.3, "--weak", weak)
    assert cli("restore", folder / "a.png", "-o", tmp_path / "b.png", *arguments)[0] == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing", "-o", "out", "--model", "{model}"), "missing: there is no such file or folder"),
        (("{folder}", "-o", "{folder}", "--model", "{model}"), "written over itself"),
        (("{folder}", "-o", "out", "--model", "RealESRGAN_x4plus"), "degradekit-models download RealESRGAN_x4plus"),
        (("{folder}", "-o", "out", "--model", "rrdbnet_x4_23b"), "is a network, not a weight file"),
        (("{folder}", "-o", "out", "--model", "{model}", "--arch", "nonsense"), "no network is called 'nonsense'"),
        (("{folder}", "-o", "out", "--model", "{model}", "--outscale", "0"), "no positive number"),
        (("{folder}", "-o", "out", "--model", "{model}", "--face-enhance"), "either --face-detector or --landmarks"),
        (("{folder}/notes.txt", "-o", "out", "--model", "{model}"), r".txt is none of"),
        (("{folder}/notes.txt", "-o", "out", "--model", "{folder}/notes.txt"), "notes.txt: "),
    ],
)
def test_usage_errors_are_sentences(
    cli: Run, model: Path, folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, _, err = cli("restore", *(a.format(model=model, folder=folder) for a in arguments))
    assert code == 2 and words in err and "Traceback" not in err


def test_two_files_for_one_place_are_refused(cli: Run, model: Path, folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(folder / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    code, _, err = cli("restore", folder, "-o", tmp_path / "out", "--model", model, "--format", "png")
    assert code == 2 and "would both be written to" in err


def test_video_networks_take_a_folder_of_frames(cli: Run, folder: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        cv2.imwrite(str(frames / f"{i:03d}.png"), rng.integers(0, 256, (16, 20, 3), np.uint8))
    torch.manual_seed(0)
    edvr = EDVR(num_feat=8, num_frame=3, deformable_groups=2, num_extract_block=1, num_reconstruct_block=1)
    for name, net in {"edvr": edvr, "basicvsr": BasicVSR(4, 1)}.items():
        path = save(tmp_path / f"{name}.pth", net)
        out = tmp_path / name
        assert cli("restore", frames, "-o", out, "--model", path, "--window", 2, "--window-overlap", 1)[0] == 0
        assert [p.name for p in sorted(out.iterdir())] == ["000.png", "001.png", "002.png", "003.png"]
        assert read_picture(out / "003.png").rgb.shape == (64, 80, 3)
    code, _, err = cli("restore", folder / "a.png", "-o", tmp_path / "x.png", "--model", tmp_path / "edvr.pth")
    assert code == 1 and "give a video or a folder of frames" in err


def test_videos_are_restored(cli: Run, model: Path, tmp_path: Path) -> None:
    import av

    source = tmp_path / "in.mp4"
    with av.open(str(source), "w") as writing:
        stream = writing.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((24, 32, 3), 60 * i, np.uint8), format="rgb24")
            writing.mux(stream.encode(frame))
        writing.mux(stream.encode(None))
    assert cli("restore", source, "-o", tmp_path / "out", "--model", model, "--crf", 10)[0] == 0
    with av.open(str(tmp_path / "out" / "in.mp4")) as reading:
        assert [(f.width, f.height) for f in reading.decode(video=0)] == [(64, 48)] * 3


def test_faces_are_restored_where_the_landmarks_are(cli: Run, model: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    face = GFPGANv1Clean(512, 16, num_mlp=1, narrow=0.0625, input_is_latent=True, different_w=True, sft_half=True)
    face_model = save(tmp_path / "face.pth", face)
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "p.png", Picture(np.full((120, 160, 3), 0.5, np.float32)))
    write_picture(tmp_path / "in" / "q.png", Picture(np.full((40, 40, 3), 0.5, np.float32)))
    landmarks = tmp_path / "faces.json"
    landmarks.write_text(json.dumps({"p.png": [(TEMPLATE * 0.15 + (70, 20)).tolist()]}))
    arguments = ("--model", model, "--face-enhance", "--face-model", face_model, "--landmarks", landmarks)
    code, _, err = cli("restore", tmp_path / "in", "-o", tmp_path / "out", *arguments)
    assert code == 1 and "has no faces of q.png" in err
    plain = tmp_path / "plain.png"
    assert cli("restore", tmp_path / "in" / "p.png", "-o", plain, "--model", model)[0] == 0
    changed = np.abs(read_picture(tmp_path / "out" / "p.png").rgb - read_picture(plain).rgb).max(-1) > 0.5 / 255
    rows, columns = np.nonzero(changed)
    assert len(rows) > 1000
    assert columns.min() >= 2 * 70 and columns.max() <= 2 * (70 + 77) and rows.min() >= 2 * 20


def test_the_zoo_is_listed(cli: Run) -> None:
    code, out, _ = cli("list")
    assert code == 0
    assert all(name in out for name in degradekit_models.names())
    assert "RealESRGAN_x4plus" in out and "4fa0d38905f75ac0" in out and "digest unknown" in out
    code, out, _ = cli("list", "realesr-animevideov3", "--size", "32x48", "--json")
    row = json.loads(out)[0]
    assert (row["name"], row["parameters"], row["size"]) == ("srvgg_animevideov3", 621424, [32, 48])
    assert row["macs"] == 9 * 32 * 48 * (3 * 64 + 16 * 64 * 64 + 64 * 48)


def test_pictures_are_measured(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for name in ("gt", "sr"):
        (tmp_path / name).mkdir()
    for i in range(2):
        gt = rng.integers(0, 246, (30, 32, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "gt" / f"{i}.png"), gt)
        cv2.imwrite(str(tmp_path / "sr" / f"{i}.png"), gt + np.uint8(10 * i))
    code, out, _ = cli("eval", tmp_path / "sr", "--reference", tmp_path / "gt", "--crop", 2, "--json")
    pictures = json.loads(out)["pictures"]
    assert code == 0 and pictures["0.png"] == {"psnr": float("inf"), "ssim": 1.0}
    assert pictures["1.png"]["psnr"] == pytest.approx(28.1308, abs=1e-3)
    code, out, _ = cli("eval", tmp_path / "sr" / "1.png", "--reference", tmp_path / "gt" / "1.png", "--luma")
    assert code == 0 and "psnr 29.4" in out and "mean" in out
    monkeypatch.setitem(sys.modules, "lpips", None)
    code, _, err = cli("eval", tmp_path / "sr", "--reference", tmp_path / "gt", "--lpips")
    assert code == 2 and "pip install lpips" in err
    (tmp_path / "gt" / "1.png").unlink()
    code, _, err = cli("eval", tmp_path / "sr", "--reference", tmp_path / "gt")
    assert code == 2 and "has no partner named 1" in err
    code, _, err = cli("eval", tmp_path / "sr")
    assert code == 2 and "nothing to measure" in err


def test_niqe_models_are_fitted_and_used(cli: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "good").mkdir()
    for i in range(2):
        noise = cv2.GaussianBlur(rng.normal(128, 120, (580, 580)), (0, 0), 1).clip(0, 255)
        cv2.imwrite(str(tmp_path / "good" / f"{i}.png"), noise.astype(np.uint8))
    code, out, _ = cli("eval", tmp_path / "good", "--fit-niqe", tmp_path / "niqe.npz")
    assert code == 0 and "niqe.npz" in out
    code, out, _ = cli("eval", tmp_path / "good", "--niqe", tmp_path / "niqe.npz")
    assert code == 0 and "niqe" in out


def test_networks_are_exported(cli: Run, model: Path, tmp_path: Path) -> None:
    code, out, _ = cli("export", "--model", model, "-o", tmp_path / "net.ts", "--size", "24x16")
    assert code == 0 and "largest relative difference" in out and (tmp_path / "net.ts").is_file()


def test_downloads_say_what_is_missing(cli: Run) -> None:
    code, _, err = cli("download", "GFPGANv1")
    assert code == 2 and "--no-verify" in err
    code, _, err = cli("download", "nonsense")
    assert code == 2 and "neither a file nor a published one" in err
