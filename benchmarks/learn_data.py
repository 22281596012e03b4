"""Does it matter what a network is trained on? One small network, four kinds of pairs, the same held-out pictures.

    python benchmarks/learn_data.py --photos FOLDER --save      # about twenty minutes of one core; --quick: one minute

Arms: (a) bicubic pairs, (b) the classical one-stage model, (c) Real-ESRGAN shards, (d) Real-ESRGAN's recipe on the way
with draws shared by a batch and a pool of 180 pairs, as its published trainer does. Photographs are split before
anything is cut from them. All arms see the same GTs, network, initialisation, steps, batches, crops, learning rates and
seeds, and run in turn, so that a slow phase of the machine falls on all of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from degradekit.recipe import load_recipe

sys.path.insert(0, str(Path(__file__).parent))
from batch_draws import PooledData
from engine import machine
from learning import BICUBIC, Trained, bicubic, build, means, network, one_thread, run, scores, split_photos
from plot import dots
from table import grid

CONFIG = """\
name: learn_data
generator: {{arch: srvgg_general_x4v3, arguments: {{num_feat: 32, num_conv: 8}}}}
data: {{crop: {crop}, batch_size: {batch}, flip: true, rotate: true}}
iterations: {steps}
optimizer: {{lr: 1.0e-3}}
schedule: {{periods: [{steps}]}}
pixel: {{kind: l1, weight: 1.0}}
ema: 0.99
save_every: {steps}
seed: {seed}
"""
BATCH, CROP, POOL = 9, 128, 180
ARMS = {
    "bicubic": "(a) bicubic pairs",
    "classical": "(b) classical, one stage",
    "real_esrgan": "(c) Real-ESRGAN shards",
    "batch_draws": "(d) Real-ESRGAN on the way, per-batch draws, pool of 180",
}
SETS = ("real_esrgan", "classical", "bicubic")
"""What the networks are tested on."""


def prepare(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Datasets of both halves of the photographs."""
    counts = split_photos(args.photos, work)
    (work / "bicubic.yaml").write_text(BICUBIC)
    recipes = {name: str(work / "bicubic.yaml") if name == "bicubic" else name for name in SETS}
    seconds = {}
    for name, recipe in recipes.items():
        variants = 1 if name == "bicubic" else args.variants
        build(recipe, work / "held_out", work / f"test_{name}", per_image=args.test_per_image, seed=1)  # compiles, too
        shards = work / f"shards_{name}"
        seconds[name] = build(recipe, work / "train", shards, per_image=args.per_image, variants=variants)
    return {"photos": counts, "build_seconds": seconds}


def train_arm(arm: str, seed: int, args: argparse.Namespace, work: Path) -> Trained:
    config = CONFIG.format(crop=CROP, batch=BATCH, steps=args.steps, seed=seed)
    pooled, shards = arm == "batch_draws", work / f"shards_{'real_esrgan' if arm == 'batch_draws' else arm}"
    recipe = load_recipe("real_esrgan", seed=1000 + seed)
    data = PooledData(shards, recipe, batch=BATCH, crop=CROP, pool=POOL, seed=seed) if pooled else None
    return run(config, work / "runs" / f"{arm}_{seed}", shards, data=data)


def measure(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    facts = prepare(args, work)
    tests = {name: work / f"test_{name}" for name in SETS}
    baseline = {name: means(scores(bicubic, folder)) for name, folder in tests.items()}
    rows = []
    for seed in range(args.seeds):
        for arm in ARMS if seed % 2 == 0 else reversed(ARMS):
            done = train_arm(arm, seed, args, work)
            found = {name: means(scores(network(done.weights), folder)) for name, folder in tests.items()}
            rows.append(
                {
                    "arm": arm,
                    "seed": seed,
                    "scores": found,
                    "seconds": done.seconds,
                    "cpu_seconds": done.cpu_seconds,
                    "waited_share": done.waited / done.seconds,
                    "loss_first_tenth": done.mean("pixel", 0, 0.1),
                    "loss_last_tenth": done.mean("pixel", 0.9, 1),
                }
            )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    settings = {name: getattr(args, name) for name in ("steps", "seeds", "per_image", "variants", "test_per_image")} | {
        "batch": BATCH,
        "crop": CROP,
        "pool": POOL,
    }
    return {"machine": machine(), "settings": settings, **facts, "bicubic": baseline, "rows": rows}


def spread(values: list[float], digits: int, scale: float = 1) -> str:
    low, middle, high = (scale * value for value in (min(values), fmean(values), max(values)))
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def markdown(result: dict[str, Any]) -> str:
    settings, photos = result["settings"], result["photos"]
    pairs = result["bicubic"]["real_esrgan"]["pairs"]
    head = ["mean [min, max] of the seeds"]
    head += [f"{measure.upper()} on {name}" for name in SETS for measure in ("psnr", "ssim")]
    head += ["wall s", "CPU s", "waiting for pairs"]
    base = result["bicubic"]
    body = [
        ["no network: bicubic enlargement"]
        + [f"{base[name][m]:.{digits}f}" for name in SETS for m, digits in (("psnr", 2), ("ssim", 4))]
        + [""] * 3
    ]
    for arm, title in ARMS.items():
        rows = [row for row in result["rows"] if row["arm"] == arm]
        body.append(
            [title]
            + [
                spread([row["scores"][name][m] for row in rows], digits)
                for name in SETS
                for m, digits in (("psnr", 2), ("ssim", 4))
            ]
            + [spread([row["seconds"] for row in rows], 0), spread([row["cpu_seconds"] for row in rows], 0)]
            + [spread([row["waited_share"] for row in rows], 0, 100) + " %"]
        )
    built = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result["build_seconds"].items())
    return "\n".join(
        [
            "# What a network is trained on\n",
            "Written by `benchmarks/learn_data.py`; how to read it is in [the README](../README.md).\n",
            f"Machine: {result['machine']['cpu']}, one core, shared with others. {photos['train']} photographs to "
            f"train on, {photos['held_out']} others to test on, {pairs} pairs of 400 px of each kind. "
            f"{settings['seeds']} seeds, {settings['steps']} steps of {settings['batch']} crops of "
            f"{settings['crop']} px. Held-out scores in RGB, 4 px cut off.\n",
            grid(head, body),
            f"Building the shards once took: {built} (wall).\n",
            "![PSNR on the held-out sets](learn_data.svg)\n",
        ]
    )


def figure(result: dict[str, Any]) -> str:
    """PSNR gained over bicubic enlargement, a dot for each seed."""
    panels = {}
    for name in SETS:
        base = result["bicubic"][name]["psnr"]
        panels[f"tested on {name}"] = {
            title.partition(",")[0]: [row["scores"][name]["psnr"] - base for row in result["rows"] if row["arm"] == arm]
            for arm, title in ARMS.items()
        }
    return dots(panels, title="PSNR gained over bicubic enlargement, dB; a dot for each seed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="sample", help="folder; without it scikit-image's pictures")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--per-image", type=int, default=8, help="GTs of a photograph")
    parser.add_argument("--variants", type=int, default=8, help="LQs of a GT in the shards of (b) and (c)")
    parser.add_argument("--test-per-image", type=int, default=2, help="pairs of a held-out photograph")
    parser.add_argument("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    parser.add_argument("--save", action="store_true", help="write results/learn_data.{json,md,svg}")
    parser.add_argument("--work", type=Path, help="an empty folder for datasets and runs; kept")
    args = parser.parse_args()
    if args.quick:
        args.steps, args.seeds, args.per_image, args.variants, args.test_per_image = 25, 1, 1, 2, 1
    one_thread()
    work = args.work or Path(tempfile.mkdtemp())
    try:
        result = measure(args, work)
    finally:
        if args.work is None:
            shutil.rmtree(work)
    table = markdown(result)
    if args.save:
        out = Path(__file__).parent / "results" / "learn_data"
        out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        out.with_suffix(".md").write_text(table)
        out.with_suffix(".svg").write_text(figure(result))
    print(table)


if __name__ == "__main__":
    main()
