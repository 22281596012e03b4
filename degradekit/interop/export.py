"""Writing a dataset in a neighbour's format, whole or in splits by source image."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from degradekit.errors import DegradekitError
from degradekit.interop import basicsr, folders, hdf5, huggingface, mds, webdataset
from degradekit.interop.pairs import IMAGE_CODECS, Pair, pairs_of
from degradekit.shards.dataset import Dataset
from degradekit.shards.summary import Schema
from degradekit.splits import Ratios, leaks, source_of, split_indices
from degradekit.storage import io_errors

__all__ = ["EXPORTS", "export"]

Writer: TypeAlias = Callable[[Iterable[Pair], Path, str, Schema], int]

EXPORTS: dict[str, Writer] = {
    "folders": lambda pairs, folder, codec, schema: folders.write(pairs, folder, codec=codec),
    "basicsr": lambda pairs, folder, codec, schema: basicsr.write(pairs, folder, codec=codec),
    "webdataset": lambda pairs, folder, codec, schema: webdataset.write(pairs, folder, codec=codec),
    "huggingface": lambda pairs, folder, codec, schema: huggingface.write(pairs, folder, codec=codec, schema=schema),
    "hdf5": lambda pairs, folder, codec, schema: hdf5.write(pairs, folder, schema=schema),
    "mds": lambda pairs, folder, codec, schema: mds.write(pairs, folder, codec=codec),
}
"""Every format by the name that a command line uses."""


def export(
    dataset: Dataset,
    to: str,
    out: str | Path,
    *,
    ratios: Ratios | None = None,
    seed: int = 0,
    codec: str = "png",
    drop_leaks: bool = False,
) -> dict[str, int]:
    """Write a dataset in another format; tombstones are left out, and nothing is there before everything is.

    Args:
        dataset: From ``open_dataset``.
        to: Name in ``EXPORTS``.
        out: Local folder, new or empty.
        ratios: Share of each split; each is written into a folder of its name. None writes one whole.
        seed: Chooses the splits.
        codec: How images are stored where the format holds image files: ``png`` or ``webp`` (lossless, smaller,
            slower).
        drop_leaks: Leave out sources whose content another split has, rather than refuse.

    Returns:
        Pairs of each split; of the whole under the empty name.

    Raises:
        DegradekitError: The format is unknown or cannot hold the pairs, ``out`` is not empty or cannot be written, a
            split is empty, or content is in two splits.
    """
    if to not in EXPORTS or codec not in IMAGE_CODECS:
        what, known = (to, EXPORTS) if to not in EXPORTS else (codec, IMAGE_CODECS)
        raise DegradekitError(f"{what!r} is unknown to export; choose one of {', '.join(known)}")
    indices = {"": None} if ratios is None else _split(dataset, ratios, seed, drop_leaks)
    counts = {}
    with _whole(Path(out)) as folder, io_errors(f"{out} cannot be written"):
        for name, chosen in indices.items():
            place = folder / name
            place.mkdir(exist_ok=True)
            counts[name] = EXPORTS[to](pairs_of(dataset, chosen), place, codec, dataset.schema)
            if not counts[name]:
                raise DegradekitError(
                    f"{dataset.store.uri}: {f'split {name}' if name else 'the dataset'} holds no pair; "
                    "choose other ratios or another seed"
                )
    return counts


def _split(dataset: Dataset, ratios: Ratios, seed: int, drop: bool) -> dict[str, list[int] | None]:
    found = leaks(dataset, ratios, seed=seed)
    if found and not drop:
        told = "; ".join(map(str, found[:3])) + ("; ..." if len(found) > 3 else "")
        raise DegradekitError(
            f"{dataset.store.uri}: {len(found)} sources are in two splits under two names: {told}: leave them out "
            "(--drop-leaks), or build without them"
        )
    lost = {leak.source for leak in found}
    keys = dataset.table([])["key"].to_pylist() if lost else []
    gone = np.array([i for i, key in enumerate(keys) if source_of(key) in lost], np.int64)
    split = split_indices(dataset, ratios, seed=seed)
    return {name: np.setdiff1d(chosen, gone).tolist() for name, chosen in split.items()}


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place when everything is in it."""
    partial = out.with_name(f".{out.name}.partial")
    with io_errors(f"{out} cannot be written"):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DegradekitError(f"{out} is there already; choose a new folder")
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    try:
        yield partial
        with io_errors(f"{out} cannot be written"):
            if out.exists():
                out.rmdir()
            partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
