"""Fetch published weight files and verify them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="names from `list`, such as RealESRGAN_x4plus")
    parser.add_argument(
        "--folder", type=Path, help="where to (default: $DEGRADEKIT_MODELS or ~/.cache/degradekit-models)"
    )
    parser.add_argument("--no-verify", action="store_true", help="accept files of which no digest is known")


def run(args: argparse.Namespace) -> int:
    """Download every file and print where it is."""
    from tqdm import tqdm

    from degradekit_models.download import download
    from degradekit_models.zoo import find_weights

    for weights in [find_weights(name) for name in args.names]:
        with tqdm(unit="B", unit_scale=True, desc=weights.file, disable=None, file=sys.stderr) as bar:
            path = download(weights, folder=args.folder, unverified=args.no_verify, advance=bar.update)
        print(path)
    return 0
