"""Draw a contact sheet: pairs side by side with what was drawn."""

from __future__ import annotations

import argparse

from degradekit.cli.options import at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    parser.add_argument("--out", required=True, metavar="FILE", help="PNG file to write")
    parser.add_argument("--count", type=at_least(1), default=12, metavar="N", help="pairs to show (default 12)")


def run(args: argparse.Namespace) -> int:
    """Write the picture and print where it is."""
    from degradekit.errors import DegradekitError
    from degradekit.shards.dataset import open_dataset
    from degradekit.sheet import contact_sheet

    page = contact_sheet(open_dataset(args.dataset), args.count)
    try:
        page.save(args.out, format="PNG", optimize=False)
    except OSError as error:
        raise DegradekitError(
            f"--out {args.out}: {error.strerror or error}; choose a file that can be written"
        ) from error
    print(args.out)
    return 0
