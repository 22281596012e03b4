"""Do neighbouring frames help? A small EDVR on moving clips beside the very same network that sees one frame only.

    python benchmarks/learn_video.py --photos FOLDER --save      # about ten minutes of one core; --quick: one minute

Clips are pans over photographs: position, rotation and zoom drift from frame to frame, and in half of the clips a piece
of another photograph moves on its own. degradekit makes the pairs: four times smaller, with noise drawn anew in every
frame. Photographs are split before a clip is cut from them, so the test clips show nothing of the training clips. Both
arms are one network with the same weights at the start, the same clips in the same order and as many steps; the
single-frame arm is given the middle frame five times instead of five frames, so that it computes as much.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from degradekit.cli import main as degradekit
from degradekit.source import list_images, read_image
from degradekit.splits import split_of
from degradekit_models import build
from degradekit_models.archs import ARCHS, Arch
from degradekit_models.archs.edvr import EDVR
from degradekit_models.checkpoints import load_weights
from degradekit_models.data import validation_pairs
from degradekit_models.metrics import psnr, ssim

sys.path.insert(0, str(Path(__file__).parent))
from engine import machine
from learning import RATIOS, one_thread, run
from table import grid

HERE = Path(__file__).parent
FRAMES, SIDE, BORDER = 5, 96, 4
CLIPS = {"train": 8, "held_out": 4}
"""Clips of each photograph."""
RECIPE = f"""\
name: moving
scale: 4
extract: {{mode: whole, clip: {{length: {FRAMES}}}}}
degrade:
  down: {{op: resize, relative_to: target, factor_range: 1, mode: matlab_bicubic}}
  noise: {{op: gaussian_noise, sigma_range: {{uniform: [10/255, 40/255]}}}}
"""
NETWORK = {
    "num_feat": 16,
    "num_frame": FRAMES,
    "deformable_groups": 4,
    "num_extract_block": 2,
    "num_reconstruct_block": 2,
    "with_tsa": False,
}
CONFIG = """\
name: {arch}
generator: {{arch: {arch}}}
data: {{crop: 64, batch_size: 4, clip: {frames}}}
iterations: {steps}
optimizer: {{lr: 2.0e-3}}
schedule: {{periods: [{steps}]}}
pixel: {{kind: charbonnier, weight: 1.0}}
ema: 0.99
save_every: {steps}
seed: {seed}
"""


class OneFrame(EDVR):
    """An EDVR that sees its middle frame only, as often as the other one sees frames."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, self.center_frame_idx, None].expand_as(x).contiguous())


def pan(photo: Any, other: Any, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A clip ``[T,H,W,3]`` and its speed in GT px a frame; drawn at twice the size and averaged down."""
    big = 2 * SIDE
    speed = 6 * rng.random()
    angle, turn, zoom = rng.random() * 2 * np.pi, np.radians(rng.uniform(-1, 1)), rng.uniform(0.99, 1.01)
    step = 2 * speed * np.array([np.cos(angle), np.sin(angle)])
    reach = 2 * 6 * FRAMES + big
    h, w = photo.shape[:2]
    start = np.array([rng.uniform(reach / 2, w - reach / 2), rng.uniform(reach / 2, h - reach / 2)])
    with_object = rng.random() < 0.5
    place, drift = rng.uniform(0.25, 0.75, 2) * big, rng.uniform(-8, 8, 2)
    corner = [int(rng.integers(0, side - big)) for side in other.shape[:2]]
    piece = other[corner[0] : corner[0] + big, corner[1] : corner[1] + big]
    frames = []
    for t in range(FRAMES):
        a, s = turn * t, zoom**t
        turned = s * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        centre = start + step * t
        move = np.hstack([turned, (centre - turned @ np.array([big / 2, big / 2]))[:, None]])
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        frame = cv2.warpAffine(photo, move, (big, big), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        if with_object:
            x, y = (place + drift * t).tolist()
            mask = np.zeros((big, big), np.float32)
            cv2.circle(mask, (round(x * 16), round(y * 16)), 16 * 36, 1.0, -1, cv2.LINE_AA, 4)
            shift = np.float32([[1, 0, drift[0] * t], [0, 1, drift[1] * t]])
            moved = cv2.warpAffine(piece, shift, (big, big), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
            frame = (mask[..., None] * moved + (1 - mask[..., None]) * frame).round().astype(np.uint8)
        frames.append(cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(frames), speed


def make_clips(photos: str, work: Path) -> dict[str, Any]:
    """Folders of frames in ``work/train`` and ``work/held_out``; a photograph is in one of them."""
    facts: dict[str, Any] = {"photographs": dict.fromkeys(RATIOS, 0), "speed": {}}
    halves: dict[str, list[tuple[str, Any]]] = {name: [] for name in RATIOS}
    for image in list_images(photos).images:
        pixels = read_image(image.uri)
        if min(pixels.shape[:2]) >= 4 * SIDE:
            halves[split_of(image.key, RATIOS)].append((image.key, pixels))
    for half, pictures in halves.items():
        facts["photographs"][half] = len(pictures)
        rng = np.random.default_rng(len(half))
        for key, pixels in pictures:
            for i in range(CLIPS[half]):
                clip, speed = pan(pixels, pictures[int(rng.integers(len(pictures)))][1], rng)
                name = f"{Path(key).stem}_{i}"
                folder = work / half / name
                folder.mkdir(parents=True)
                facts["speed"][name] = speed
                for t, frame in enumerate(clip):
                    cv2.imwrite(str(folder / f"{t:08d}.png"), frame[..., ::-1])
    return facts


def fit(arch: str, seed: int, steps: int, work: Path) -> tuple[EDVR, float]:
    """A trained arm, and the CPU seconds that it took."""
    config = CONFIG.format(arch=arch, frames=FRAMES, steps=steps, seed=seed)
    done = run(config, work / f"{arch}-{seed}", work / "shards" / "train")
    net = build(arch).eval()
    load_weights(net, done.weights)
    assert isinstance(net, EDVR)
    return net, done.cpu_seconds


@torch.no_grad()
def scores(net: EDVR | None, held_out: Path) -> dict[str, list[float]]:
    """PSNR and SSIM of every held-out clip's middle frame; None enlarges it by cubic interpolation."""
    found: dict[str, list[float]] = {}
    for pair in validation_pairs(str(held_out), sys.maxsize):
        gt = pair.gt[FRAMES // 2]
        if net is None:
            out = cv2.resize(pair.lq[FRAMES // 2], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        else:
            x = torch.from_numpy(np.ascontiguousarray(pair.lq)).permute(0, 3, 1, 2)[None] / 255
            out = (net(x)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        found[pair.key.partition("@")[0]] = [psnr(out, gt, crop=BORDER), ssim(out, gt, crop=BORDER)]
    return found


def summary(rows: list[dict[str, Any]], cubic: dict[str, list[float]], speed: dict[str, float]) -> dict[str, Any]:
    """Means over the clips, and the gain of the window over the frame: seed by seed, and by speed."""
    clips = sorted(cubic)

    def mean(found: dict[str, list[float]], measure: int, names: list[str] = clips) -> float:
        return fmean(found[name][measure] for name in names)

    slow = sorted(clips, key=lambda name: speed[name])
    thirds = {"slow": slow[: len(slow) // 3], "fast": slow[-(len(slow) // 3) :]}
    gains = [[mean(row["window"], m) - mean(row["frame"], m) for row in rows] for m in (0, 1)]
    spread = stdev(gains[0]) if len(rows) > 1 else None
    by_speed = {
        third: {
            "px_a_frame": fmean(speed[name] for name in names),
            "gain_db": fmean(mean(row["window"], 0, names) - mean(row["frame"], 0, names) for row in rows),
        }
        for third, names in thirds.items()
    }
    better = fmean(fmean(row["window"][name][0] > row["frame"][name][0] for name in clips) for row in rows)
    table = {"cubic": [mean(cubic, 0), mean(cubic, 1)]}
    table |= {arm: [fmean(mean(row[arm], m) for row in rows) for m in (0, 1)] for arm in ("frame", "window")}
    return {
        "mean": table, "gain_db": gains[0], "gain_ssim": gains[1], "gain_db_deviation": spread,
        "share_of_clips_better": better, "by_speed": by_speed, "clips": len(clips),
    }  # fmt: skip


def markdown(result: dict[str, Any]) -> str:
    found, settings = result["summary"], result["settings"]
    names = {"cubic": "cubic interpolation", "frame": "EDVR, one frame", "window": "EDVR, five frames"}
    lines = [[names[arm], f"{p:.2f}", f"{s:.4f}"] for arm, (p, s) in found["mean"].items()]
    seeds = ", ".join(f"{gain:+.2f}" for gain in found["gain_db"])
    speeds = "; ".join(
        f"{third} third ({row['px_a_frame']:.1f} GT px a frame) {row['gain_db']:+.2f} dB"
        for third, row in found["by_speed"].items()
    )
    return "\n".join([
        "# What neighbouring frames bring\n",
        "Written by `benchmarks/learn_video.py`; how to read it is in [the README](../README.md).\n",
        f"{result['parameters']:,} parameters, {settings['steps']} steps of 4 clips of 64 px (LQ 16 px), "
        f"{result['cpu_seconds']:.0f} CPU seconds an arm, {len(found['gain_db'])} seeds; {found['clips']} held-out "
        f"clips of {result['photographs']['held_out']} photographs, {result['photographs']['train']} to train on.\n",
        grid(["", "PSNR, dB", "SSIM"], lines),
        f"Five frames over one, seed by seed: {seeds} dB. Better on {found['share_of_clips_better']:.0%} of the clips. "
        f"By speed: {speeds}.\n",
    ])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", required=True, help="folder of photographs, at least 384 px on each side")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one seed of a few steps: does it run?")
    parser.add_argument("--save", action="store_true", help="write results/learn_video.json and .md")
    parser.add_argument("--keep", help="folder for clips, shards and runs (default: a temporary one)")
    args = parser.parse_args()
    steps, seeds = (20, [0]) if args.quick else (args.steps, list(range(args.seeds)))
    one_thread()
    ARCHS["edvr_window"], ARCHS["edvr_frame"] = Arch(EDVR, NETWORK), Arch(OneFrame, NETWORK)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(args.keep or folder)
        facts = make_clips(args.photos, work)
        (work / "moving.yaml").write_text(RECIPE)
        for half in RATIOS:
            words = ["--source", str(work / half), "--out", str(work / "shards" / half), "--executor", "inline"]
            if code := degradekit(["build", str(work / "moving.yaml"), *words]):
                raise SystemExit(f"building {half} failed with {code}")
        held_out = work / "shards" / "held_out"
        cubic = scores(None, held_out)
        rows, seconds = [], []
        for seed in seeds:
            row: dict[str, Any] = {"seed": seed}
            for arm in ("frame", "window"):
                net, spent = fit(f"edvr_{arm}", seed, steps, work)
                row[arm] = scores(net, held_out)
                seconds.append(spent)
                print(f"seed {seed}, {arm}: {fmean(p for p, _ in row[arm].values()):.3f} dB", flush=True)
            rows.append(row)
            found = {
                "question": "What do neighbouring frames bring to a small network on moving clips",
                "machine": machine(),
                "settings": {"steps": steps, "network": NETWORK, "recipe": RECIPE},
                "parameters": sum(p.numel() for p in build("edvr_window").parameters()),
                "cpu_seconds": fmean(seconds),
                "photographs": facts["photographs"],
                "summary": summary(rows, cubic, facts["speed"]),
                "runs": rows,
            }
            if args.save:  # after every seed, so that a run that is stopped has told something
                (HERE / "results" / "learn_video.json").write_text(json.dumps(found, indent=1) + "\n")
                (HERE / "results" / "learn_video.md").write_text(markdown(found))
    print(markdown(found))


if __name__ == "__main__":
    main()
