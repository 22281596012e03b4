"""Train, validation and test: by source image, never by crop.

Which split a pair is in is a pure function of the name of its source image, the ratios and a seed, so it needs no list,
holds for every format, and does not move when sources are added. All crops, frames and variants of one source go
together. What a name cannot show, two files with the same content, is found by ``leaks``.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from degradekit.canonical import canonical_json
from degradekit.errors import DegradekitError
from degradekit.rng import hash64
from degradekit.shards.dataset import Dataset
from degradekit.types import Record, Tombstone

__all__ = [
    "RATIOS",
    "Leak",
    "Ratios",
    "check_ratios",
    "in_split",
    "leaks",
    "parse_ratios",
    "source_of",
    "split_indices",
    "split_of",
]

Ratios: TypeAlias = Mapping[str, float]
"""Share of the sources by name of the split, in their order; they add up to 1."""

RATIOS: Ratios = {"train": 0.8, "val": 0.1, "test": 0.1}

_CLIP = re.compile(r"@\d+$")


def check_ratios(ratios: Ratios) -> None:
    """Refuse shares that are no shares.

    Raises:
        DegradekitError: There is none, one is negative or no number, or they do not add up to 1.
    """
    if not ratios or not all(0 <= share <= 1 for share in ratios.values()) or not math.isclose(sum(ratios.values()), 1):
        told = ", ".join(f"{name}={share}" for name, share in ratios.items()) or "none"
        raise DegradekitError(f"split ratios {told}: give numbers from 0 to 1 that add up to 1")


def parse_ratios(text: str) -> dict[str, float]:
    """Ratios as a command line writes them.

    Raises:
        DegradekitError: Not of this form, or the shares do not add up to 1.

    Example:
        >>> parse_ratios("train=0.9,val=0.1")
        {'train': 0.9, 'val': 0.1}
    """
    out: dict[str, float] = {}
    for part in text.split(","):
        name, equals, share = part.strip().partition("=")
        try:
            number = float(share)
        except ValueError:
            number = math.nan
        if not re.fullmatch(r"\w+", name) or not equals or name in out or math.isnan(number):
            raise DegradekitError(f"split ratios {text!r}: write train=0.8,val=0.1,test=0.1")
        out[name] = number
    check_ratios(out)
    return out


def source_of(key: str) -> str:
    """The source of a sample key: without the crop, and without the first frame of a clip.

    Example:
        >>> source_of("a/cat.png#r0"), source_of("walk.mp4@120#crop1"), source_of("old/0001")
        ('a/cat.png', 'walk.mp4', 'old/0001')
    """
    path, hash_, _ = key.rpartition("#")
    return _CLIP.sub("", path if hash_ else key)


def split_of(source: str, ratios: Ratios = RATIOS, *, seed: int = 0) -> str:
    """The split that a source belongs to, for ever.

    Args:
        source: Path of the source relative to its root, or a sample key; see ``source_of``.
        ratios: Share of each split; a larger one holds more sources.
        seed: Another seed gives other splits of the same shares.

    Raises:
        DegradekitError: The ratios do not add up to 1.

    Example:
        >>> [split_of(f"{i}.png#r0", {"train": 0.5, "val": 0.5}) for i in range(4)]
        ['train', 'val', 'train', 'train']
        >>> split_of("2.png#r0") == split_of("2.png#r7") == split_of("2.png")
        True
    """
    check_ratios(ratios)
    return _place(source_of(source), ratios, seed)


def _place(source: str, ratios: Ratios, seed: int) -> str:
    u = (hash64(f"{seed}:split:{source}") >> 11) * 2.0**-53
    edge = 0.0
    held = [name for name, share in ratios.items() if share > 0]
    for name in held:
        edge += ratios[name]
        if u < edge:
            return name
    return held[-1]  # the shares' sum may be an ulp below 1


def split_indices(dataset: Dataset, ratios: Ratios = RATIOS, *, seed: int = 0) -> dict[str, npt.NDArray[np.int64]]:
    """The dataset's indices of each split, tombstones included, in order; reads the lists of names, no pixels.

    Raises:
        DegradekitError: The ratios do not add up to 1.
    """
    check_ratios(ratios)
    code = {name: number for number, name in enumerate(ratios)}
    codes = np.empty(len(dataset), np.int8)
    for row in dataset.shards:
        known: dict[str, int] = {}
        for at, key in enumerate(dataset.shard(row.number).table([])["key"].to_pylist(), row.first_index):
            source = source_of(key)
            if source not in known:
                known[source] = code[_place(source, ratios, seed)]
            codes[at] = known[source]
    return {name: np.flatnonzero(codes == number) for name, number in code.items()}


def in_split(dataset: Dataset, name: str, ratios: Ratios = RATIOS, *, seed: int = 0) -> Dataset:
    """One split of a dataset as a dataset: pairs of the other splits read as dropped.

    For streaming a split without a copy: ``PairStream(in_split(open_dataset("out"), "train"))``. Its ``id`` is its own,
    so a stream's state fits no other split. Costs memory for every pair left out, and reads the lists of names.

    Raises:
        DegradekitError: There is no such split, or the ratios do not add up to 1.
    """
    if name not in ratios:
        raise DegradekitError(f"there is no split {name!r}; the ratios have {', '.join(ratios)}")
    kept = split_indices(dataset, ratios, seed=seed)[name]
    outside = np.ones(len(dataset), bool)
    outside[kept] = False
    dropped = dict(dataset.dropped)
    for row in dataset.shards:
        table = dataset.shard(row.number).table([])
        keys, variants = table["key"].to_pylist(), table["variant"].to_pylist()
        for at in np.flatnonzero(outside[row.first_index :][: row.rows]).tolist():
            index = row.first_index + at
            dropped[index] = Tombstone(index, keys[at], variants[at], "split", f"it is not in split {name}")
    dead = {tombstone.index for tombstone in dataset.tombstones()}
    counts = {**dataset.info["counts"], "ok": len(kept) - len(dead & set(kept.tolist())), "dropped": len(dropped)}
    identity = [dataset.id, "split", name, list(ratios.items()), seed]
    digest = hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:16]
    return replace(dataset, info={**dataset.info, "dataset_id": digest, "counts": counts}, dropped=dropped)


@dataclass(frozen=True, slots=True)
class Leak:
    """Two sources of one content in two splits.

    Args:
        source: The later one.
        split: The split it is in.
        twin: The one that came first.
        twin_split: The split that one is in.
    """

    source: str
    split: str
    twin: str
    twin_split: str

    def __str__(self) -> str:
        return f"{self.source} ({self.split}) has the same content as {self.twin} ({self.twin_split})"


def leaks(dataset: Dataset, ratios: Ratios = RATIOS, *, seed: int = 0) -> list[Leak]:
    """Sources with one content that are in two splits, found by the hash that a build records of every source.

    Crops of one source cannot be torn apart, because the split is decided by its name. A file that occurs twice under
    two names can: leave the later one out, which every ``Leak`` names.
    """
    check_ratios(ratios)
    return list(dict.fromkeys(_leaks(_contents(dataset), ratios, seed)))


def _contents(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(source, hash of its content) of every source, or clip of one, that has one recorded."""
    before = ("", "")
    for row in dataset.shards:
        for block in dataset.shard(row.number).blocks(("meta",)):
            for record in block:
                if isinstance(record, Record) and "source_xxh3" in record.meta and record.index not in dataset.dropped:
                    pair = source_of(record.key), str(record.meta["source_xxh3"])
                    if pair != before:
                        yield pair
                    before = pair


def _leaks(contents: Iterable[tuple[str, str]], ratios: Ratios, seed: int) -> Iterator[Leak]:
    first: dict[str, str] = {}
    for source, content in contents:
        twin = first.setdefault(content, source)
        here, there = _place(source, ratios, seed), _place(twin, ratios, seed)
        if here != there:
            yield Leak(source, here, twin, there)
