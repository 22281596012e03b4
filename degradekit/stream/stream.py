"""PairStream: pairs of one or several datasets in a keyed order, in batches, from any position on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset
from degradekit.stream.batch import Batch, Maker, OnCorrupt
from degradekit.stream.course import Course, Drawn, Part, cuts, spans
from degradekit.stream.order import Ints
from degradekit.stream.pairs import Pairs
from degradekit.stream.pixels import Augment
from degradekit.stream.places import Address, open_pairs
from degradekit.stream.report import Clock, Mixing, Stall, explained, mixing
from degradekit.stream.select import Variants
from degradekit.stream.where import parse_filter

if TYPE_CHECKING:
    from degradekit.recipe import Recipe

__all__ = ["PairStream"]

Place: TypeAlias = "str | Path | Dataset | PairStream"
VERSION = 1
CHUNK = 16
"""Batches whose pairs are computed at a time: 70 us for one batch alone, 8 us each in such a chunk."""

SCANNED = 1 << 16
"""Positions that are looked at together for pairs to skip."""
DOWNLOADED = 8
"""Batches ahead for which shards are downloaded unless ``predownload`` says otherwise."""
DOWNLOADS = 2
"""Threads that download."""


@contextmanager
def closing_pool(threads: int) -> Iterator[Executor]:
    """A pool of threads that is left without waiting for work that was not begun."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _around(gaps: Ints, places: Ints) -> Ints:
    """Positions of the n-th pairs of an epoch when those at ``gaps`` are left out."""
    if not len(gaps):
        return places
    return places + np.searchsorted(gaps - np.arange(len(gaps)), places, side="right")


class _Work(NamedTuple):
    """A batch to be made."""

    positions: Ints
    drawn: Drawn
    next: tuple[int, int]
    empty: bool


_NOTHING = Drawn(np.empty(0, np.int64), np.empty(0, np.int64))


class PairStream:
    """Pairs of one or several datasets as batches of arrays, in an order that seed, epoch and position decide.

    It is iterated epoch by epoch: ``for batch in stream`` gives what is left of the present epoch, and the next loop
    the next epoch. A batch is a dict:

    - ``lq``, ``gt``: arrays ``[N, H, W, C]``, of clips ``[N, T, H, W, C]``, uint8 or uint16 as stored, RGB;
    - ``key``, ``index``, ``variant``, ``part``: the pairs' names, indices in their dataset, and which dataset it is;
    - ``position``, ``epoch``: where in the order they stand;
    - one list for each of ``columns``, with None where a step did not run;
    - ``lost``: the pairs of this batch that could not be had (``on_corrupt="skip"``), ``seconds``: reading, decoding;
    - ``next``: where the order goes on after this global batch.

    Args:
        data: Folder or URI of a dataset, an open ``Dataset``, another stream, or a list of these to be mixed.
        remote: URI of a dataset whose shards are kept in ``local`` as they are needed.
        local: Folder of the dataset; with ``remote``, the cache.
        split: Subfolder of both.
        source: Folder (glob, list, URI) of GT images that become pairs on the way, by ``recipe``.
        recipe: Name, path or ``Recipe`` for ``source``.
        batch_size: Pairs of a batch on one rank.
        shuffle: False keeps the stored order.
        shuffle_seed: Keys order and augmentation.
        shuffle_block_size: Pairs that are mixed at a time; None mixes all pairs of a local dataset with all, and
            sixteen shards of a remote one.
        epoch_size: Pairs of an epoch; None is one pass over everything.
        drop_last: Leave out the pairs of an epoch that fill no global batch.
        predownload: Pairs ahead of the present one whose shards are being downloaded.
        cache_limit: Bytes that the cache may take (``"100gb"`` or a number); None knows no limit.
        validate: Verify the hash of what is downloaded and the checksum of every image.
        where: Filter on the recorded parameters, or epoch -> filter for a curriculum; see ``stream.where``.
        variants: ``all``, or ``rotate``: one LQ of each GT in an epoch, the next in the next.
        weights: Proportions of the datasets, or epoch -> proportions; None takes each pair once in an epoch.
        crop: Side of a random GT crop in px.
        flip: Mirror half of the pairs.
        rotate: Turn pairs by quarters.
        clip: Consecutive frames from each clip.
        columns: Typed columns to give with each batch (``"deg.jpeg1.quality"``); ``"plan"`` gives the plan's JSON.
        roles: Which images to read.
        dtype: ``stored``, or ``float32`` in [0, 1].
        lq: ``stored``, or ``plan``: made again from GT and plan, bit for bit.
        on_corrupt: ``raise``, or ``skip``: the pair is counted and named in ``lost``, and its batch is shorter by it.
        skip: Keys to leave out; all others keep their order and move up.
        rank: Which of ``world_size`` equal shares of every batch is ours; None takes ``RANK`` and ``WORLD_SIZE``.
        world_size: Number of ranks.
        threads: Threads that decode; 0 decodes in the calling one.

    Raises:
        ShardError: There is no dataset.
        StreamError: An argument does not fit the dataset or another argument.

    Example:
        >>> import tempfile
        >>> from degradekit.job import plan_build, run_build
        >>> from degradekit.progress import Progress
        >>> from degradekit.recipe import load_recipe
        >>> folder = tempfile.TemporaryDirectory()
        >>> plan = plan_build(load_recipe("bicubic"), source="sample", out=folder.name, limit=5)
        >>> summary = run_build(plan, Progress(None), executor="inline")
        >>> stream = PairStream(folder.name, batch_size=2, crop=64, flip=True)
        >>> [batch["lq"].shape for batch in stream]
        [(2, 16, 16, 3), (2, 16, 16, 3), (1, 16, 16, 3)]
        >>> stream.epoch, stream.state_dict()["position"]
        (1, 0)
        >>> folder.cleanup()
    """

    def __init__(  # noqa: PLR0913 - one name for each thing that training scripts set
        self,
        data: Place | Sequence[Place] | None = None,
        *,
        remote: str | None = None,
        local: str | Path | None = None,
        split: str | None = None,
        source: str | Path | None = None,
        recipe: Recipe | str | Path | None = None,
        batch_size: int = 16,
        shuffle: bool = True,
        shuffle_seed: int = 0,
        shuffle_block_size: int | None = None,
        epoch_size: int | None = None,
        drop_last: bool = False,
        predownload: int | None = None,
        cache_limit: int | str | None = None,
        validate: bool = True,
        where: str | Mapping[int, str | None] | None = None,
        variants: Variants = "all",
        weights: Sequence[float] | Mapping[int, Sequence[float] | None] | None = None,
        crop: int | None = None,
        flip: bool = False,
        rotate: bool = False,
        clip: int | None = None,
        columns: Sequence[str] = (),
        roles: Sequence[str] = ("lq", "gt"),
        dtype: Literal["stored", "float32"] = "stored",
        lq: Literal["stored", "plan"] = "stored",
        on_corrupt: OnCorrupt = "raise",
        skip: Sequence[str] = (),
        rank: int | None = None,
        world_size: int | None = None,
        threads: int = 0,
    ) -> None:
        schedule = dict(where) if isinstance(where, Mapping) else {0: where}
        address = Address(
            source, recipe, variants, remote, local, split, lq == "plan", cache_limit, validate, shuffle_block_size
        )

        def part(place: Any) -> tuple[Part, ...]:
            if isinstance(place, PairStream):
                return place._course.parts
            return (Part(open_pairs(place, address), schedule, variants),)

        places = list(data) if isinstance(data, list | tuple) else [data]
        parts = tuple(made for place in places for made in part(place))
        proportions = dict(weights) if isinstance(weights, Mapping) else {0: weights}
        self._course = Course(parts, proportions, shuffle_seed, shuffle, shuffle_block_size, epoch_size)
        self._augment = Augment(crop, flip, rotate, clip)
        self.batch_size, self.drop_last, self.threads = batch_size, drop_last, threads
        self._validate, self._dtype, self._on_corrupt = validate, dtype, on_corrupt
        self._columns, self._roles = tuple(columns), tuple(roles)
        self._predownload = predownload
        self.ranked = rank is not None or world_size is not None
        self.rank = int(os.environ.get("RANK", "0")) if rank is None else rank
        self.world_size = int(os.environ.get("WORLD_SIZE", "1")) if world_size is None else world_size
        self.epoch = 0
        self._position = 0
        self.lost: list[dict[str, Any]] = []
        self.clock = Clock()
        self._check()
        self._skip = self._indices(skip)
        self._skipped: tuple[int, Ints] = (-1, np.empty(0, np.int64))

    def _check(self) -> None:
        for name in ("batch_size", "world_size"):
            if getattr(self, name) < 1:
                raise StreamError(f"{name}={getattr(self, name)} is too small; give 1 or more.")
        if not 0 <= self.rank < self.world_size:
            raise StreamError(f"rank={self.rank} is not one of world_size={self.world_size}; ranks count from 0.")
        parts = self._course.parts
        for weights in self._course.weights.values():
            if weights is not None and len(weights) != len(parts):
                raise StreamError(f"{len(weights)} weights for {len(parts)} datasets; give one for each.")
        for part in parts:
            crop, scale = self._augment.crop, part.pairs.scale
            if crop is not None and (crop < scale or crop % scale):
                raise StreamError(f"crop={crop} is no multiple of the scale {scale} of {part.pairs.uri}.")
            for text in part.where.values():
                if text is not None:
                    parse_filter(text, part.pairs.columns)
            for name in self._columns:
                if name != "plan" and name not in part.pairs.columns:
                    raise StreamError(f"{part.pairs.uri} has no column {name}; see degradekit inspect.")
        if unknown := set(self._roles) - {"lq", "gt"}:
            raise StreamError(f"roles {sorted(unknown)} are unknown; give lq, gt or both.")

    def _indices(self, keys: Sequence[str]) -> list[Ints]:
        """For each dataset the indices that are left out."""
        found = [[part.pairs.find(key) for key in keys] for part in self._course.parts]
        for number, key in enumerate(keys):
            if not any(of_part[number] for of_part in found):
                raise StreamError(f"skip names {key!r}, which no dataset of this stream has.")
        return [np.array(sorted({i for of_key in of_part for i in of_key}), np.int64) for of_part in found]

    @property
    def pairs(self) -> tuple[Pairs, ...]:
        """The datasets."""
        return tuple(part.pairs for part in self._course.parts)

    @property
    def scale(self) -> int:
        """GT side / LQ side, of the first dataset."""
        return self.pairs[0].scale

    @property
    def global_batch(self) -> int:
        """Pairs of a batch on all ranks together."""
        return self.batch_size * self.world_size

    @property
    def samples(self) -> int:
        """Pairs of the present epoch, without those that are skipped."""
        return self._course.size(self.epoch) - len(self._gaps(self.epoch))

    def __len__(self) -> int:
        """Batches of the whole present epoch on each rank."""
        return self._count(self.epoch)

    def __iter__(self) -> Iterator[Batch]:
        """What is left of the present epoch; the state counts a batch as soon as it is handed out."""
        epoch = self.epoch
        self.clock.workers = 0
        for batch in self.clock.timed(self.batches()):
            self.received(batch)
            yield batch
        self.set_epoch(epoch + 1)  # also where nothing was left

    def set_epoch(self, epoch: int) -> None:
        """Go to the beginning of an epoch; within the present one nothing changes, so a resumed epoch goes on."""
        if epoch != self.epoch:
            self._course.size(epoch)
            self.epoch, self._position = epoch, 0

    def received(self, batch: Batch) -> None:
        """Count a batch that the trainer has received; iteration does so by itself."""
        self.epoch, self._position = batch["next"]
        self.lost += batch["lost"]
        self.clock.count(len(batch["key"]), *batch["seconds"])

    def state_dict(self, after: Batch | None = None) -> dict[str, Any]:
        """Where the stream stands, as JSON of less than a kilobyte; equal on all ranks.

        Args:
            after: Stand after this batch instead of after the last that was received. With a plain ``DataLoader``
                batches are received elsewhere, so the batch itself says.
        """
        epoch, position = after["next"] if after is not None else (self.epoch, self._position)
        names = ", ".join(Path(pairs.uri).name for pairs in self.pairs)
        return {
            "version": VERSION,
            "datasets": [pairs.id for pairs in self.pairs],
            "names": names[:100],
            "epoch": epoch,
            "position": position,
            "order": self._course.facts(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another stream stood; ranks, workers and batch size may be others.

        Raises:
            StreamError: The state is of other datasets, or of an order with another seed, filter or the like.
        """
        if state.get("version") != VERSION:
            raise StreamError(f"a stream's state of version {state.get('version')} meets version {VERSION}.")
        ids = [pairs.id for pairs in self.pairs]
        if state["datasets"] != ids:
            here = ", ".join(f"{Path(pairs.uri).name} ({pairs.id})" for pairs in self.pairs)
            there = f"{state['names']} ({', '.join(state['datasets'])})"
            raise StreamError(f"the state is of {there}, this stream reads {here}; open the dataset it was saved with.")
        facts = self._course.facts()
        changed = [name for name, value in state["order"].items() if facts.get(name) != value]
        if changed:
            raise StreamError(
                f"the state was saved with another {', '.join(changed)}: its position means nothing in this order; "
                "give the arguments of the saved run, or start an epoch with set_epoch."
            )
        self.epoch, self._position = int(state["epoch"]), int(state["position"])

    def explain(self, step: int | Batch, *, epoch: int | None = None) -> list[dict[str, Any]]:
        """Which pairs a global batch is made of, with everything that was drawn for them: past or coming.

        Args:
            step: Number of the batch in its epoch, from 0 at the present batch size; or a batch as it was received.
            epoch: Which epoch; None is the present one.

        Returns:
            For each pair of all ranks ``position``, ``dataset``, ``index``, ``key``, ``variant``, ``view`` (crop, flip
            and turn) and ``parameters``: its typed columns.

        Raises:
            StreamError: The epoch has no such batch.
        """
        if not isinstance(step, int):
            return explained(self._course, self._augment, step["epoch"], np.asarray(step["position"]))
        epoch = self.epoch if epoch is None else epoch
        count = self._count(epoch)
        if not 0 <= step < count:
            raise StreamError(f"epoch {epoch} has no batch {step}; it has {count}.")
        place = np.array([step * self.global_batch])
        positions, _ = next(self._global(epoch, int(_around(self._gaps(epoch), place)[0])))
        return explained(self._course, self._augment, epoch, positions)

    def mixing(self, batches: int = 32) -> Mixing:
        """How well the next batches of the epoch are mixed, told from their order without reading them."""
        return mixing(self._course, self.epoch, [at for at, _ in islice(self._global(self.epoch), batches)])

    def stalls(self) -> Stall:
        """What has held up training so far: reading, decoding, handing over or the trainer; and what to change.

        Raises:
            StreamError: No batch was received yet.
        """
        return self.clock.stall()

    def batches(self, worker: int = 0, workers: int = 1, *, after: int = 0) -> Iterator[Batch]:
        """What is left of the epoch, or one worker's share of it, without counting anything as received.

        Args:
            worker: Worker w of W makes every W-th batch from the w-th on, so that taking turns among all gives the
                order of one.
            workers: How many there are.
            after: Batches of its share that it has made already.
        """
        epoch = self.epoch
        mine = islice(self._plan(epoch), worker + after * workers, None, workers)
        with ExitStack() as stack:
            maker = self._maker(stack)
            for work in self._downloaded(self._drawn(epoch, mine), stack):
                batch = maker.make(epoch, work.positions, work.drawn)
                if work.empty:
                    batch |= {name: value[:0] for name, value in batch.items() if isinstance(value, np.ndarray | list)}
                yield batch | {"next": work.next}

    def _plan(self, epoch: int) -> Iterator[_Work]:
        """This rank's share of each global batch."""
        for positions, after in self._global(epoch):
            first, last = (len(positions) * rank // self.world_size for rank in (self.rank, self.rank + 1))
            # A rank that has no share still needs to know the shapes of one.
            yield _Work(positions[first : max(last, first + 1)], _NOTHING, after, first == last)

    def _global(self, epoch: int, start: int | None = None) -> Iterator[tuple[Ints, tuple[int, int]]]:
        """Positions of each global batch from a position on (None: where the stream stands), and what follows it."""
        gaps = self._gaps(epoch)
        start = self._position if start is None else start
        start -= int(np.searchsorted(gaps, start))
        left = self._course.size(epoch) - len(gaps)
        for cut in spans(start, left, self.global_batch, ranks=self.world_size, drop_last=self.drop_last):
            positions = _around(gaps, np.arange(cut.first, cut.last))
            yield positions, (epoch + 1, 0) if cut.final else (epoch, int(positions[-1]) + 1)

    def _gaps(self, epoch: int) -> Ints:
        """Positions of an epoch whose pairs are to be skipped, in order; looks at all of them once, 0.2 us each."""
        if not any(len(skipped) for skipped in self._skip):
            return np.empty(0, np.int64)
        if self._skipped[0] != epoch:
            found = []
            size = self._course.size(epoch)
            for first in range(0, size, SCANNED):
                positions = np.arange(first, min(first + SCANNED, size))
                drawn = self._course.draw(epoch, positions)
                for part, skipped in enumerate(self._skip):
                    found.append(positions[(drawn.part == part) & np.isin(drawn.indices, skipped)])
            self._skipped = (epoch, np.sort(np.concatenate(found)))
        return self._skipped[1]

    def _count(self, epoch: int) -> int:
        """Batches of a whole epoch."""
        left = self._course.size(epoch) - len(self._gaps(epoch))
        full, more = cuts(0, left, self.global_batch, ranks=self.world_size, drop_last=self.drop_last)
        return full + len(more)

    def _drawn(self, epoch: int, works: Iterator[_Work]) -> Iterator[_Work]:
        """The same with their pairs, computed a chunk at a time."""
        while chunk := list(islice(works, CHUNK)):
            drawn = self._course.draw(epoch, np.concatenate([work.positions for work in chunk]))
            at = 0
            for work in chunk:
                now = slice(at, at := at + len(work.positions))
                yield work._replace(drawn=Drawn(drawn.part[now], drawn.indices[now]))

    def _downloaded(self, works: Iterator[_Work], stack: ExitStack) -> Iterator[_Work]:
        """The same, while other threads bring near what batches need that are ``predownload`` pairs ahead."""
        far = [number for number, pairs in enumerate(self.pairs) if pairs.window is not None]
        if not far:
            yield from works
            return
        ahead = DOWNLOADED * self.batch_size if self._predownload is None else self._predownload
        pool = stack.enter_context(closing_pool(DOWNLOADS))
        waiting: deque[_Work] = deque()
        for work in works:
            for number in far:
                pool.submit(self.pairs[number].ahead, work.drawn.indices[work.drawn.part == number].tolist())
            waiting.append(work)
            if len(waiting) * self.batch_size > ahead:
                yield waiting.popleft()
        yield from waiting

    def _maker(self, stack: ExitStack) -> Maker:
        texts = (("plan",) if "plan" in self._columns else ()) + (("columns",) if set(self._columns) - {"plan"} else ())
        readers = tuple(pairs.reader((*self._roles, *texts), validate=self._validate) for pairs in self.pairs)
        pool: Executor | None = stack.enter_context(closing_pool(self.threads)) if self.threads else None
        return Maker(
            self.pairs, readers, self._augment, self._roles, self._columns, self._dtype, self._on_corrupt,
            self._course.seed, pool,
        )  # fmt: skip
