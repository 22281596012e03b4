"""What a stream can say about itself: what is in a batch, how well batches are mixed, and what holds training up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from degradekit.errors import StreamError
from degradekit.stream.course import Course
from degradekit.stream.fetch import Fetched
from degradekit.stream.order import Ints
from degradekit.stream.pixels import Augment, views

__all__ = ["Clock", "Mixing", "Stall", "explained", "mixing"]

T = TypeVar("T")
NEIGHBOURHOOD = 64
"""Pairs that lie together in a shard: a row group, which in a folder of frames may show one scene."""
IDLE = 0.05
"""Share of the time a trainer may wait before anything is said to hold it up."""


def explained(course: Course, augment: Augment, epoch: int, positions: Ints) -> list[dict[str, Any]]:
    """What stands at some positions of an epoch; see ``PairStream.explain``."""
    drawn = course.draw(epoch, positions)
    seen = views(augment, positions, seed=course.seed, epoch=epoch)
    pairs = [part.pairs for part in course.parts]
    readers = [each.reader(("columns",), validate=True) for each in pairs]
    out = []
    for at, (position, part, index) in enumerate(
        zip(positions.tolist(), drawn.part.tolist(), drawn.indices.tolist(), strict=True)
    ):
        told: dict[str, Any] = {"position": position, "dataset": pairs[part].uri, "index": index}
        pair = readers[part].fetch(index)
        if isinstance(pair, Fetched):
            told |= {"key": pair.key, "variant": pair.variant, "parameters": pair.columns}
        else:
            told |= {"key": pair.key, "lost": pair.reason, "parameters": {}}
        out.append(told | {"view": seen[at]._asdict()})
    return out


@dataclass(frozen=True, slots=True)
class Mixing:
    """How well batches are mixed.

    Args:
        batches: How many were looked at.
        size: Pairs of each on average.
        neighbourhoods: Distinct groups of 64 neighbouring pairs in a batch, on average.
        ideal: The same for a batch drawn from all pairs at random.
        twins: Pairs of a batch whose GT is in it already, on average.
        parts: Share of each dataset.
        spread: Largest difference of a batch from that share, in pairs.
    """

    batches: int
    size: float
    neighbourhoods: float
    ideal: float
    twins: float
    parts: tuple[float, ...]
    spread: float

    def __str__(self) -> str:
        shares = " : ".join(f"{share:.3f}" for share in self.parts)
        return (
            f"{self.batches} batches of {self.size:.1f} pairs: from {self.neighbourhoods:.1f} neighbourhoods "
            f"(at random {self.ideal:.1f}), {self.twins:.2f} with a GT that is there already, datasets {shares} "
            f"(no batch off by more than {self.spread:.1f} pairs)"
        )


def mixing(course: Course, epoch: int, batches: Sequence[Ints]) -> Mixing:
    """How well some batches are mixed; see ``PairStream.mixing``."""
    if not batches:
        raise StreamError(f"epoch {epoch} has no batch left to look at.")
    pairs = [part.pairs for part in course.parts]
    groups = [each.group for each in pairs]
    near, twins, counts = [], [], []
    for positions in batches:
        drawn = course.draw(epoch, positions)
        near.append(len(set(zip(drawn.part.tolist(), (drawn.indices // NEIGHBOURHOOD).tolist(), strict=True))))
        gts = {(part, index // groups[part]) for part, index in zip(*map(np.ndarray.tolist, drawn), strict=True)}
        twins.append(len(positions) - len(gts))
        counts.append(np.bincount(drawn.part, minlength=len(pairs)))
    sizes = np.array([len(positions) for positions in batches])
    shares = np.sum(counts, axis=0) / sizes.sum()
    hoods = [-(-int(each.bounds[-1]) // NEIGHBOURHOOD) for each in pairs]
    drawn_of = [size * shares for size in sizes]
    ideal = [sum(m * (1 - (1 - 1 / m) ** d) for m, d in zip(hoods, each, strict=True)) for each in drawn_of]
    spread = max(float(np.abs(count - each).max()) for count, each in zip(counts, drawn_of, strict=True))
    return Mixing(
        batches=len(batches),
        size=float(sizes.mean()),
        neighbourhoods=float(np.mean(near)),
        ideal=float(np.mean(ideal)),
        twins=float(np.mean(twins)),
        parts=tuple(shares.tolist()),
        spread=spread,
    )


@dataclass(frozen=True, slots=True)
class Stall:
    """What holds training up.

    Args:
        by: ``trainer``, ``reading``, ``decoding`` or ``handover``.
        waiting: Share of the time that the trainer waited for batches.
        read: Milliseconds a pair, in the process that reads it.
        decode: The same for decoding and augmentation.
        advice: What to change.
    """

    by: Literal["trainer", "reading", "decoding", "handover"]
    waiting: float
    read: float
    decode: float
    advice: str

    def __str__(self) -> str:
        times = f"reading {self.read:.3f} ms and decoding {self.decode:.3f} ms a pair"
        return f"the trainer waits {self.waiting:.0%} of the time; {times}; held up by {self.by}: {self.advice}"


ADVICE = {
    "trainer": "the loader keeps up; a larger batch or mixed precision may use the device better",
    "reading": "keep the dataset on a local disk (local= with remote=), raise predownload, or add workers",
    "decoding": "add workers or threads, or store the images as raw+lz4: more bytes, a fraction of the decoding",
    "handover": "batches are ready but arrive late: stream uint8 and convert on the device, or use pin_memory=True",
}


@dataclass(slots=True)
class Clock:
    """Where the time of an iteration goes.

    Args:
        workers: Processes that make batches; 0 where the trainer's own does.
        batches: Batches received.
        pairs: Pairs received.
        read: Seconds of reading, added over all workers.
        decode: Seconds of decoding, added over all workers.
        waited: Seconds that the trainer waited for a batch.
        used: Seconds between a batch and the demand for the next.
    """

    workers: int = 0
    batches: int = 0
    pairs: int = 0
    read: float = 0.0
    decode: float = 0.0
    waited: float = 0.0
    used: float = 0.0

    def timed(self, batches: Iterator[T]) -> Iterator[T]:
        """The same batches, with waiting and use of each counted."""
        asked = time.perf_counter()
        for batch in batches:
            got = time.perf_counter()
            self.waited += got - asked
            yield batch
            asked = time.perf_counter()
            self.used += asked - got

    def count(self, pairs: int, read: float, decode: float) -> None:
        """Count a batch."""
        self.batches += 1
        self.pairs += pairs
        self.read += read
        self.decode += decode

    def stall(self) -> Stall:
        """The verdict; see ``PairStream.stalls``."""
        if not self.pairs:
            raise StreamError("no batch was received yet: ask after some steps of training.")
        waiting = self.waited / (self.waited + self.used)
        made = (self.read + self.decode) / max(1, self.workers)
        by: Literal["trainer", "reading", "decoding", "handover"]
        if waiting < IDLE:
            by = "trainer"
        elif made < self.waited / 2:
            by = "handover"
        else:
            by = "reading" if self.read > self.decode else "decoding"
        return Stall(by, waiting, 1e3 * self.read / self.pairs, 1e3 * self.decode / self.pairs, ADVICE[by])
