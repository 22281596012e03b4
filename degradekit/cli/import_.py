"""Make a dataset from pairs that exist: two folders, or two LMDBs of BasicSR."""

from __future__ import annotations

import argparse

from degradekit.cli.options import at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("--gt", required=True, help="folder, glob, list file, URI or LMDB of the targets")
    parser.add_argument("--lq", required=True, help="the same of the inputs, named as the targets or 0001x4.png")
    parser.add_argument("--out", required=True, help="dataset folder or URI")
    parser.add_argument("--scale", type=at_least(1), metavar="N", help="GT side / LQ side (default: the first pair's)")
    parser.add_argument("--skip", action="store_true", help="leave out what fits into no pair, instead of refusing")
    parser.add_argument("--format", choices=("parquet", "lmdb"), default="parquet", help="shard format")
    parser.add_argument(
        "--codec", default=None, help="image codec: delta+zstd (default), qoi, png, webp, jxl, raw+lz4, raw"
    )
    parser.add_argument(
        "--shard-size", type=at_least(1), default=512, metavar="N", help="pairs in a shard (default 512)"
    )


def run(args: argparse.Namespace) -> int:
    """Import; 0 when every pair was read, 1 when some could not be decoded."""
    from degradekit.codecs import DEFAULT_CODEC
    from degradekit.interop.imports import import_pairs

    dataset = import_pairs(
        args.gt,
        args.lq,
        args.out,
        scale=args.scale,
        skip=args.skip,
        format=args.format,
        codec=args.codec or DEFAULT_CODEC,
        shard_size=args.shard_size,
    )
    counts = dataset.info["counts"]
    print(f"{counts['ok']} pairs of scale {dataset.scale} in {counts['shards']} shards at {args.out}")
    print(
        "imported pairs have no plan and no parameters: they can be verified, inspected, split, exported and streamed,"
    )
    print("not replayed or filtered")
    for dead in dataset.tombstones()[:20]:
        print(f"not read: {dead.key}: {dead.reason}")
    return 1 if counts["tombstones"] else 0
