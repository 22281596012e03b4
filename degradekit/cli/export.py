"""Write a dataset in a neighbour's format: BasicSR, folders, WebDataset, Hugging Face, HDF5, MDS."""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    formats = ("folders", "basicsr", "webdataset", "huggingface", "hdf5", "mds")
    parser.add_argument("--to", required=True, choices=formats, help="format")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write, new or empty")
    parser.add_argument("--split", metavar="RATIOS", help="split by source image: train=0.8,val=0.1,test=0.1")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="chooses the splits (default 0)")
    parser.add_argument("--codec", choices=("png", "webp"), default="png", help="of image files (default png)")
    parser.add_argument(
        "--drop-leaks", action="store_true", help="leave out sources whose content is in another split, not refuse"
    )


def run(args: argparse.Namespace) -> int:
    """Export and print how many pairs each split has."""
    from degradekit.interop.export import export
    from degradekit.shards.dataset import open_dataset
    from degradekit.splits import parse_ratios

    dataset = open_dataset(args.dataset)
    ratios = parse_ratios(args.split) if args.split else None
    counts = export(
        dataset, args.to, args.out, ratios=ratios, seed=args.seed, codec=args.codec, drop_leaks=args.drop_leaks
    )
    dead = dataset.info["counts"]["tombstones"] + len(dataset.dropped)
    for name, count in counts.items():
        print(f"{f'{name}: ' if name else ''}{count} pairs at {args.out}{f'/{name}' if name else ''}")
    if dead:
        print(f"left out: {dead} tombstone{'s' * (dead > 1)}")
    return 0
