"""Train a network by a config: from shards, or from images that a recipe degrades on the way."""

from __future__ import annotations

import argparse
from pathlib import Path

from degradekit_models.cli.options import at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("config", help="YAML file; see models/configs")
    parser.add_argument("--data", action="append", default=[], metavar="FOLDER[:W]", help="dataset, with its weight")
    parser.add_argument("--source", metavar="IMAGES", help="GT images, degraded on the way; with --recipe")
    parser.add_argument("--recipe", metavar="R", help="name or file of a degradekit recipe")
    parser.add_argument("--validate", action="append", default=[], metavar="FOLDER", help="dataset to validate on")
    parser.add_argument("-o", "--out", metavar="FOLDER", help="of the run (default: runs/NAME)")
    parser.add_argument("--resume", choices=("auto", "never"), default="never", help="auto: go on where a run stopped")
    parser.add_argument("--workers", type=at_least(0), default=0, metavar="N", help="processes that read and decode")
    parser.add_argument(
        "--degrade-on",
        choices=("workers", "device"),
        default="workers",
        help="device: make LQs where the network trains, of --source's images or of --data's GTs and plans",
    )
    parser.add_argument("--accelerator", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--devices", default="auto", metavar="N", help="devices of this machine")
    parser.add_argument("--precision", default="32-true", metavar="P", help="32-true, bf16-mixed or 16-mixed")
    parser.add_argument("--allow-random-init", action="store_true", help="train without the trained parts left open")
    parser.add_argument("--dry-run", action="store_true", help="make one step, write nothing, say what would happen")
    parser.add_argument("--overfit-one-batch", action="store_true", help="train on the first batch again and again")
    parser.add_argument("--profile", action="store_true", help="make ten steps and print where the time goes")
    parser.add_argument("--ray", type=at_least(1), metavar="N", help="train as a job of N workers on a Ray cluster")
    parser.add_argument("--wandb", action="store_true", help="log to Weights & Biases (WANDB_MODE=offline: to files)")
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard's files as well")
    parser.add_argument("--steps", type=at_least(1), metavar="N", help="stop after N steps; --resume auto goes on")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when it is done."""
    from degradekit_models.errors import ModelError

    try:
        from degradekit_models.train.launch import Devices, run_here
    except ImportError as error:
        raise ModelError("training needs Lightning: pip install 'degradekit[train]'") from error
    from degradekit_models.train.boards import MakeBoard, TensorBoard, weights_and_biases
    from degradekit_models.train.config import load_config
    from degradekit_models.train.loop import Run

    config = load_config(args.config)
    out = Path(args.out or Path("runs") / config.name)
    if bool(args.data) == bool(args.source):
        raise ModelError("give --data FOLDER, or --source IMAGES with --recipe R.")
    trial = args.dry_run or args.profile
    job = Run(
        out=out,
        data=dict(_weighted(text) for text in args.data),
        source=args.source,
        recipe=args.recipe,
        validation=() if trial else args.validate,
        resume=args.resume == "auto",
        workers=args.workers,
        degrade_on=args.degrade_on,
        allow_random_init=args.allow_random_init,
        overfit_one_batch=args.overfit_one_batch,
        stop_after=1 if args.dry_run else 10 if args.profile else args.steps,
        keep=not trial,
    )
    devices = Devices(args.accelerator, int(args.devices) if args.devices.isdecimal() else args.devices, args.precision)
    boards: list[MakeBoard] = [TensorBoard] if args.tensorboard else []
    boards += [weights_and_biases(config.name, config.model_dump(mode="json"))] if args.wandb else []
    if args.ray is not None:
        from degradekit_models.train.cluster import run_on_ray

        if trial:
            raise ModelError("--dry-run and --profile try a run in this process: leave --ray out.")
        run_on_ray(config, job, devices, workers=args.ray, boards=boards)
        print(out / "generator.pth")
        return 0
    if args.profile:
        print(_profiled(lambda: run_here(config, job, devices)))
        return 0
    scheme, first = run_here(config, job, devices, every=1 if args.dry_run else 100, boards=boards)
    if first and args.dry_run:
        count = sum(p.numel() for p in scheme.generator.bare.parameters())
        print(f"{config.generator.arch}: {count:,} parameters; one step made, nothing written")
    elif first:
        print(out / "generator.pth")
    return 0


def _weighted(text: str) -> tuple[str, float | None]:
    """``FOLDER:0.3`` as its parts; a colon without a number after it belongs to the folder."""
    folder, _, weight = text.rpartition(":")
    try:
        return (folder, float(weight)) if folder else (text, None)
    except ValueError:
        return text, None


def _profiled(work: object) -> str:
    from torch.profiler import ProfilerActivity, profile

    assert callable(work)
    with profile(activities=[ProfilerActivity.CPU]) as found:
        work()
    return str(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=20))
