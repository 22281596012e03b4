"""Records small enough to write by the hundred and odd enough to matter."""

import numpy as np
import pytest

from degradekit.codecs import encode
from degradekit.types import Record, Tombstone

SCHEMA = {"deg.blur.op": "str", "deg.blur.sigma": "float", "deg.jpeg.quality": "int", "gt.flip.done": "bool"}


def _record(index, variants, gt, rng, codec):
    lq = encode(rng.integers(0, 256, (1, 4, 5, 3)).astype(np.uint8), codec)
    columns = {"deg.jpeg.quality": index - 3, "deg.blur.sigma": index / 7}
    if index % 3:
        columns |= {"deg.blur.op": f"öp{index % 2}", "gt.flip.done": index % 2 == 0}
    return Record(
        index=index,
        key=f"földer/img{index // variants:04d}.png#0,0",
        variant=index % variants,
        gt=gt,
        lq=lq,
        plan=f'{{"draw":{index},"text":"é"}}',
        columns=columns,
        meta={"uri": f"földer/img{index // variants:04d}.png", "height": 300},
    )


def make_records(count, *, first=0, variants=1, dead=(), codec="png", size=(16, 20)):
    """Deterministic records and, at the indices in ``dead``, tombstones."""
    out = []
    for index in range(first, first + count):
        key = index // variants
        if index % variants == 0 or not out:
            pixels = np.random.default_rng(key).integers(0, 256, (1, *size, 3)).astype(np.uint8)
            gt = encode(pixels, codec)
        rng = np.random.default_rng([index, 1])
        record = _record(index, variants, gt, rng, codec)
        if index in dead:
            record = Tombstone(index, record.key, record.variant, "read", f"truncated, ä at {index}")
        out.append(record)
    return out


@pytest.fixture
def schema():
    return dict(SCHEMA)


@pytest.fixture
def records():
    return make_records
