"""Measure restored pictures: PSNR and SSIM against a reference, NIQE and LPIPS."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from degradekit_models.cli.options import at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("input", metavar="INPUT", help="a picture or a folder of restored pictures")
    parser.add_argument(
        "--reference", metavar="R", help="the picture or folder to compare with; names are equal but for the suffix"
    )
    parser.add_argument(
        "--crop", type=at_least(0), default=0, metavar="N", help="border to leave out, in pixels (default 0)"
    )
    parser.add_argument("--luma", action="store_true", help="compare Y alone instead of RGB")
    parser.add_argument("--niqe", metavar="FILE", help="also NIQE, with a model made by --fit-niqe")
    parser.add_argument(
        "--fit-niqe", metavar="FILE", help="fit a NIQE model to the pictures of INPUT, write it, and stop"
    )
    parser.add_argument(
        "--lpips", action="store_true", help="also LPIPS (needs the lpips package, which fetches AlexNet's weights)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print a line for each picture and their mean."""
    import json

    from degradekit_models.errors import ModelError
    from degradekit_models.restore.jobs import list_pictures

    paths = list_pictures(Path(args.input))
    if args.fit_niqe:
        return _fit(paths, args.fit_niqe)
    measures = _measures(args)
    if not measures:
        raise ModelError("eval: nothing to measure; give --reference, or --niqe with a model.")
    rows = {path.name: _measure(path, measures, args) for path in paths}
    mean = {name: sum(row[name] for row in rows.values()) / len(rows) for name in measures}
    if args.json:
        print(json.dumps({"pictures": rows, "mean": mean}, indent=1))
        return 0
    for file, row in {**rows, "mean": mean}.items():
        print(file, *(f"{name} {value:.4f}" for name, value in row.items()), sep="  ")
    return 0


def _levels(path: Path) -> Any:
    import numpy as np

    from degradekit_models.restore.pictures import read_picture

    return (read_picture(path).rgb * 255).round().astype(np.uint8)


def _fit(paths: list[Path], out: str) -> int:
    from degradekit_models.niqe import fit_niqe

    fit_niqe(map(_levels, paths)).save(out)
    print(out)
    return 0


def _measures(args: argparse.Namespace) -> dict[str, Callable[[Any, Any], float]]:
    """Name -> function of the picture and its reference."""
    from degradekit_models.errors import ModelError
    from degradekit_models.metrics import psnr, ssim
    from degradekit_models.niqe import NiqeModel, niqe

    out: dict[str, Callable[[Any, Any], float]] = {}
    if args.reference:
        out["psnr"] = lambda a, b: psnr(a, b, crop=args.crop, y=args.luma)
        out["ssim"] = lambda a, b: ssim(a, b, crop=args.crop, y=args.luma)
    if args.niqe:
        model = NiqeModel.load(args.niqe)
        out["niqe"] = lambda a, b: niqe(a, model)
    if args.lpips:
        if not args.reference:
            raise ModelError("eval: --lpips compares with a --reference.")
        out["lpips"] = _lpips()
    return out


def _lpips() -> Callable[[Any, Any], float]:
    from degradekit_models.errors import ModelError

    try:
        import lpips  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise ModelError(f"eval: --lpips needs the lpips package: pip install lpips ({error}).") from None
    import torch

    net = lpips.LPIPS(net="alex", verbose=False)

    def tensor(levels: Any) -> torch.Tensor:
        return torch.from_numpy(levels).movedim(-1, 0)[None] / 127.5 - 1

    def distance(a: Any, b: Any) -> float:
        with torch.inference_mode():
            return float(net(tensor(a), tensor(b)))

    return distance


def _measure(
    path: Path, measures: dict[str, Callable[[Any, Any], float]], args: argparse.Namespace
) -> dict[str, float]:
    from degradekit_models.errors import ModelError

    picture = _levels(path)
    reference = _levels(_partner(path, Path(args.reference))) if args.reference else None
    try:
        return {name: function(picture, reference) for name, function in measures.items()}
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _partner(path: Path, reference: Path) -> Path:
    """The reference of a picture: of the same name but for the suffix."""
    from degradekit_models.errors import ModelError

    if not reference.is_dir():
        return reference
    same: Iterator[Path] = (p for p in sorted(reference.iterdir()) if p.stem == path.stem)
    partner = next(same, None)
    if partner is None:
        raise ModelError(f"{path}: has no partner named {path.stem} in {reference}.")
    return partner
