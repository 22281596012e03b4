"""BasicSR's LMDB pair, read as its client does: a transaction for each value, no readahead, a shuffled list of keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import lmdb
import numpy as np
from stream_serve import Row, check, png, serve


@lru_cache  # py-lmdb opens a file once in a process
def opened(place: str) -> lmdb.Environment:
    return lmdb.open(place, readonly=True, lock=False, readahead=False)


def row(decode: bool) -> Row:
    def build(folder: Path) -> Iterator[int]:
        places = [folder / "basicsr" / f"{role}.lmdb" for role in ("gt", "lq")]
        gt, lq = (opened(str(place)) for place in places)
        keys = [line.split(".")[0].encode() for line in (places[0] / "meta_info.txt").read_text().splitlines()]
        rng = np.random.default_rng(0)
        while True:
            for i in rng.permutation(len(keys)):
                with gt.begin(write=False) as transaction:
                    one = transaction.get(keys[i])
                with lq.begin(write=False) as transaction:
                    two = transaction.get(keys[i])
                if decode:
                    check(png(one), png(two))
                yield 1

    return build


if __name__ == "__main__":
    serve({"PNG": row(True), "bytes": row(False)}, packages=("lmdb", "opencv-python-headless"))
