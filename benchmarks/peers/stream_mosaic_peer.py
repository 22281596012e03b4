"""MosaicML Streaming on its own local shards: iterated with shuffle=True (py1e), and by random index.

Two classes of transformers are named in an ``isinstance`` for text batches; empty ones stand in for them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from stream_serve import Row, check, png, serve


def stand_in(name: str, **members: Any) -> None:
    module = ModuleType(name)
    module.__path__ = []
    for key, value in members.items():
        setattr(module, key, value)
    sys.modules[name] = module


stand_in("transformers")
stand_in("transformers.feature_extraction_utils", BatchFeature=type("BatchFeature", (), {}))
stand_in("transformers.tokenization_utils_base", BatchEncoding=type("BatchEncoding", (), {}))
spec = find_spec("streaming")
if spec is None or spec.submodule_search_locations is None:
    raise ModuleNotFoundError("No module named 'streaming'", name="streaming")
stand_in("streaming")
sys.modules["streaming"].__path__ = list(spec.submodule_search_locations)  # without text, vision and multimodal

from streaming.base import StreamingDataset  # noqa: E402


def opened(folder: Path, **more: Any) -> StreamingDataset:
    from streaming.base.format.mds import encodings

    # Images as their stored bytes: decoded below by OpenCV, which is faster than the Pillow of their encoding.
    encodings._encodings["png"] = encodings._encodings["bytes"]
    return StreamingDataset(local=str(folder / "mds"), batch_size=1, **more)


def iterated(decode: bool) -> Row:
    def build(folder: Path) -> Iterator[int]:
        dataset = opened(folder, shuffle=True)
        while True:
            for sample in dataset:
                if decode:
                    check(png(sample["gt"]), png(sample["lq"]))
                yield 1

    return build


def random(decode: bool) -> Row:
    def build(folder: Path) -> Iterator[int]:
        dataset = opened(folder, shuffle=False)
        rng = np.random.default_rng(0)
        while True:
            for i in rng.permutation(len(dataset)):
                sample = dataset[int(i)]
                if decode:
                    check(png(sample["gt"]), png(sample["lq"]))
                yield 1

    return build


if __name__ == "__main__":
    rows = {"PNG": iterated(True), "PNG, by index": random(True), "bytes": iterated(False)}
    serve(rows | {"bytes, by index": random(False)}, packages=("mosaicml-streaming", "opencv-python-headless"))
