"""Show the zoo: networks, their papers and cost, and the weight files that were published for them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from degradekit_models.cli.options import pair_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks to show with their cost (default: all)")
    parser.add_argument("--cost", action="store_true", help="count operations of all networks too (about a minute)")
    parser.add_argument(
        "--size", type=pair_of, default=(64, 64), metavar="HxW", help="input to count them for (default 64x64)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    import json

    from degradekit_models.archs import ARCHS
    from degradekit_models.zoo import find_weights

    names = [name if name in ARCHS else find_weights(name).arch for name in args.names] or list(ARCHS)
    rows = [_row(name, args.size, cost=args.cost or bool(args.names)) for name in dict.fromkeys(names)]
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    lines = [("network", "parameters", "MACs", "paper")]
    for row in rows:
        macs = f"{row['macs'] / 1e9:.2f} G at {row['size'][0]}x{row['size'][1]}" if "macs" in row else ""
        lines.append((row["name"], f"{row['parameters'] / 1e6:.2f} M", macs, row["paper"]))
        for weights in row["weights"]:
            digest = weights["sha256"] or "digest unknown"
            lines.append(
                (f"  {weights['name']}", weights["licence"], digest[:16], weights["url"] or "(no direct address)")
            )
    print("\n".join(_align(lines)))
    return 0


def _row(name: str, size: tuple[int, int], *, cost: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from degradekit_models.archs import ARCHS
    from degradekit_models.zoo import PAPERS, WEIGHTS, measure, outline

    row: dict[str, Any] = {"name": name, "class": ARCHS[name].cls.__name__}
    row["paper"] = PAPERS[row["class"]]
    row["weights"] = [asdict(weights) for weights in WEIGHTS if weights.arch == name]
    if cost:
        counted = measure(name, size)
        return row | {"parameters": counted.parameters, "macs": counted.macs, "size": counted.size}
    return row | {"parameters": sum(p.numel() for p in outline(name).parameters())}


def _align(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    return ["  ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[3]]).rstrip() for line in lines]
