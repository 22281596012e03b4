"""Bringing old datasets in: paired folders and BasicSR LMDBs become shards that can be verified, inspected, streamed.

An imported pair has no plan and no typed columns, because nobody recorded how its LQ was made: it cannot be replayed
or filtered by parameters. Everything else holds: checksums, index arithmetic, splits by source, streaming.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeAlias

import lmdb
import xxhash

from degradekit.codecs import DEFAULT_CODEC, encode
from degradekit.errors import DegradekitError, ShardError, SourceError
from degradekit.shards.commit import commit
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.shards.manifest import DATASET, BuildFacts, finish
from degradekit.source import MAX_PIXELS, decode, list_images, open_source, read_header
from degradekit.source.header import inspect
from degradekit.storage import open_store
from degradekit.types import Record, Scalar, Tombstone

__all__ = ["Match", "import_pairs", "match_pairs"]

TOLD = 5
"""Problems that a message lists before it counts the rest."""

Sizes: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""(height, width) of a GT and of its LQ."""

_TILE = re.compile(r"(.+)_(s\d{3,})")
_SCALED = re.compile(r"(.+)x\d+")


class _Images(Protocol):
    """A set of image files by name."""

    place: str

    def names(self) -> Sequence[str]:
        """Every name, in order."""

    def size(self, name: str) -> tuple[int, int]:
        """(height, width) from the header."""

    def data(self, name: str) -> bytes:
        """The whole file."""


class _Folder:
    """Image files under a folder, glob, list file or URI; names are paths relative to it."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._uris = {image.key: image.uri for image in list_images(place).images}

    def names(self) -> Sequence[str]:
        return list(self._uris)

    def size(self, name: str) -> tuple[int, int]:
        header = read_header(self._uris[name])
        return header.h, header.w

    def data(self, name: str) -> bytes:
        with open_source(self._uris[name]) as file:
            return file.read()


class _Lmdb:
    """One of BasicSR's databases; names are the first words of the lines of ``meta_info.txt``."""

    def __init__(self, place: str) -> None:
        self.place = place
        try:
            lines = (Path(place) / "meta_info.txt").read_text(encoding="utf-8").splitlines()
            self._env: Any = lmdb.open(place, readonly=True, lock=False, lib_version=0)
        except (OSError, UnicodeDecodeError, lmdb.Error) as error:
            raise SourceError(f"{place} is no LMDB of BasicSR ({error}): it has data.mdb and meta_info.txt") from error
        self._names = sorted({line.split(" ")[0] for line in lines if line.strip()})
        if not self._names:
            self.close()
            raise SourceError(f"{place}/meta_info.txt names no image; give the LMDB's own folder")

    def names(self) -> Sequence[str]:
        return self._names

    def size(self, name: str) -> tuple[int, int]:
        header = inspect(io.BytesIO(self.data(name)), f"{self.place}:{name}", max_pixels=MAX_PIXELS)[1]
        return header.h, header.w

    def data(self, name: str) -> bytes:
        key = name.split(".", maxsplit=1)[0]  # as BasicSR does
        with self._env.begin() as transaction:
            value = transaction.get(key.encode())
        if value is None:
            raise SourceError(f"{self.place} has no key {key!r}, which its meta_info.txt names")
        return bytes(value)

    def close(self) -> None:
        self._env.close()


def _images(place: str | Path) -> _Images:
    text = str(place).rstrip("/")
    return _Lmdb(text) if (Path(text) / "data.mdb").is_file() else _Folder(text)


@dataclass(frozen=True, slots=True)
class Match:
    """Which LQ belongs to which GT, and what is wrong.

    Args:
        scale: GT side / LQ side.
        pairs: (name of the GT, name of the LQ), by the name of the GT.
        problems: One sentence for each image that fits into no pair.
    """

    scale: int
    pairs: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


def match_pairs(gt: str | Path, lq: str | Path, *, scale: int | None = None) -> Match:
    """Match two folders or BasicSR LMDBs by name, and compare sizes by the images' headers.

    ``0001.png`` matches ``0001.jpg`` and, as DIV2K writes it, ``0001x4.png``.

    Args:
        gt: Folder, glob, list file, URI or LMDB of the GTs.
        lq: The same of the LQs.
        scale: GT side / LQ side; None takes that of the first pair whose sides divide.

    Raises:
        SourceError: One of the two holds no images, or no pair has a whole scale.
    """
    one, two = _images(gt), _images(lq)
    try:
        return _match(one, two, scale)
    finally:
        _close(one, two)


def import_pairs(
    gt: str | Path,
    lq: str | Path,
    out: str | Path,
    *,
    scale: int | None = None,
    skip: bool = False,
    format: str = "parquet",
    codec: str = DEFAULT_CODEC,
    shard_size: int = 512,
) -> Dataset:
    """Make a dataset from pairs that exist; pixels are kept exactly, as upright 8- or 16-bit RGB.

    A tile named like ``0001_s003.png`` becomes the crop ``s003`` of the source ``0001.png``, so that splits keep the
    tiles of an image together. A file that cannot be decoded becomes a tombstone.

    Args:
        gt: See ``match_pairs``.
        lq: See ``match_pairs``.
        out: Dataset folder or URI; empty, or from an interrupted import of the same.
        scale: See ``match_pairs``.
        skip: Leave out what fits into no pair, rather than refuse.
        format: Name in ``FORMATS``.
        codec: Name in ``CODECS``.
        shard_size: Pairs of a shard.

    Raises:
        SourceError: There are no pairs, or without ``skip``: a partner is missing, or a GT is not ``scale`` times its
            LQ. The message names the first of them.
        ShardError: ``out`` cannot be written, or holds another dataset.
    """
    store = open_store(out)
    if DATASET in store.sizes():
        raise ShardError(f"{store.uri} already holds a dataset; import into an empty folder.")
    one, two = _images(gt), _images(lq)
    try:
        match = _match(one, two, scale)
        if match.problems and not skip:
            raise SourceError(_told(match.problems, gt, lq))
        if not match.pairs:
            raise SourceError(f"{gt} and {lq} have no pair; GT and LQ have equal names, or 0001.png and 0001x4.png")
        for number, first in enumerate(range(0, len(match.pairs), shard_size)):
            some = enumerate(match.pairs[first : first + shard_size], first)
            records = (_record(index, pair, (one, two), codec) for index, pair in some)
            commit(store, number, records, format=format, schema={})
    finally:
        _close(one, two)
    layout: dict[str, Any] = {"format": format, "codec": codec, "shard_size": shard_size, "schema": {}}
    finish(store, BuildFacts("", "", 0, match.scale, variants=1, samples=len(match.pairs), **layout))
    return open_dataset(out)


def _close(*images: _Images) -> None:
    for some in images:
        if isinstance(some, _Lmdb):
            some.close()


def _told(problems: Sequence[str], gt: object, lq: object) -> str:
    more = f"; and {len(problems) - TOLD} more" if len(problems) > TOLD else ""
    return (
        f"{len(problems)} images of {gt} and {lq} fit into no pair: {'; '.join(problems[:TOLD])}{more}: mend them, or "
        "leave them out (--skip)"
    )


def _match(gts: _Images, lqs: _Images, scale: int | None) -> Match:
    pairs, problems = _partners(gts.names(), lqs.names())
    sizes: dict[tuple[str, str], Sizes] = {}
    for gt, lq in pairs:
        try:
            sizes[gt, lq] = gts.size(gt), lqs.size(lq)
        except SourceError as error:
            problems.append(str(error))
    if sizes:
        scale = scale or _first_scale(sizes, gts.place, lqs.place)
    bad = {pair: told for pair, both in sizes.items() if (told := _misfit(pair[0], *both, scale or 1))}
    return Match(scale or 1, tuple(pair for pair in sizes if pair not in bad), (*problems, *bad.values()))


def _partners(gts: Sequence[str], lqs: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs by name in the order of their names, and a sentence for each name that has no partner."""
    by_stem: dict[str, str] = {}
    for name in gts:
        by_stem.setdefault(_stem(name), name)
    twins = [f"GT {name} and {by_stem[_stem(name)]} have one name" for name in gts if by_stem[_stem(name)] != name]
    partner: dict[str, str] = {}
    problems: list[str] = []
    for name in lqs:
        stem = _stem(name)
        scaled = _SCALED.fullmatch(stem)
        if stem not in by_stem and scaled:
            stem = scaled[1]
        if stem not in by_stem:
            problems.append(f"LQ {name} has no GT")
        elif stem in partner:
            problems.append(f"LQ {name} and {partner[stem]} belong to one GT")
        else:
            partner[stem] = name
    alone = [f"GT {name} has no LQ" for stem, name in by_stem.items() if stem not in partner]
    return [(by_stem[stem], partner[stem]) for stem in sorted(partner)], [*twins, *problems, *alone]


def _first_scale(sizes: Mapping[tuple[str, str], Sizes], gt: str, lq: str) -> int:
    for (h, w), (lq_h, lq_w) in sizes.values():
        if h % lq_h == 0 and w % lq_w == 0 and h // lq_h == w // lq_w:
            return h // lq_h
    raise SourceError(f"no GT of {gt} is a whole number of times as large as its LQ of {lq}; are the two swapped?")


def _misfit(name: str, gt: tuple[int, int], lq: tuple[int, int], scale: int) -> str:
    wanted = lq[0] * scale, lq[1] * scale
    if gt == wanted:
        return ""
    told = f"GT {name} is {gt[0]}x{gt[1]} px, {scale} times its LQ of {lq[0]}x{lq[1]} are {wanted[0]}x{wanted[1]}"
    near = all(0 <= a - b < scale for a, b in zip(gt, wanted, strict=True))
    return f"{told} (crop the GT to that)" if near else told


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _key(gt: str) -> str:
    """``0001_s003.png`` -> ``0001.png#s003``; another name is a key as it is."""
    tile = _TILE.fullmatch(_stem(gt))
    return f"{tile[1]}{PurePosixPath(gt).suffix}#{tile[2]}" if tile else gt


def _record(index: int, pair: tuple[str, str], images: tuple[_Images, _Images], codec: str) -> Record | Tombstone:
    key = _key(pair[0])
    try:
        data = [some.data(name) for some, name in zip(images, pair, strict=True)]
        # Named as in their folders, so that a dataset holds no path of this machine.
        gt, lq = (decode(file, name)[None] for name, file in zip(pair, data, strict=True))
    except DegradekitError as error:
        return Tombstone(index, key, 0, "read", str(error))
    h, w = gt.shape[1:3]
    digest = f"{xxhash.xxh3_64_intdigest(data[0]):016x}"
    meta: dict[str, Scalar] = {"source": pair[0], "source_h": h, "source_w": w, "source_xxh3": digest, "lq": pair[1]}
    return Record(index, key, 0, encode(gt, codec), encode(lq, codec), "", {}, meta)
