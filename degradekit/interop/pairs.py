"""The pairs of a dataset as other formats want them: under a plain name, as image files or arrays, with their facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from degradekit.codecs import decode, encode
from degradekit.errors import DegradekitError
from degradekit.shards.dataset import Dataset
from degradekit.types import Array, EncodedImage, Record

__all__ = ["IMAGE_CODECS", "ROLES", "Pair", "chunked", "pairs_of", "still"]

Item = TypeVar("Item")

ROLES = ("gt", "lq")
IMAGE_CODECS = ("png", "webp")
"""Lossless codecs that every image library reads."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair on its way out.

    Args:
        record: As it is stored.
    """

    record: Record

    @property
    def name(self) -> str:
        """Index as eight digits: unique, in the dataset's order, and free of what a format may not like in a name."""
        return f"{self.record.index:08d}"

    @property
    def frames(self) -> int:
        """1 for an image."""
        return self.record.gt.shape[0]

    def image(self, role: str) -> EncodedImage:
        """The stored image.

        Args:
            role: ``gt`` or ``lq``.
        """
        return self.record.gt if role == "gt" else self.record.lq

    def pixels(self, role: str) -> Array:
        """``[T, H, W, C]``, uint8 or uint16."""
        return decode(self.image(role))

    def files(self, role: str, codec: str) -> list[tuple[str, bytes]]:
        """Every frame as an image file: (extension, bytes). What is stored with that codec is not encoded again.

        Args:
            role: ``gt`` or ``lq``.
            codec: In ``IMAGE_CODECS``; what it cannot hold (16 bits as WebP) becomes PNG.

        Raises:
            DegradekitError: No image file holds it.
        """
        image = self.image(role)
        if image.codec == codec and self.frames == 1:
            return [(codec, bytes(image.data))]
        clip = self.pixels(role)
        stored = [encode(clip[t : t + 1], codec) for t in range(self.frames)]
        for frame in stored:
            if frame.codec not in IMAGE_CODECS:
                raise DegradekitError(f"{role} of {self.record.key} ({image.shape} {image.dtype}) fits no image file")
        return [(frame.codec, bytes(frame.data)) for frame in stored]

    def facts(self) -> dict[str, Any]:
        """What is known of the pair, as JSON values; ``plan`` is None where it was imported."""
        record = self.record
        identity = {"name": self.name, "index": record.index, "key": record.key, "variant": record.variant}
        plan = json.loads(record.plan) if record.plan else None
        return {**identity, "columns": record.columns, "meta": record.meta, "plan": plan}


def pairs_of(dataset: Dataset, indices: Iterable[int] | None = None) -> Iterator[Pair]:
    """The pairs of a dataset in order, tombstones left out.

    Args:
        dataset: From ``open_dataset``.
        indices: Which; None takes all.
    """
    for index in range(len(dataset)) if indices is None else indices:
        record = dataset.read(int(index))
        if isinstance(record, Record):
            yield Pair(record)


def still(pair: Pair, format: str) -> Pair:
    """The pair, if it is one of images.

    Raises:
        DegradekitError: It is one of clips, which the format has no convention for.
    """
    if pair.frames != 1:
        raise DegradekitError(
            f"{pair.record.key} is a clip of {pair.frames} frames, which {format} has no convention for; "
            "export to folders, basicsr or hdf5"
        )
    return pair


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of ``size`` items; the last may be shorter.

    Example:
        >>> list(chunked("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some
