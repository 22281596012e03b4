"""Which batches are to be made: an epoch cut into global batches, a rank's and a worker's share of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np

from degradekit.stream.course import Course, Drawn, cuts, spans
from degradekit.stream.order import Ints

__all__ = ["Agenda", "Work", "downloaded", "drawn", "pool_of"]

CHUNK = 16
"""Batches whose pairs are computed at a time: 70 us for one batch alone, 8 us each in such a chunk."""
SCANNED = 1 << 16
"""Positions that are looked at together for pairs to skip."""
DOWNLOADS = 2
"""Threads that download."""


class Work(NamedTuple):
    """A batch to be made.

    Args:
        positions: This rank's, in the epoch; where its share is empty, one that tells the shapes.
        drawn: The pairs there.
        next: Epoch and position that follow the global batch.
        empty: Whether this rank has no pair of it.
    """

    positions: Ints
    drawn: Drawn
    next: tuple[int, int]
    empty: bool


NOTHING = Drawn(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True, eq=False)
class Agenda:
    """How the epochs of a course are cut.

    Args:
        course: What is drawn in which order.
        skip: For each dataset the indices that are left out.
        batch: Pairs of a global batch.
        rank: Whose share of each.
        ranks: Among how many.
        drop_last: Leave out what fills no global batch.
    """

    course: Course
    skip: tuple[Ints, ...]
    batch: int
    rank: int
    ranks: int
    drop_last: bool
    _gaps: dict[int, Ints] = field(default_factory=dict, repr=False)

    def size(self, epoch: int) -> int:
        """Pairs of an epoch, without those that are skipped."""
        return self.course.size(epoch) - len(self.gaps(epoch))

    def count(self, epoch: int) -> int:
        """Batches of a whole epoch."""
        full, more = cuts(0, self.size(epoch), self.batch, ranks=self.ranks, drop_last=self.drop_last)
        return full + len(more)

    def batches(self, epoch: int, start: int) -> Iterator[tuple[Ints, tuple[int, int]]]:
        """Positions of each global batch from a position on, and the epoch and position that follow it."""
        gaps = self.gaps(epoch)
        start -= int(np.searchsorted(gaps, start))
        for cut in spans(start, self.size(epoch), self.batch, ranks=self.ranks, drop_last=self.drop_last):
            positions = around(gaps, np.arange(cut.first, cut.last))
            yield positions, (epoch + 1, 0) if cut.final else (epoch, int(positions[-1]) + 1)

    def batch_at(self, epoch: int, step: int) -> Ints:
        """Positions of one global batch of an epoch, counted from its beginning."""
        start = around(self.gaps(epoch), np.array([step * self.batch]))
        return next(self.batches(epoch, int(start[0])))[0]

    def works(self, epoch: int, start: int) -> Iterator[Work]:
        """This rank's share of each global batch from a position on; its pairs are still to be drawn."""
        for positions, after in self.batches(epoch, start):
            first, last = (len(positions) * rank // self.ranks for rank in (self.rank, self.rank + 1))
            yield Work(positions[first : max(last, first + 1)], NOTHING, after, first == last)

    def gaps(self, epoch: int) -> Ints:
        """Positions of an epoch whose pairs are skipped, in order; looks at all of them once, 0.2 us each."""
        if not any(len(skipped) for skipped in self.skip):
            return np.empty(0, np.int64)
        if epoch not in self._gaps:
            found = []
            size = self.course.size(epoch)
            for first in range(0, size, SCANNED):
                positions = np.arange(first, min(first + SCANNED, size))
                drawn = self.course.draw(epoch, positions)
                for part, skipped in enumerate(self.skip):
                    found.append(positions[(drawn.part == part) & np.isin(drawn.indices, skipped)])
            self._gaps.clear()
            self._gaps[epoch] = np.sort(np.concatenate(found))
        return self._gaps[epoch]


def around(gaps: Ints, places: Ints) -> Ints:
    """Positions of the n-th pairs of an epoch when those at ``gaps`` are left out.

    Example:
        >>> around(np.array([0, 2, 3]), np.arange(3)).tolist()
        [1, 4, 5]
    """
    if not len(gaps):
        return places
    return places + np.searchsorted(gaps - np.arange(len(gaps)), places, side="right")


def drawn(course: Course, epoch: int, works: Iterator[Work]) -> Iterator[Work]:
    """The same works with their pairs, computed a chunk at a time."""
    while chunk := list(islice(works, CHUNK)):
        pairs = course.draw(epoch, np.concatenate([work.positions for work in chunk]))
        at = 0
        for work in chunk:
            now = slice(at, at := at + len(work.positions))
            yield work._replace(drawn=Drawn(pairs.part[now], pairs.indices[now]))


def downloaded(course: Course, works: Iterator[Work], *, ahead: int) -> Iterator[Work]:
    """The same works, while other threads bring near what those need that are ``ahead`` pairs further on."""
    pairs = [part.pairs for part in course.parts]
    far = [number for number, each in enumerate(pairs) if each.window is not None]
    if not far:
        yield from works
        return
    waiting: deque[Work] = deque()
    with pool_of(DOWNLOADS) as pool:
        for work in works:
            for number in far:
                pool.submit(pairs[number].ahead, work.drawn.indices[work.drawn.part == number].tolist())
            waiting.append(work)
            if len(waiting) * len(work.positions) > ahead:
                yield waiting.popleft()
        yield from waiting


@contextmanager
def pool_of(threads: int) -> Iterator[Executor]:
    """A pool of threads that is left without waiting for work that was not begun."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
