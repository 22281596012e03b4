"""This loader: batches of 16 as arrays, or the bytes of pairs in random order; every value checked against its xxh3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stream_serve import Row, check, serve

from degradekit.shards.dataset import open_dataset
from degradekit.stream import PairStream
from degradekit.stream.fetch import Fetched, Fetcher


def decoded(name: str) -> Row:
    def row(folder: Path) -> Iterator[int]:
        stream = PairStream(folder / name, batch_size=16)
        while True:
            for batch in stream:
                check(batch["gt"][0], batch["lq"][0])
                yield len(batch["gt"])

    return row


def fetched(name: str, *, validate: bool = True) -> Row:
    def row(folder: Path) -> Iterator[int]:
        dataset = open_dataset(folder / name)
        fetcher = Fetcher(dataset, ("gt", "lq"), validate=validate)
        epoch = 0
        while True:
            for index in order(len(dataset), epoch):
                pair = fetcher.fetch(index)
                assert isinstance(pair, Fetched)
                yield 1
            epoch += 1

    return row


def order(size: int, epoch: int) -> list[int]:
    import numpy as np

    from degradekit.stream.order import permute

    return [int(i) for i in permute(np.arange(size), size, f"benchmark {epoch}")]


if __name__ == "__main__":
    serve(
        {
            "QOI": decoded("qoi"),
            "delta+zstd": decoded("delta"),
            "delta+zstd, LMDB": decoded("delta-lmdb"),
            "raw+lz4": decoded("lz4"),
            "bytes": fetched("delta"),
            "bytes, unverified": fetched("delta", validate=False),
            "bytes, LMDB": fetched("delta-lmdb"),
        },
        packages=("degradekit", "numpy", "pyarrow", "imagecodecs"),
    )
