"""WebDataset: tars of a thousand pairs, shards shuffled, and a buffer of a thousand samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import webdataset as wds
from stream_serve import Row, check, png, serve


def row(decode: bool) -> Row:
    def build(folder: Path) -> Iterator[int]:
        tars = sorted(str(path) for path in (folder / "webdataset").glob("*.tar"))
        while True:
            for pair in wds.WebDataset(tars, shardshuffle=len(tars), empty_check=False).shuffle(1000, initial=100):
                if decode:
                    check(png(pair["gt.png"]), png(pair["lq.png"]))
                yield 1

    return build


if __name__ == "__main__":
    serve({"PNG": row(True), "bytes": row(False)}, packages=("webdataset", "opencv-python-headless"))
