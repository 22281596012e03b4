"""Make LQs again from the stored GTs and plans, and compare them bit for bit."""

from __future__ import annotations

import argparse

from degradekit.cli.options import at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sample", type=at_least(1), default=32, metavar="N", help="pairs to try (default 32)")
    which.add_argument("--key", metavar="K", help="try the pairs of this sample")
    parser.add_argument("--variant", type=at_least(0), metavar="V", help="with --key: only this variant")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="chooses which pairs are tried (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what came of it; 0 when every pair is equal, 1 otherwise."""
    import json

    from degradekit.replay import replay
    from degradekit.shards.dataset import open_dataset

    dataset = open_dataset(args.dataset)
    result = replay(dataset, sample=args.sample, key=args.key, variant=args.variant, seed=args.seed)
    if args.json:
        print(json.dumps(result.to_json(), indent=1))
        return 1 if result.differences else 0
    for difference in result.differences:
        print(f"differs: {difference}")
    tried = result.equal + len(result.differences)
    drawn = "plans drawn again and equal" if result.redrawn else "plans as stored"
    print(f"{result.equal} of {tried} pairs are equal bit for bit ({drawn})")
    if result.differences:
        changed = result.environment or ("nothing that dataset.json records is different",)
        print("\n".join(["this machine:", *(f"  {fact}" for fact in changed)]))
    return 1 if result.differences else 0
