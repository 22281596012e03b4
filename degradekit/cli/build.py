"""Turn photographs into a dataset of verified, replayable pairs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("recipe", help="a shipped recipe's name or a YAML file")
    parser.add_argument("--source", required=True, help="folder, glob, list file, image or URI; `sample` for a trial")
    parser.add_argument("--out", required=True, help="dataset folder or URI (s3://...)")
    parser.add_argument("--limit", type=int, metavar="N", help="at most N pairs")
    parser.add_argument(
        "--per-image", type=int, metavar="N", help="random crops for each image (default: the recipe's)"
    )
    parser.add_argument("--shard-size", type=int, default=512, metavar="N", help="pairs in a shard (default 512)")
    parser.add_argument("--variants", type=int, default=1, metavar="K", help="LQs for each GT (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="keys every draw (default 0)")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=BOOL", help="set an option of the recipe")
    parser.add_argument("--format", choices=("parquet", "lmdb"), default="parquet", help="shard format")
    parser.add_argument("--codec", default=None, help="image codec: qoi (default), png, webp, jxl, raw+lz4, raw")
    parser.add_argument("--executor", choices=("auto", "inline", "ray"), default="auto", help="where shards are made")
    parser.add_argument("--ray-address", metavar="A", help="a running Ray cluster: auto or host:port")
    parser.add_argument("--workers", type=int, metavar="N", help="shards at a time on Ray (default: every CPU)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be built and what it would cost")
    parser.add_argument("--force", action="store_true", help="delete a dataset that stands in --out")
    parser.add_argument("--max-failures", type=int, metavar="N", help="stop when more than N pairs failed")


def run(args: argparse.Namespace) -> int:
    """Build; 0 when every wanted pair was made, 1 when some failed."""
    from degradekit.cli.options import recipe_options
    from degradekit.codecs import DEFAULT_CODEC
    from degradekit.job import TooManyFailures, plan_build, run_build
    from degradekit.progress import Progress
    from degradekit.recipe import load_recipe

    recipe = load_recipe(args.recipe, seed=args.seed, per_image=args.per_image, **recipe_options(args.set))
    plan = plan_build(
        recipe,
        source=args.source,
        out=args.out,
        variants=args.variants,
        shard_size=args.shard_size,
        limit=args.limit,
        format=args.format,
        codec=args.codec or DEFAULT_CODEC,
    )
    if args.dry_run:
        from degradekit.estimate import estimate

        print(estimate(plan))
        return 0
    local = "://" not in args.out
    progress = Progress(sys.stderr, json_path=Path(args.out) / "progress.json" if local else None)
    state = "failed"
    try:
        summary = run_build(
            plan,
            progress,
            executor=args.executor,
            workers=args.workers,
            ray_address=args.ray_address,
            force=args.force,
            max_failures=args.max_failures,
        )
        state = "done"
    except TooManyFailures as error:
        print(f"degradekit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        state = "stopped"
        print("degradekit: stopped; finished shards are kept, the same command goes on where it was", file=sys.stderr)
        return 130
    finally:
        progress.stop(state)
    made = f"{summary.pairs} pairs in {plan.shards} shards at {args.out}"
    print(made if summary.built else f"{made}: all of it was there already, nothing to do")
    if summary.tombstones:
        _tell_quarantine(args.out)
    return 1 if summary.failures else 0


def _tell_quarantine(out: str) -> None:
    """List the pairs that are missing, failed ones first by name, at most twenty."""
    import json

    from degradekit.build import SKIP
    from degradekit.shards.manifest import QUARANTINE
    from degradekit.storage import open_store

    dead = [json.loads(line) for line in open_store(out).read(QUARANTINE).decode().splitlines()]
    failed = [entry for entry in dead if entry["step"] != SKIP]
    for entry in failed[:20]:
        print(
            f"failed: {entry['key']} (variant {entry['variant']}) at {entry['step']}: {entry['reason']}",
            file=sys.stderr,
        )
    if len(failed) > 20:
        print(f"... and {len(failed) - 20} more", file=sys.stderr)
    print(
        f"{len(failed)} pairs failed and {len(dead) - len(failed)} were skipped as the recipe asks: {QUARANTINE}",
        file=sys.stderr,
    )
