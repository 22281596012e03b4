"""Check a dataset: every hash, every record decoded, every count against the manifest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from degradekit.cli.options import at_least

if TYPE_CHECKING:
    from degradekit.shards.dataset import Dataset

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    parser.add_argument("--workers", type=at_least(1), metavar="N", help="processes (default: every CPU)")
    parser.add_argument("--no-pixels", action="store_true", help="only hashes and counts: do not decode the images")


def run(args: argparse.Namespace) -> int:
    """Print a line for each problem; 0 when there is none, 1 otherwise, 3 when there is no dataset to check."""
    import os

    from degradekit.shards.dataset import open_dataset

    dataset = open_dataset(args.dataset)
    workers = min(args.workers or len(os.sched_getaffinity(0)), len(dataset.shards))
    count, rebuild = 0, False
    for problem in _problems(dataset, pixels=not args.no_pixels, workers=workers):
        count += 1
        rebuild |= "rebuild" in problem
        print(problem, flush=True)
    counts = dataset.info["counts"]
    held = f"{counts['ok']} pairs and {counts['tombstones']} tombstones in {counts['shards']} shards"
    print(f"{count} problems in {held}" if count else f"{held}: no problem")
    if rebuild:
        print("to make a damaged shard again, delete its file and run the same build", file=sys.stderr)
    return 1 if count else 0


def _problems(dataset: Dataset, *, pixels: bool, workers: int) -> Iterator[str]:
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial
    from multiprocessing import get_context

    from degradekit.shards.verify import verify_manifest, verify_shard

    yield from verify_manifest(dataset)
    check = partial(verify_shard, dataset, pixels=pixels)
    numbers = range(len(dataset.shards))
    if workers < 2:
        for number in numbers:
            yield from check(number)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for problems in pool.map(check, numbers):
            yield from problems
