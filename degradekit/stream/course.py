"""The course of a training: which pair stands at each position of each epoch, as pure functions.

Within an epoch of S pairs, position p of epoch e is draw e S + p of the mixture; :func:`interleave` says which dataset
it belongs to and that it is that dataset's draw d; d // n is the pass over its n kept pairs and d % n the place in it.
Where the schedule of weights or filters changes, a new segment begins and counts from 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from degradekit.canonical import canonical_json
from degradekit.errors import StreamError
from degradekit.rng import hash64
from degradekit.stream.mix import interleave, whole_shares
from degradekit.stream.order import Ints, Order
from degradekit.stream.pairs import Pairs
from degradekit.stream.select import Selection, Variants

__all__ = ["Course", "Cut", "Drawn", "Part", "cuts", "spans"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Part:
    """One dataset of a stream.

    Args:
        pairs: The dataset.
        where: Epoch -> filter that holds from it on.
        variants: All, or one in turn.
    """

    pairs: Pairs
    where: Mapping[int, str | None]
    variants: Variants


class Drawn(NamedTuple):
    """The pairs at some positions: which dataset of the stream, and which index of it."""

    part: Ints
    indices: Ints


class _Segment(NamedTuple):
    first: int
    size: int
    shares: tuple[int, ...]
    selections: tuple[Selection, ...]
    orders: tuple[Order, ...]


@dataclass(frozen=True, eq=False)
class Course:
    """What a stream draws in which order.

    Args:
        parts: Its datasets.
        weights: Epoch -> weights that hold from it on; None draws each dataset as often as it has pairs.
        seed: Keys every order.
        shuffle: False keeps the stored order.
        window: Pairs that are mixed at a time; None mixes all where any pair is at hand.
        epoch_size: Pairs of an epoch; None is one pass over everything.
    """

    parts: tuple[Part, ...]
    weights: Mapping[int, Sequence[float] | None]
    seed: int
    shuffle: bool
    window: int | None
    epoch_size: int | None
    _segments: dict[int, _Segment] = field(default_factory=dict, repr=False)

    def size(self, epoch: int) -> int:
        """Pairs of an epoch."""
        return self._segment(epoch).size

    def facts(self) -> dict[str, str]:
        """Short fingerprints of everything that decides the order, by the argument's name."""
        told = {
            "shuffle_seed": self.seed,
            "shuffle": self.shuffle,
            "shuffle_block_size": [self.window, [part.pairs.window for part in self.parts]],
            "epoch_size": self.epoch_size,
            "weights": sorted(self.weights.items()),
            "where": [sorted(part.where.items()) for part in self.parts],
            "variants": [part.variants for part in self.parts],
        }
        return {name: f"{hash64(canonical_json(value)) >> 40:06x}" for name, value in told.items()}

    def draw(self, epoch: int, positions: Ints) -> Drawn:
        """The pairs at some positions of an epoch; any positions, in any order.

        Args:
            epoch: 0 or more.
            positions: Each 0..size(epoch)-1.
        """
        segment = self._segment(epoch)
        places = (epoch - segment.first) * segment.size + positions
        part, draws = interleave(places, segment.shares)
        index = np.empty_like(positions)
        for number, (selection, order) in enumerate(zip(segment.selections, segment.orders, strict=True)):
            mine = np.flatnonzero(part == number)
            turns, at = np.divmod(draws[mine], order.size)
            for turn in np.unique(turns).tolist():
                now = turns == turn
                index[mine[now]] = selection.indices(segment.first + turn, order.ranks(turn, at[now]))
        return Drawn(part, index)

    def _segment(self, epoch: int) -> _Segment:
        if epoch < 0:
            raise StreamError(f"there is no epoch {epoch}; they count from 0.")
        changes = {0, *self.weights, *(change for part in self.parts for change in part.where)}
        first = max(change for change in changes if change <= epoch)
        if first not in self._segments:
            self._segments[first] = self._planned(first)
        return self._segments[first]

    def _planned(self, first: int) -> _Segment:
        selections = tuple(part.pairs.select(_at(part.where, first), part.variants) for part in self.parts)
        orders = tuple(self._order(number, first, selection) for number, selection in enumerate(selections))
        sizes = tuple(order.size for order in orders)
        weights = _at(self.weights, first)
        shares = sizes if weights is None else whole_shares(weights)
        return _Segment(first, self.epoch_size or sum(sizes), shares, selections, orders)

    def _order(self, number: int, first: int, selection: Selection) -> Order:
        pairs = self.parts[number].pairs
        window = pairs.window
        if self.window is not None:
            largest = int(np.diff(pairs.bounds).max())
            window = max(1, -(-self.window // largest))
        key = f"{self.seed}:{first}:{number}:{pairs.id}"
        return Order(selection.below(pairs.bounds), key, self.shuffle, window)


def _at(schedule: Mapping[int, T], epoch: int) -> T | None:
    begun = [change for change in schedule if change <= epoch]
    return schedule[max(begun)] if begun else None


class Cut(NamedTuple):
    """One global batch: positions [first, last) of an epoch, and whether it is the last one."""

    first: int
    last: int
    final: bool


def cuts(start: int, size: int, batch: int, *, ranks: int, drop_last: bool) -> tuple[int, list[int]]:
    """How what is left of an epoch is cut into global batches.

    Every rank gets as many batches, and none is empty: a rest that is too small for one pair a rank joins the last
    full batch.

    Args:
        start: First position that is left.
        size: Positions of the epoch.
        batch: Pairs of a global batch.
        ranks: Among how many it is divided.
        drop_last: Leave out what fills no batch.

    Returns:
        How many batches of ``batch`` there are, and the sizes of those that follow.

    Example:
        >>> cuts(0, 11, 4, ranks=1, drop_last=False), cuts(0, 9, 4, ranks=2, drop_last=False)
        ((2, [3]), (1, [5]))
    """
    full, rest = divmod(max(0, size - start), batch)
    if drop_last or not rest:
        return full, []
    if rest >= ranks or not full:
        return full, [rest]
    return full - 1, [batch + rest]


def spans(start: int, size: int, batch: int, *, ranks: int, drop_last: bool) -> Iterator[Cut]:
    """The global batches of what is left of an epoch."""
    full, more = cuts(start, size, batch, ranks=ranks, drop_last=drop_last)
    for number in range(full + len(more)):
        last = start + (batch if number < full else more[0])
        yield Cut(start, last, number == full + len(more) - 1)
        start = last
