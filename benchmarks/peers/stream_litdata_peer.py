"""litData: chunks of 64 MB made by its own ``optimize``, iterated with shuffle=True."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stream_serve import Row, check, png, serve


def sample(name: str, folder: str) -> dict[str, bytes]:
    return {role: (Path(folder) / role / f"{name}.png").read_bytes() for role in ("gt", "lq")}


def prepare(folder: Path) -> None:
    from litdata import optimize

    names = sorted(path.stem for path in (folder / "folders/gt").iterdir())
    make = partial(sample, folder=str(folder / "folders"))
    optimize(make, names, output_dir=str(folder / "litdata"), chunk_bytes="64MB", num_workers=1)


def row(decode: bool) -> Row:
    def build(folder: Path) -> Iterator[int]:
        from litdata import StreamingDataset

        dataset = StreamingDataset(str(folder / "litdata"), shuffle=True, drop_last=False)
        while True:
            for pair in dataset:
                if decode:
                    check(png(pair["gt"]), png(pair["lq"]))
                yield 1

    return build


if __name__ == "__main__":
    if len(sys.argv) == 2:
        prepare(Path(sys.argv[1]))
    else:
        serve({"PNG": row(True), "bytes": row(False)}, packages=("litdata", "opencv-python-headless"))
