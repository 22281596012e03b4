"""Look at this machine: versions, CPU, memory, caches, codecs, disk, Ray."""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("--out", metavar="FOLDER", help="where a dataset is meant to go: a folder or a URI")
    parser.add_argument("--ray", action="store_true", help="also start a local Ray cluster and run one task")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print a line for each check; 1 when one of them fails."""
    import json
    from dataclasses import asdict

    from degradekit.doctor import examine
    from degradekit.table import align

    checks = examine(args.out, ray=args.ray)
    if args.json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        rows = [(c.state, c.name, c.found + (f": {c.remedy}" if c.remedy else "")) for c in checks]
        print("\n".join(align(rows, indent="")))
    return 1 if any(check.state == "fail" for check in checks) else 0
