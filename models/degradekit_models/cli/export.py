"""Write a network as ONNX, TorchScript or an exported program, and check that it computes the same."""

from __future__ import annotations

import argparse

from degradekit_models.cli.options import add_model, at_least, load_model, pair_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    add_model(parser)
    parser.add_argument(
        "-o", "--out", required=True, metavar="FILE", help=".onnx, .ts (TorchScript) or .pt2 (torch.export)"
    )
    parser.add_argument(
        "--size",
        type=pair_of,
        default=(64, 64),
        metavar="HxW",
        help="input it is written for; pictures may have any (default 64x64)",
    )
    parser.add_argument("--frames", type=at_least(1), default=3, metavar="N", help="frames of a clip (default 3)")


def run(args: argparse.Namespace) -> int:
    """Write the file, print where it is and how far its numbers are."""
    from degradekit_models.export import export

    net, _ = load_model(args)
    difference = export(net, args.out, size=args.size, frames=args.frames)
    print(f"{args.out}: largest relative difference {difference:.1e}")
    return 0
