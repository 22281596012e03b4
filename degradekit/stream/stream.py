"""PairStream: pairs of one or several datasets in a keyed order, in batches, from any position on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset
from degradekit.stream.agenda import Agenda, downloaded, drawn, pool_of
from degradekit.stream.batch import RECORDED, Batch, Maker, OnCorrupt
from degradekit.stream.course import Course, Part
from degradekit.stream.order import Ints
from degradekit.stream.pairs import Pairs
from degradekit.stream.pixels import Augment, View, views
from degradekit.stream.places import Address, open_pairs
from degradekit.stream.report import Clock, Mixing, Stall, explained, mixing
from degradekit.stream.select import Variants
from degradekit.stream.where import parse_filter

if TYPE_CHECKING:
    from degradekit.recipe import Recipe

__all__ = ["PairStream"]

Place: TypeAlias = "str | Path | Dataset | PairStream"
VERSION = 1
DOWNLOADED = 8
"""Batches ahead for which shards are downloaded unless ``predownload`` says otherwise."""


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
        columns: Typed columns to give with each batch (``"deg.jpeg1.quality"``); ``"plan"`` gives the plan's JSON,
            ``"gt_landmarks"`` and ``"lq_landmarks"`` those of a face as they lie in the batch's images: (x, y) in px,
            cut, mirrored and turned alike (a turn leaves them their names), or None where none were recorded.
        roles: Which images to read.
        dtype: ``stored``, or ``float32`` in [0, 1].
        lq: ``stored``, or ``plan``: made again from GT and plan, bit for bit; or ``device``: batches hold whole GTs and
            plans, and :class:`degradekit.degrader.Degrader` makes the LQs of a batch at once and cuts both.
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
        lq: Literal["stored", "plan", "device"] = "stored",
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
        self.augment = Augment(crop, flip, rotate, clip)
        self.deferred = lq == "device"
        self.batch_size, self.drop_last, self.threads = batch_size, drop_last, threads
        self._validate, self.dtype, self._on_corrupt = validate, dtype, on_corrupt
        self.columns, self._roles = tuple(columns), tuple(roles)
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
        self._cut = Agenda(self._course, self._skip, self.global_batch, self.rank, self.world_size, drop_last)

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
            crop, scale = self.augment.crop, part.pairs.scale
            if crop is not None and (crop < scale or crop % scale):
                raise StreamError(f"crop={crop} is no multiple of the scale {scale} of {part.pairs.uri}.")
            for text in part.where.values():
                if text is not None:
                    parse_filter(text, part.pairs.columns)
            for name in self.columns:
                if name not in RECORDED and name not in part.pairs.columns:
                    raise StreamError(f"{part.pairs.uri} has no column {name}; see degradekit inspect.")
        self._check_roles()

    def _check_roles(self) -> None:
        unread = [role for role in ("gt", "lq") if f"{role}_landmarks" in self.columns and role not in self._roles]
        if unread:
            raise StreamError(f"columns names {unread[0]}_landmarks, which need the {unread[0]}: add it to roles.")
        if self.deferred and "lq_landmarks" in self.columns:
            raise StreamError("lq='device' gives no lq_landmarks, having no LQ yet; give lq='plan'.")
        if self.deferred and set(self._roles) != {"lq", "gt"}:
            raise StreamError(f"lq='device' makes LQs of GTs: roles is {self._roles}; give both, or another lq.")
        if unknown := set(self._roles) - {"lq", "gt"}:
            raise StreamError(f"roles {sorted(unknown)} are unknown; give lq, gt or both.")

    def _indices(self, keys: Sequence[str]) -> tuple[Ints, ...]:
        """For each dataset the indices that are left out."""
        found = [[part.pairs.find(key) for key in keys] for part in self._course.parts]
        for number, key in enumerate(keys):
            if not any(of_part[number] for of_part in found):
                raise StreamError(f"skip names {key!r}, which no dataset of this stream has.")
        return tuple(np.array(sorted({i for of_key in of_part for i in of_key}), np.int64) for of_part in found)

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
        return self._agenda().size(self.epoch)

    def __len__(self) -> int:
        """Batches of the whole present epoch on each rank."""
        return self._agenda().count(self.epoch)

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

    def views(self, batch: Batch) -> list[View]:
        """What each pair of a batch shows of its images: crop, mirror and turns."""
        return views(self.augment, np.asarray(batch["position"]), seed=self._course.seed, epoch=batch["epoch"])

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
            return explained(self._course, self.augment, step["epoch"], np.asarray(step["position"]))
        epoch = self.epoch if epoch is None else epoch
        agenda = self._agenda()
        if not 0 <= step < agenda.count(epoch):
            raise StreamError(f"epoch {epoch} has no batch {step}; it has {agenda.count(epoch)}.")
        return explained(self._course, self.augment, epoch, agenda.batch_at(epoch, step))

    def mixing(self, batches: int = 32) -> Mixing:
        """How well the next batches of the epoch are mixed, told from their order without reading them."""
        coming = islice(self._agenda().batches(self.epoch, self._position), batches)
        return mixing(self._course, self.epoch, [positions for positions, _ in coming])

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
        works = islice(self._agenda().works(epoch, self._position), worker + after * workers, None, workers)
        ahead = DOWNLOADED * self.batch_size if self._predownload is None else self._predownload
        with ExitStack() as stack:
            maker = self._maker(stack)
            for work in downloaded(self._course, drawn(self._course, epoch, works), ahead=ahead):
                batch = maker.make(epoch, work.positions, work.drawn)
                if work.empty:
                    batch |= {name: value[:0] for name, value in batch.items() if isinstance(value, np.ndarray | list)}
                yield batch | {"next": work.next}

    def _agenda(self) -> Agenda:
        """How epochs are cut at present; rank and batch size may change between epochs."""
        facts = (self.global_batch, self.rank, self.world_size, self.drop_last)
        if (self._cut.batch, self._cut.rank, self._cut.ranks, self._cut.drop_last) != facts:
            self._cut = Agenda(self._course, self._skip, *facts)
        return self._cut

    def _maker(self, stack: ExitStack) -> Maker:
        augment, roles, columns, dtype = self.augment, self._roles, self.columns, self.dtype
        if self.deferred:
            augment, roles, columns, dtype = Augment(), ("gt",), tuple(dict.fromkeys((*columns, "plan"))), "stored"
        texts = dict.fromkeys(RECORDED.get(name, "columns") for name in columns)
        readers = tuple(pairs.reader((*roles, *texts), validate=self._validate) for pairs in self.pairs)
        pool: Executor | None = stack.enter_context(pool_of(self.threads)) if self.threads else None
        seed, skips = self._course.seed, self._on_corrupt
        return Maker(self.pairs, readers, augment, roles, columns, dtype, skips, seed, pool)
