"""Which pairs of a dataset a stream draws from: all that were made, those that a filter keeps, one variant in turn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import pyarrow.compute as pc

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset
from degradekit.shards.manifest import ShardRow
from degradekit.stream.order import Ints
from degradekit.stream.where import Filter

__all__ = ["Selection", "Variants", "select"]

Variants: TypeAlias = Literal["all", "rotate"]
"""``all``: every LQ of every GT in each pass; ``rotate``: one LQ of each GT, the next one in the next pass."""


@dataclass(frozen=True, eq=False)
class Selection:
    """The pairs that are kept, by their rank in stored order.

    Args:
        total: Pairs of the dataset.
        group: Variants of each GT that take turns; 1 where every pair is its own.
        kept: Indices that are kept, ascending; None keeps all. Costs 8 bytes a pair where it is given.

    Example:
        >>> Selection(6, 2, None).indices(1, np.arange(3)).tolist()
        [1, 3, 5]
        >>> Selection(6, 1, np.array([0, 4, 5])).indices(0, np.arange(3)).tolist()
        [0, 4, 5]
    """

    total: int
    group: int
    kept: Ints | None

    @cached_property
    def _groups(self) -> tuple[Ints, Ints, Ints]:
        """GTs that have a kept variant, where theirs begin in ``kept``, and how many they are."""
        assert self.kept is not None
        return np.unique(self.kept // self.group, return_index=True, return_counts=True)

    def below(self, bounds: Ints) -> Ints:
        """How many ranks lie before each index; the indices are multiples of ``group``."""
        if self.kept is None:
            return np.minimum(bounds, self.total) // self.group
        if self.group == 1:
            return np.searchsorted(self.kept, bounds)
        return np.searchsorted(self._groups[0], bounds // self.group)

    def indices(self, turn: int, ranks: Ints) -> Ints:
        """Dataset indices of some ranks in a pass; ``turn`` says whose turn it is among the variants."""
        if self.group == 1:
            return ranks if self.kept is None else self.kept[ranks]
        if self.kept is None:
            chosen: Ints = ranks * self.group + turn % self.group
            return chosen
        _, starts, counts = self._groups
        return np.take(self.kept, starts[ranks] + turn % counts[ranks])


def select(dataset: Dataset, where: Filter | None, variants: Variants) -> Selection:
    """Find the pairs that a stream draws from; reads typed columns only where there is a filter.

    Raises:
        StreamError: None is left.
    """
    group = int(dataset.info["variants"]) if variants == "rotate" else 1
    counts = dataset.info["counts"]
    kept: Ints | None = None
    if where is not None:
        found = [_matching(dataset, shard, where) for shard in dataset.shards if where.may_match(_stats(shard))]
        kept = np.concatenate(found) if found else np.empty(0, np.int64)
        kept = kept[~np.isin(kept, list(dataset.dropped))]
    elif counts["tombstones"] or dataset.dropped:
        alive = np.ones(len(dataset), bool)
        alive[[dead.index for dead in dataset.tombstones()]] = False
        kept = np.flatnonzero(alive)
    if (len(dataset) if kept is None else len(kept)) == 0:
        left = f"no pair for which {where.text}" if where else "no pair that could be made"
        raise StreamError(f"{dataset.store.uri} has {left}; loosen the filter or choose another dataset.")
    return Selection(len(dataset), group, kept)


def _stats(shard: ShardRow) -> dict[str, dict[str, float]]:
    return dict(json.loads(shard.stats))


def _matching(dataset: Dataset, shard: ShardRow, where: Filter) -> Ints:
    table = dataset.shard(shard.number).table(where.columns)
    found: Ints = table.filter((pc.field("status") == "ok") & where.expression)["index"].to_numpy().astype(np.int64)
    return found
