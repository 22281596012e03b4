"""Datasets of tiny pairs whose pixels say which pair they are."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from degradekit.codecs import encode
from degradekit.shards.commit import commit
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.storage import open_store
from degradekit.types import Record, Tombstone

SCHEMA = {"deg.jpeg1.quality": "int", "deg.blur1.sigma_x": "float", "deg.noise1.op": "str"}
Make = Callable[..., Path]


def gt_pixels(index: int, variants: int = 1, side: int = 16, frames: int = 1) -> np.ndarray:
    """A GT that tells its sample and, at each pixel, its place."""
    clip = np.empty((frames, side, side, 3), np.uint8)
    clip[..., 0] = index // variants % 251
    clip[..., 1] = np.arange(side)[:, None] * 4
    clip[..., 2] = np.arange(side)[None, :] * 4 + np.arange(frames)[:, None, None] % 4
    return clip


def lq_pixels(index: int, variants: int = 1, side: int = 16, frames: int = 1) -> np.ndarray:
    """Every fourth pixel of the GT, with the index of the pair instead of the sample's."""
    lq = gt_pixels(index, variants, side, frames)[:, ::4, ::4].copy()
    lq[..., 0] = index % 251
    return lq


def record(index: int, variants: int, codec: str, side: int, frames: int) -> Record:
    columns = {"deg.jpeg1.quality": index % 100, "deg.blur1.sigma_x": index / 8}
    if index % 2:
        columns["deg.noise1.op"] = "gaussian_noise" if index % 4 == 1 else "poisson_noise"
    return Record(
        index=index,
        key=f"photos/{index // variants:04d}.png#r0",
        variant=index % variants,
        gt=encode(gt_pixels(index, variants, side, frames), codec),
        lq=encode(lq_pixels(index, variants, side, frames), codec),
        plan=f'{{"pair":{index}}}',
        columns=columns,
        meta={"source": "x"},
    )


def make(
    out: str | Path,
    count: int,
    *,
    shard_size: int = 8,
    variants: int = 1,
    format: str = "parquet",
    codec: str = "qoi",
    dead: Collection[int] = (),
    side: int = 16,
    frames: int = 1,
    seed: int = 0,
) -> None:
    store = open_store(out)
    for number, first in enumerate(range(0, count, shard_size)):
        records: list[Record | Tombstone] = []
        for index in range(first, min(first + shard_size, count)):
            made = record(index, variants, codec, side, frames)
            gone = Tombstone(index, made.key, made.variant, "read", "an empty file")
            records.append(gone if index in dead else made)
        commit(store, number, records, format=format, schema=SCHEMA)
    facts = BuildFacts(
        "", "", seed, 4, format=format, codec=codec, shard_size=shard_size, variants=variants, samples=count,
        schema=SCHEMA,
    )  # fmt: skip
    finish(store, facts)


@pytest.fixture(scope="session")
def make_set(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make a dataset once for all tests that ask for the same; read only."""
    known: dict[str, Path] = {}

    def build(count: int, **options: object) -> Path:
        name = f"{count} {sorted(options.items())}"
        if name not in known:
            known[name] = tmp_path_factory.mktemp("set") / "set"
            make(known[name], count, **options)  # type: ignore[arg-type]
        return known[name]

    return build


@pytest.fixture
def fresh_set(tmp_path: Path) -> Make:
    """Make a dataset that the test may damage."""

    def build(count: int, **options: object) -> Path:
        out = tmp_path / "fresh"
        make(out, count, **options)  # type: ignore[arg-type]
        return out

    return build


@pytest.fixture(params=["parquet", "lmdb", "row groups"])
def any_format(request: pytest.FixtureRequest, make_set: Make) -> Callable[..., Dataset]:
    """Open the same dataset in each format; Parquet also without its offsets."""

    def build(count: int, **options: object) -> Dataset:
        if request.param != "row groups":
            return open_dataset(make_set(count, format=request.param, **options))
        dataset = open_dataset(make_set(count, **options))
        rows = tuple(replace(row, offsets_sha256="") for row in dataset.shards)
        return replace(dataset, shards=rows)

    return build
