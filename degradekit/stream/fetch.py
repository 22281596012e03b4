"""Getting the stored bytes of pairs without copying them.

A local Parquet shard with value offsets is mapped into memory, and an image is a slice of the map: 22 us a pair of
115 KB against 38 us with ``pread`` into a buffer that is used again. Everything else goes through the shard readers.
"""

from __future__ import annotations

import mmap
import resource
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from degradekit.codecs import checksum
from degradekit.errors import DegradekitError, ShardError
from degradekit.shards.dataset import Dataset
from degradekit.shards.offsets import Offsets, Slot, beside
from degradekit.types import EncodedImage, Record, Scalar, Tombstone

__all__ = ["Fetched", "Fetcher", "Lost", "Outcome"]

OPEN_SHARDS = 1024
"""Shards a fetcher keeps mapped at most; each costs its offsets, about 100 bytes a pair, and a file descriptor."""


class Fetched(NamedTuple):
    """What a stream needs of one pair; images that were not asked for are None."""

    key: str
    variant: int
    gt: EncodedImage | None
    lq: EncodedImage | None
    columns: dict[str, Scalar]
    plan: str
    meta: Mapping[str, Scalar] = MappingProxyType({})


class Lost(NamedTuple):
    """A pair that cannot be had, and why; ``asked`` where the recipe itself leaves it out."""

    key: str
    reason: str
    asked: bool = False


Outcome: TypeAlias = Fetched | Lost


class _Mapped(NamedTuple):
    name: str
    data: memoryview
    offsets: Offsets


class Fetcher:
    """Reads pairs of one dataset in one process and one thread.

    Args:
        dataset: The dataset, whose store may be a cache.
        parts: What to read, as in ``Dataset.read``.
        validate: Check every image against its checksum; texts always are.
    """

    def __init__(self, dataset: Dataset, parts: Sequence[str], *, validate: bool = True) -> None:
        self._dataset = dataset
        self._parts = tuple(parts)
        self._texts = tuple(part for part in parts if part in {"columns", "plan", "meta"})
        self._validate = validate
        self._rows = int(dataset.info["shard_size"])
        self._maps: OrderedDict[int, _Mapped | None] = OrderedDict()
        # Half of the descriptors that the process may have; a shard that is mapped again costs 0.1 ms.
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = OPEN_SHARDS if limit == resource.RLIM_INFINITY else min(OPEN_SHARDS, limit // 2)

    def fetch(self, index: int) -> Outcome:
        """The pair with this index, or why there is none."""
        number, row = divmod(index, self._rows)
        try:
            mapped = self._mapped(number)
            if mapped is None:
                return self._read(index)
            entry = mapped.offsets[row]
            if entry.gt is None or entry.lq is None:
                return self._read(index)
            gt = self._image(mapped, entry.gt) if "gt" in self._parts else None
            lq = self._image(mapped, entry.lq) if "lq" in self._parts else None
            if not self._texts:
                return Fetched(entry.key, entry.variant, gt, lq, {}, "")
            texts = self._dataset.read(index, self._texts)
            assert isinstance(texts, Record)  # the offsets know that it was made
            return Fetched(entry.key, entry.variant, gt, lq, texts.columns, texts.plan, texts.meta)
        except DegradekitError as error:
            return Lost(self._name(index), str(error))

    def _image(self, mapped: _Mapped, slot: Slot) -> EncodedImage:
        data = mapped.data[slot.offset : slot.offset + slot.length]
        if self._validate and checksum(data) != slot.xxh3:
            raise ShardError(f"{mapped.name}: an image fails its checksum: the file is damaged, rebuild the shard.")
        return EncodedImage(data, slot.codec, slot.shape, slot.dtype)

    def _read(self, index: int) -> Outcome:
        record = self._dataset.read(index, self._parts)
        if isinstance(record, Tombstone):
            return Lost(record.key, f"it was not made: {record.reason}")
        gt = record.gt if "gt" in self._parts else None
        lq = record.lq if "lq" in self._parts else None
        return Fetched(record.key, record.variant, gt, lq, record.columns, record.plan, record.meta)

    def _name(self, index: int) -> str:
        try:
            return self._dataset.read(index, ()).key
        except DegradekitError:
            return f"sample {index}"

    def _mapped(self, number: int) -> _Mapped | None:
        if number in self._maps:
            self._maps.move_to_end(number)
            return self._maps[number]
        mapped = self._maps[number] = self._map(number)
        if len(self._maps) > self._most:
            self._maps.popitem(last=False)  # unmapped with the last slice of it
        return mapped

    def _map(self, number: int) -> _Mapped | None:
        """A local shard that has offsets; None for any other, which is read through its reader."""
        row = self._dataset.shards[number]
        if not row.offsets_sha256:
            return None
        path = self._dataset.store.open(row.file).path
        index = self._dataset.store.open(str(beside(PurePosixPath(row.file)))).path
        if path is None or index is None or not index.exists():
            return None
        offsets = Offsets(index.read_bytes(), str(index))
        try:
            with path.open("rb") as file:
                data = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        except (OSError, ValueError) as error:
            raise ShardError(f"{path} cannot be read: {error}; restore or rebuild the shard.") from error
        if len(data) != offsets.shard_bytes:
            raise ShardError(f"{path} has {len(data)} of {offsets.shard_bytes} bytes: it is truncated, rebuild it.")
        return _Mapped(str(path), data, offsets)

    def forget(self) -> None:
        """Drop what is open: files were replaced."""
        self._maps.clear()
        self._dataset.close()
