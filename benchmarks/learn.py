"""Does it learn? Small networks, trained for minutes by the package's own trainer, against bicubic enlargement.

    python benchmarks/learn.py --photos FOLDER --save           # some seven minutes of one core; --quick: one minute
    python benchmarks/learn.py --photos FOLDER --save --network rrdb

Photographs are split before anything is cut from them; what is measured are held-out photographs. Runs:

* ``net``: a small SRVGGNetCompact (Real-ESRGAN's compact network), or RRDBNet, on Real-ESRGAN shards, by L1 against the
  plain GT;
* ``gan``: Real-ESRGAN's second stage from there, with a small U-Net discriminator with spectral normalisation;
* ``more``: as many steps more without the adversarial term: what the GAN does is told from longer training by it;
* ``srresnet`` and ``esrgan``: the losses of SRResNet, and of ESRGAN on a small RRDBNet from its initialisation, on
  bicubic pairs; these losses have to fall;
* the beginning of ``srresnet`` once more, stopped and resumed: its losses have to be the same numbers.

There are no trained VGG19 weights in reach, so the GAN runs have no perceptual term.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import fmean, median
from typing import Any

from degradekit_models.data import validation_pairs

sys.path.insert(0, str(Path(__file__).parent))
from engine import machine
from learning import BICUBIC, Trained, bicubic, build, means, network, one_thread, run, scores, sheet, split_photos
from plot import lines
from table import grid

COMPACT = "arch: srvgg_general_x4v3, arguments: {num_feat: 32, num_conv: 8}"
RESNET = "arch: msrresnet_x4, arguments: {num_feat: 16, num_block: 2}"
RRDB = "arch: rrdbnet_x4_23b, arguments: {num_feat: 16, num_block: 2, num_grow_ch: 8}"
L1 = "pixel: {kind: l1, weight: 1.0}\n"
FAST = "optimizer: {lr: 1.0e-3}\nschedule: {periods: [STEPS]}\nema: 0.99\n"
SLOW = "optimizer: {lr: 1.0e-4}\nema: 0.99\n"
NETWORKS = {
    "compact": (COMPACT, "SRVGGNetCompact", {"steps": 2400, "crop": 128}),
    "rrdb": (RRDB, "RRDBNet", {"steps": 4000, "crop": 64}),
}
"""What ``net`` is, and how long it is trained on crops of which side; a step of the second takes the same time."""
CONFIGS = {
    "net": f"generator: {{SMALL}}\n{L1}{FAST}",
    "more": f"generator: {{SMALL, weights: NET}}\n{L1}{SLOW}",
    "gan": (
        f"generator: {{SMALL, weights: NET}}\n{L1}{SLOW}"
        "discriminator: {arch: unet_discriminator_sn, arguments: {num_feat: 8}}\n"
        "adversarial: {kind: vanilla, weight: 0.1}\n"
    ),
    "srresnet": f"generator: {{{RESNET}}}\n{L1}{FAST}",
    "esrgan": (
        f"generator: {{{RRDB}}}\n{L1}{FAST}"
        "discriminator: {arch: vgg_discriminator_128, arguments: {num_feat: 8}}\n"
        "adversarial: {kind: vanilla, weight: 5.0e-3, relativistic: true}\n"
    ),
}
STEPS = {"more": 300, "gan": 300, "srresnet": 300, "esrgan": 100}
CROPS = {"more": 96, "gan": 96, "srresnet": 64, "esrgan": 128}
BATCH = 8
ON_BICUBIC = ("srresnet", "esrgan")
TITLES = {
    "bicubic": "bicubic enlargement",
    "net": "`net`: small {network}, L1",
    "more": "`more`: 300 steps more of the same",
    "gan": "`gan`: 300 steps with the discriminator instead",
}
MEASURES = {"psnr": 2, "ssim": 4, "gmsd": 4, "gradient_db": 1, "high_frequency_db": 1}


def train(name: str, args: argparse.Namespace, work: Path, out: str = "", **options: Any) -> Trained:
    """One of the runs."""
    small, _, length = NETWORKS[args.network]
    steps = max((STEPS | {"net": length["steps"]})[name] // args.divide, 10)
    crop = (CROPS | {"net": length["crop"]})[name]
    text = CONFIGS[name].replace("NET", str(work / "runs/net/generator.pth"))
    text = text.replace("STEPS", str(steps)).replace("SMALL", small)
    data = f"data: {{crop: {crop}, batch_size: {BATCH}, flip: true, rotate: true}}"
    config = f"name: {name}\niterations: {steps}\n{data}\nsave_every: {steps}\n{text}"
    shards = work / ("shards_bicubic" if name in ON_BICUBIC else "shards_real_esrgan")
    return run(config, work / "runs" / (out or name), shards, **options)


def prepare(args: argparse.Namespace, work: Path) -> dict[str, int]:
    """Datasets of both halves, and of the pictures that are shown."""
    counts = split_photos(args.photos, work)
    (work / "bicubic.yaml").write_text(BICUBIC)
    for name, recipe in (("real_esrgan", "real_esrgan"), ("bicubic", str(work / "bicubic.yaml"))):
        build(recipe, work / "held_out", work / f"test_{name}", per_image=args.test_per_image, seed=1)
        variants = args.variants if name == "real_esrgan" else 1
        build(recipe, work / "train", work / f"shards_{name}", per_image=args.per_image, variants=variants)
    build("real_esrgan", Path("sample"), work / "shown", per_image=1, seed=2)
    return counts


def resumed(args: argparse.Namespace, work: Path, whole: Trained) -> dict[str, Any]:
    """The first steps of a run again, stopped halfway: are the losses the same numbers?"""
    half = 5 if args.quick else 25
    train("srresnet", args, work, out="resumed", stop_after=half)
    again = train("srresnet", args, work, out="resumed", resume=True, stop_after=half)
    return {"steps": 2 * half, "stopped_after": half, "equal": again.curve == whole.curve[: 2 * half]}


def measure(args: argparse.Namespace, work: Path) -> dict[str, Any]:
    counts = prepare(args, work)
    runs = {name: train(name, args, work) for name in CONFIGS}
    upscalers = {"bicubic": bicubic} | {name: network(runs[name].weights) for name in ("net", "more", "gan")}
    rows = {name: scores(upscaler, work / "test_real_esrgan") for name, upscaler in upscalers.items()}
    gains = [net["psnr"] - base["psnr"] for net, base in zip(rows["net"], rows["bicubic"], strict=True)]
    shown = [pair for pair in validation_pairs(str(work / "shown"), 99) if pair.key.startswith(tuple(args.show))]
    sheet(shown, {name: upscalers[name] for name in ("bicubic", "net", "gan")}, work / "learn.jpg")
    bicubic_set = work / "test_bicubic"
    on_bicubic = {"bicubic": bicubic} | {name: network(runs[name].weights) for name in ON_BICUBIC}
    return {
        "machine": machine(),
        "settings": {"per_image": args.per_image, "variants": args.variants, "batch": BATCH}
        | {"network": args.network},
        "photos": counts,
        "scores": {name: means(found) for name, found in rows.items()},
        "gain_over_bicubic": {
            "min": min(gains),
            "median": median(gains),
            "max": max(gains),
            "won": sum(g > 0 for g in gains),
        },
        "scores_on_bicubic_pairs": {name: means(scores(up, bicubic_set)) for name, up in on_bicubic.items()},
        "resume": resumed(args, work, runs["srresnet"]),
        "runs": {name: cost(done) for name, done in runs.items()},
        "curves": {name: smoothed(done) for name, done in runs.items()},
    }


def cost(done: Trained) -> dict[str, Any]:
    """What a run took, and its losses at both ends."""
    terms = [name for name in done.curve[-1] if name not in ("step", "rate")]
    return {
        "steps": len(done.curve),
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "waited_share": done.waited / done.seconds,
        "losses": {term: [done.mean(term, 0, 0.1), done.mean(term, 0.9, 1)] for term in terms},
    }


def smoothed(done: Trained, window: int = 25) -> list[tuple[int, float]]:
    """Means of the pixel term over windows of steps."""
    values = [line["pixel"] for line in done.curve]
    return [(i + window, fmean(values[i : i + window])) for i in range(0, len(values) - window + 1, window)]


def file_name(network: str) -> str:
    """Of the results."""
    return "learn" if network == "compact" else f"learn_{network}"


def markdown(result: dict[str, Any]) -> str:
    photos, gain = result["photos"], result["gain_over_bicubic"]
    pairs = result["scores"]["net"]["pairs"]
    _, kind, length = NETWORKS[result["settings"]["network"]]
    crops, files = CROPS | {"net": length["crop"]}, file_name(result["settings"]["network"])
    body = [
        [title.format(network=kind), *(f"{result['scores'][name][m]:.{digits}f}" for m, digits in MEASURES.items())]
        for name, title in TITLES.items()
    ]
    costs = []
    for name, spent in result["runs"].items():
        losses = ", ".join(f"{term} {first:.4g} to {last:.4g}" for term, (first, last) in spent["losses"].items())
        costs.append(
            [
                name,
                f"{spent['steps']} of {crops[name]} px",
                f"{spent['cpu_seconds']:.0f}",
                f"{spent['waited_share']:.0%}",
                losses,
            ]
        )
    on_bicubic = ", ".join(
        f"{name} {found['psnr']:.2f} dB, SSIM {found['ssim']:.4f}"
        for name, found in result["scores_on_bicubic_pairs"].items()
    )
    resume = result["resume"]
    return "\n".join(
        [
            "# Does it learn?\n",
            "Written by `benchmarks/learn.py`; how to read it is in [the README](../README.md).\n",
            f"Machine: {result['machine']['cpu']}, one core, shared with others. {photos['train']} photographs to "
            f"train on, {photos['held_out']} others to test on. Steps of {BATCH} crops.\n",
            f"## On {pairs} held-out Real-ESRGAN pairs of 400 px\n",
            grid(
                [
                    "",
                    "PSNR, dB",
                    "SSIM",
                    "GMSD (less is better)",
                    "gradient energy, dB to GT",
                    "beyond 1/8 cycle/px, dB to GT",
                ],
                body,
            ),
            f"`net`'s PSNR is above bicubic's in {gain['won']} of {pairs} pairs; the gain's median is "
            f"{gain['median']:.2f} dB ({gain['min']:.2f} to {gain['max']:.2f}).\n",
            f"![bicubic, network, GAN, GT]({files}.jpg)\n",
            "## What the runs cost, and their losses in the first and the last tenth\n",
            grid(["run", "steps and crops", "CPU s", "waiting for pairs", "losses"], costs),
            f"![pixel losses]({files}.svg)\n",
            f"On the held-out bicubic pairs: {on_bicubic}.\n",
            f"Stopped after {resume['stopped_after']} steps and resumed, the losses of the first {resume['steps']} "
            f"steps of `srresnet` are {'the same numbers' if resume['equal'] else 'OTHER NUMBERS'}.\n",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="sample", help="folder; without it scikit-image's pictures")
    parser.add_argument("--network", default="compact", choices=list(NETWORKS), help="what `net` is (default: compact)")
    parser.add_argument("--per-image", type=int, default=8, help="GTs of a photograph")
    parser.add_argument("--variants", type=int, default=8, help="LQs of a GT")
    parser.add_argument("--test-per-image", type=int, default=2, help="pairs of a held-out photograph")
    parser.add_argument(
        "--show", nargs="*", default=["astronaut", "coffee", "motorcycle", "rocket"], help="pictures of the sheet"
    )
    parser.add_argument("--quick", action="store_true", help="a smoke test: its figures mean nothing")
    parser.add_argument("--save", action="store_true", help="write results/learn.{json,md,svg,jpg}, or learn_rrdb")
    parser.add_argument("--work", type=Path, help="an empty folder for datasets and runs; kept")
    args = parser.parse_args()
    args.divide = 1
    if args.quick:
        args.divide, args.per_image, args.variants, args.test_per_image = 60, 1, 2, 1
    one_thread()
    work = args.work or Path(tempfile.mkdtemp())
    try:
        result = measure(args, work)
        table = markdown(result)
        if args.save:
            out = Path(__file__).parent / "results" / file_name(args.network)
            out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
            out.with_suffix(".md").write_text(table)
            out.with_suffix(".svg").write_text(lines(result["curves"], title="L1 over the steps, means of 25"))
            shutil.copy(work / "learn.jpg", out.with_suffix(".jpg"))
    finally:
        if args.work is None:
            shutil.rmtree(work)
    print(table)


if __name__ == "__main__":
    main()
