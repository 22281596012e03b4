"""Hugging Face datasets on Parquet: streamed with a shuffle buffer of 256, and map-style from its Arrow cache.

Images come as their bytes (``Image(decode=False)``), which OpenCV decodes faster than Pillow.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Image, load_dataset
from stream_serve import Row, check, png, serve


def opened(folder: Path, *, streaming: bool) -> Any:
    files = sorted(str(path) for path in (folder / "huggingface").glob("*.parquet"))
    cache = str(folder / "huggingface-cache")
    data = load_dataset("parquet", data_files=files, split="train", streaming=streaming, cache_dir=cache)
    data = data.select_columns(["gt", "lq"])
    return data.cast_column("gt", Image(decode=False)).cast_column("lq", Image(decode=False))


def streamed(decode: bool) -> Row:
    def build(folder: Path) -> Iterator[int]:
        data = opened(folder, streaming=True).shuffle(seed=0, buffer_size=256)
        while True:
            for pair in data:
                if decode:
                    check(png(pair["gt"]["bytes"]), png(pair["lq"]["bytes"]))
                yield 1

    return build


def mapped(decode: bool) -> Row:
    def build(folder: Path) -> Iterator[int]:
        data = opened(folder, streaming=False)
        rng = np.random.default_rng(0)
        while True:
            for i in rng.permutation(len(data)):
                pair = data[int(i)]
                if decode:
                    check(png(pair["gt"]["bytes"]), png(pair["lq"]["bytes"]))
                yield 1

    return build


if __name__ == "__main__":
    rows = {"PNG": mapped(True), "PNG, streaming": streamed(True), "bytes": mapped(False)}
    serve(rows | {"bytes, streaming": streamed(False)}, packages=("datasets", "pyarrow", "opencv-python-headless"))
