"""Take pairs out of a finished dataset, or bring them back; shards and all other pairs stay as they are."""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--drop", metavar="FILE", help="drop.json of an audit's report, or a file of key[:variant] lines")
    what.add_argument("--restore", action="store_true", help="bring back everything that was dropped")


def run(args: argparse.Namespace) -> int:
    """Print what is left; 0 when it is done."""
    from degradekit.repair import drop, read_drop_list, restore

    if args.restore:
        done, verb = restore(args.dataset), "brought back"
    else:
        meant_for, entries = read_drop_list(args.drop)
        done, verb = drop(args.dataset, entries, meant_for=meant_for), "dropped"
    print(f"{done.taken} pairs {verb}; {done.left} are left, {done.dropped} dropped; dataset {done.dataset_id}")
    return 0
