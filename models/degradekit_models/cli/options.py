"""Arguments that verbs share, and their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

__all__ = ["add_model", "at_least", "load_model", "pair_of", "positive"]


def at_least(least: int) -> Callable[[str], int]:
    """The ``type`` of an argument that is a whole number from ``least`` on.

    Example:
        >>> at_least(1)("32")
        32
    """

    def whole(text: str) -> int:
        if not text.strip().lstrip("+-").isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} on")
        return int(text)

    return whole


def positive(text: str) -> float:
    """The ``type`` of an argument that is a positive number.

    Example:
        >>> positive("1.5")
        1.5
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return value


def pair_of(text: str) -> tuple[int, int]:
    """The ``type`` of an argument such as ``180x320``: height and width.

    Example:
        >>> pair_of("180x320")
        (180, 320)
    """
    height, cross, width = text.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write HEIGHTxWIDTH, such as 180x320")
    return int(height), int(width)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that name a weight file."""
    parser.add_argument("--model", required=True, metavar="FILE|NAME", help="weight file, or a name from `list`")
    parser.add_argument("--arch", metavar="NAME", help="network of the file (default: read off its tensors)")
    parser.add_argument("--key", metavar="KEY", help="container inside the file (default: params_ema, params, ...)")
    parser.add_argument("--download", action="store_true", help="fetch a named model that is not there yet")


def load_model(args: argparse.Namespace) -> tuple[nn.Module, Path]:
    """The network in evaluation mode, and its file."""
    from degradekit_models.checkpoints import load_checkpoint
    from degradekit_models.download import find_model

    path = find_model(args.model, fetch=args.download)
    return load_checkpoint(path, arch=args.arch, key=args.key), path
