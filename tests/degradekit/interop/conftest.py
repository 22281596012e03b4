"""A small finished dataset of stills, or of clips, made without a recipe."""

import json

import cv2
import numpy as np
import pytest

from degradekit.codecs import encode
from degradekit.shards.commit import commit
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.storage import open_store
from degradekit.types import Record, Tombstone

SCHEMA = {"deg.blur.op": "str", "deg.blur.sigma": "float", "deg.jpeg.quality": "int", "gt.flip.done": "bool"}
DEAD = 5


def _picture(rng, frames, side):
    pixels = rng.integers(0, 256, (frames, 4, 5, 3)).astype(np.float32)
    return np.stack([cv2.resize(frame, side, interpolation=cv2.INTER_LINEAR) for frame in pixels]).astype(np.uint8)


def _record(index, rng, frames, codec, source):
    key = f"ordner/bild.{index // 2:02d} ü.png#r{index % 2}"
    if index == DEAD:
        return Tombstone(index, key, 0, "read", "truncated")
    columns = {"deg.jpeg.quality": 30 + index, "deg.blur.op": "gaussian"}
    if index % 3:
        columns |= {"deg.blur.sigma": index / 8, "gt.flip.done": index % 2 == 0}
    images = [encode(_picture(rng, frames, side), codec) for side in ((20, 16), (5, 4))]
    meta = {"source": key.partition("#")[0], "source_xxh3": source or f"{index // 2:016x}"}
    return Record(index, key, 0, *images, json.dumps({"step": index}), columns, meta)


@pytest.fixture
def make(tmp_path):
    """Build a dataset of ``count`` crops, two of each source, in shards of 8."""

    def build(count=20, *, frames=1, codec="qoi", format="parquet", same=None, name="set"):
        rng = np.random.default_rng(count)
        contents = same or {}
        records = [_record(i, rng, frames, codec, contents.get(i // 2)) for i in range(count)]
        store = open_store(tmp_path / name)
        for number in range(-(-count // 8)):
            commit(store, number, records[number * 8 :][:8], format=format, schema=SCHEMA)
        facts = {"shard_size": 8, "variants": 1, "samples": count, "schema": SCHEMA}
        finish(store, BuildFacts("", "", 0, 4, format=format, codec=codec, **facts))
        return open_dataset(tmp_path / name)

    return build


@pytest.fixture
def stills(make):
    return make()


@pytest.fixture
def pixels():
    """Every pair of a dataset: name -> (GT, LQ, record), clips without their first axis where it is 1."""
    from degradekit.codecs import decode

    def read(dataset):
        out = {}
        for index in range(len(dataset)):
            record = dataset.read(index)
            if isinstance(record, Record):
                clips = [decode(image) for image in (record.gt, record.lq)]
                out[f"{index:08d}"] = (*(clip[0] if len(clip) == 1 else clip for clip in clips), record)
        return out

    return read
