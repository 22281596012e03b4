"""Show how one stored pair was made: every step from its GT to its LQ, from the shard alone."""

from __future__ import annotations

import argparse

from degradekit.cli.options import add_out, at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    parser.add_argument("--key", required=True, metavar="K", help="sample key as it is printed, such as cat.png#r0")
    parser.add_argument("--variant", type=at_least(0), default=0, metavar="N", help="which LQ of the GT (default 0)")
    add_out(parser)


def run(args: argparse.Namespace) -> int:
    """Print the steps, write the page; 0 when the last step gives the stored LQ, 1 otherwise."""
    import re

    from degradekit.cli.options import write_page
    from degradekit.describe import describe_record
    from degradekit.errors import DegradekitError
    from degradekit.pick import find
    from degradekit.preview import explain
    from degradekit.shards.dataset import open_dataset
    from degradekit.types import Record

    dataset = open_dataset(args.dataset)
    record = dataset.read(find(dataset, args.key, args.variant)[0])
    if not isinstance(record, Record):
        raise DegradekitError(
            f"{args.key}, variant {args.variant}, could not be made ({record.step}): {record.reason}; choose another"
        )
    found = explain(dataset, record)
    print("\n".join(describe_record(record)))
    print(found.verdict)
    name = re.sub(r"[^\w.-]+", "_", record.key)
    write_page(found.page, args.out, default=f"explain-{name}-{record.variant}")
    return 1 if found.differing else 0
