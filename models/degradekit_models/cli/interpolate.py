"""Mix two weight files of one network: (1 - alpha) A + alpha B."""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument(
        "a", metavar="A", help="weight file or name: the PSNR-trained one, or the one that denoises less"
    )
    parser.add_argument(
        "b", metavar="B", help="weight file or name: the GAN-trained one, or the one that denoises more"
    )
    parser.add_argument("--alpha", type=float, required=True, metavar="F", help="share of B, usually 0 to 1")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="weight file to write: .pth or .safetensors")
    parser.add_argument("--key", metavar="KEY", help="container inside both files (default: params_ema, params, ...)")


def run(args: argparse.Namespace) -> int:
    """Write the mixed weights and print where they are."""
    from degradekit_models.download import find_model
    from degradekit_models.interpolate import interpolate, save_weights

    save_weights(interpolate(find_model(args.a), find_model(args.b), alpha=args.alpha, key=args.key), args.out)
    print(args.out)
    return 0
