"""Turn photographs into a dataset of verified, replayable pairs."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from degradekit.cli.options import at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("recipe", help="a shipped recipe's name or a YAML file")
    parser.add_argument("--source", required=True, help="folder, glob, list file, image or URI; `sample` for a trial")
    parser.add_argument("--out", required=True, help="dataset folder or URI (s3://...)")
    parser.add_argument("--limit", type=at_least(1), metavar="N", help="at most N pairs")
    parser.add_argument(
        "--per-image", type=at_least(1), metavar="N", help="random crops for each image (default: the recipe's)"
    )
    parser.add_argument(
        "--shard-size", type=at_least(1), metavar="N", help="pairs in a shard, whole GTs (default: 512 or a few less)"
    )
    parser.add_argument("--variants", type=at_least(1), default=1, metavar="K", help="LQs for each GT (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="keys every draw (default 0)")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=BOOL", help="set an option of the recipe")
    parser.add_argument("--format", choices=("parquet", "lmdb"), default="parquet", help="shard format")
    parser.add_argument(
        "--codec", default=None, help="image codec: delta+zstd (default), qoi, png, webp, jxl, raw+lz4, raw"
    )
    parser.add_argument("--executor", choices=("auto", "inline", "ray"), default="auto", help="where shards are made")
    parser.add_argument("--ray-address", metavar="A", help="a running Ray cluster: auto or host:port")
    parser.add_argument("--workers", type=at_least(1), metavar="N", help="shards at a time on Ray (default: every CPU)")
    parser.add_argument("--dry-run", action="store_true", help="print what would be built and what it would cost")
    parser.add_argument("--force", action="store_true", help="delete a dataset that stands in --out")
    parser.add_argument(
        "--max-failures", type=at_least(0), metavar="N", help="stop when more than N pairs of this run failed"
    )


def run(args: argparse.Namespace) -> int:
    """Build; 0 when the dataset has every pair that was wanted, 1 when some failed."""
    from degradekit.cli.options import recipe_options
    from degradekit.codecs import DEFAULT_CODEC
    from degradekit.job import PROGRESS_FILE, TooManyFailures, plan_build, run_build
    from degradekit.progress import Progress
    from degradekit.recipe import load_recipe
    from degradekit.storage import LocalStore, open_store

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
    if plan.ignored:
        ignored = ", ".join(f"{reason} ({count})" for reason, count in sorted(plan.ignored.items()))
        print(f"{len(plan.images)} images in {args.source}, others are ignored: {ignored}", file=sys.stderr)
    if args.dry_run:
        from degradekit.estimate import estimate

        print(estimate(plan))
        return 0
    store = open_store(args.out)
    progress = Progress(sys.stderr, json_path=store.root / PROGRESS_FILE if isinstance(store, LocalStore) else None)
    try:
        with _sigterm_interrupts():
            summary = run_build(
                plan,
                progress,
                executor=args.executor,
                workers=args.workers,
                ray_address=args.ray_address,
                force=args.force,
                max_failures=args.max_failures,
            )
    except TooManyFailures as error:
        progress.stop("failed")
        print(f"degradekit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.stop("stopped")
        print("degradekit: stopped; finished shards are kept, the same command goes on where it was", file=sys.stderr)
        return 130
    except BaseException:
        progress.stop("failed")
        raise
    progress.stop("done")
    made = f"{summary.pairs} pairs in {plan.shards} shards at {args.out}"
    print(made if summary.built else f"{made}: all of it was there already, nothing to do")
    failed = _tell_quarantine(args.out) if summary.tombstones else 0
    return 1 if failed else 0


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM, which schedulers send before they take a machine away, stops a build as Ctrl-C does."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell_quarantine(out: str) -> int:
    """List the images that gave no pairs, at most twenty of them, and say how many pairs failed."""
    import json

    from degradekit.build import SKIP
    from degradekit.shards.manifest import QUARANTINE
    from degradekit.storage import open_store

    dead = [json.loads(line) for line in open_store(out).read(QUARANTINE).decode().splitlines()]
    failed = [entry for entry in dead if entry["step"] != SKIP]
    causes = groupby(failed, key=lambda entry: (entry["key"].rpartition("#")[0], entry["step"], entry["reason"]))
    told = [(image, step, reason, len(list(pairs))) for (image, step, reason), pairs in causes]
    for image, step, reason, pairs in told[:20]:
        print(f"failed: {image} ({pairs} pair{'s' * (pairs > 1)}) at {step}: {reason}", file=sys.stderr)
    if len(told) > 20:
        print(f"... and {len(told) - 20} more", file=sys.stderr)
    print(
        f"{len(failed)} pairs failed and {len(dead) - len(failed)} were skipped as the recipe asks: "
        f"see {QUARANTINE} in {out}",
        file=sys.stderr,
    )
    return len(failed)
