"""What a stream draws pairs from: a dataset, or images that become pairs on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from degradekit import codecs
from degradekit.errors import DegradekitError
from degradekit.shards.dataset import Dataset
from degradekit.stream.fetch import Fetched, Fetcher, Lost, Outcome
from degradekit.stream.order import Ints
from degradekit.stream.select import Selection, Variants, select
from degradekit.stream.where import parse_filter
from degradekit.types import Array, EncodedImage

__all__ = ["Pairs", "Reader", "StoredPairs", "raw"]


class Reader(Protocol):
    """Reads pairs in one process and one thread."""

    def fetch(self, index: int) -> Outcome:
        """One pair, or why there is none."""

    def forget(self) -> None:
        """Drop what is open."""


class Pairs(Protocol):
    """Pairs by index, cut into shards; picklable."""

    @property
    def id(self) -> str:
        """Identity of the content."""

    @property
    def uri(self) -> str:
        """Where they are, for messages."""

    @property
    def scale(self) -> int:
        """GT side / LQ side."""

    @property
    def bounds(self) -> Ints:
        """First index of each shard, and the number of pairs."""

    @property
    def group(self) -> int:
        """Variants of each GT; they have neighbouring indices."""

    @property
    def columns(self) -> dict[str, str]:
        """Typed columns."""

    @property
    def window(self) -> int | None:
        """Shards to mix at a time unless told otherwise; None where any pair is at hand."""

    def select(self, where: str | None, variants: Variants) -> Selection:
        """The pairs to draw from."""

    def find(self, key: str) -> list[int]:
        """Indices of a sample's variants."""

    def reader(self, parts: Sequence[str], *, validate: bool) -> Reader:
        """A reader for this process."""

    def ahead(self, indices: Sequence[int]) -> None:
        """Bring near what these pairs need; may be called from another thread."""


@dataclass(frozen=True)
class StoredPairs:
    """Pairs of a dataset.

    Args:
        dataset: The dataset.
        virtual: Make LQs again from GT and plan instead of reading them.
    """

    dataset: Dataset
    virtual: bool = False

    @property
    def id(self) -> str:
        """Identity of the content."""
        return self.dataset.id

    @property
    def uri(self) -> str:
        """Where the dataset is."""
        return self.dataset.store.uri

    @property
    def scale(self) -> int:
        """GT side / LQ side."""
        return self.dataset.scale

    @property
    def bounds(self) -> Ints:
        """First index of each shard, and the number of pairs."""
        return np.array([*(shard.first_index for shard in self.dataset.shards), len(self.dataset)], np.int64)

    @property
    def group(self) -> int:
        """Variants of each GT; they have neighbouring indices."""
        return int(self.dataset.info["variants"])

    @property
    def columns(self) -> dict[str, str]:
        """Typed columns."""
        return dict(self.dataset.schema)

    @property
    def window(self) -> int | None:
        """None: any pair is at hand."""
        return None

    def select(self, where: str | None, variants: Variants) -> Selection:
        """The pairs to draw from."""
        return select(self.dataset, parse_filter(where, self.columns) if where else None, variants)

    def find(self, key: str) -> list[int]:
        """Indices of a sample's variants."""
        found = (self.dataset.find(key, variant) for variant in range(self.group))
        return [index for index in found if index is not None]

    def reader(self, parts: Sequence[str], *, validate: bool) -> Reader:
        """A reader for this process."""
        if not self.virtual or "lq" not in parts:
            return Fetcher(self.dataset, parts, validate=validate)
        wanted = (*(part for part in parts if part not in {"lq", "gt", "plan"}), "gt", "plan")
        return VirtualReader(Fetcher(self.dataset, wanted, validate=validate))

    def ahead(self, indices: Sequence[int]) -> None:
        """Nothing: what is local is near."""


@dataclass(frozen=True)
class VirtualReader:
    """Makes LQs from stored GT and plan: bit for bit what was, or would have been, stored.

    Args:
        inner: Reads GT and plan.
    """

    inner: Fetcher

    def fetch(self, index: int) -> Outcome:
        """One pair, or why there is none."""
        found = self.inner.fetch(index)
        if isinstance(found, Lost):
            return found
        assert found.gt is not None
        try:
            gt = codecs.decode(found.gt)
            from degradekit.plan import Plan  # loads every op, 1.2 s: only an LQ that is made again needs them

            lq = Plan.from_json(found.plan).make_lq(gt)
        except DegradekitError as error:
            return Lost(found.key, str(error))
        return Fetched(found.key, found.variant, raw(gt), raw(lq), found.columns, found.plan, found.meta)

    def forget(self) -> None:
        """Drop what is open."""
        self.inner.forget()


def raw(clip: Array) -> EncodedImage:
    """A decoded clip in the form of a stored one."""
    clip = np.ascontiguousarray(clip)
    t, h, w, c = clip.shape
    dtype: Literal["uint8", "uint16"] = "uint8" if clip.dtype == np.uint8 else "uint16"
    return EncodedImage(clip.reshape(-1).view(np.uint8).data, "raw", (t, h, w, c), dtype)
