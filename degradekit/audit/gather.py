"""Gathering facts about a dataset, in this process or in several."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias, TypeVar

import cv2
import numpy as np

from degradekit.audit import spectrum
from degradekit.audit.facts import Facts, Replayed
from degradekit.audit.look import Broken, Pair, choose, look_at
from degradekit.audit.reference import Reference, draw_columns, make_reference
from degradekit.audit.scan import PARTS, Part, ShardScan, scan_shard
from degradekit.errors import DegradekitError, ShardError, SourceError
from degradekit.pick import keyed_order
from degradekit.plan import Plan
from degradekit.recipe import Recipe
from degradekit.replay import Difference, changed_facts, compare, redrawn, stored_recipe
from degradekit.shards.commit import FOLDER
from degradekit.shards.dataset import Dataset
from degradekit.shards.verify import verify_manifest
from degradekit.types import Array, Geometry, Record

__all__ = ["HASHED", "SAMPLE", "Options", "Tick", "gather", "real_spectra"]

SAMPLE = 3000
"""Pairs that are looked at: without a bad one among them, fewer than 0.1 % of all are bad, at 95 %."""
HASHED = 16 << 30
"""Bytes of files that are hashed where ``auto`` is asked for: some ten seconds."""
REPLAY = 64
LEAST_PLANS, MOST_PLANS = 2000, 10_000
LOOK_CHUNK = 16
REAL = 300
"""Real images that are read at most."""
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
SIZES = 64
"""Sizes of GTs that the reference is drawn for at most."""

Tick: TypeAlias = Callable[[str, int, int], None]
"""Called with a stage, how far it is, and how far it goes."""
T = TypeVar("T")
Redone: TypeAlias = tuple[int, Difference | None, Difference | None]
"""Index of a pair that was made again, what differs in its pixels, and what in its plan."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is looked at.

    Args:
        sample: Pairs whose pixels are measured.
        replay: Pairs that are made again; 0 for none.
        seed: Which pairs.
        workers: Processes; 1 stays in this one.
        checksums: Files to hash: ``all``, ``none``, or, with ``auto``, all of them up to ``HASHED`` bytes and so many
            bytes of them, chosen by chance, from there on. Sizes are compared whatever it says.
        only: Names of the checks to run; empty for all.
        real: Folder of real images, or None.
    """

    sample: int = SAMPLE
    replay: int = REPLAY
    seed: int = 0
    workers: int = 1
    checksums: Literal["auto", "all", "none"] = "auto"
    only: tuple[str, ...] = ()
    real: str | None = None


def gather(dataset: Dataset, options: Options, tick: Tick) -> Facts:
    """Look at everything of a dataset that the checks need."""
    cv2.setNumThreads(1)
    recipe, unknown = _recipe(dataset)
    found = _Found()
    pool = _Pool(options.workers)
    reference: Reference | None = None
    interrupted = False
    try:
        if recipe is not None:
            reference, unknown = _reference(recipe, dataset, pool, tick)
        whole = _scan_all(dataset, options, pool, reference, found, tick)
        chunks = [
            (number, rows[i : i + LOOK_CHUNK])
            for number, rows in choose(dataset, options.sample, options.seed).items()
            if number in whole
            for i in range(0, len(rows), LOOK_CHUNK)
        ]
        looking = sum(len(rows) for _, rows in chunks)
        pool.run(
            partial(_look, dataset),
            chunks,
            found.looked.extend,
            lambda done: tick("pixels", done * LOOK_CHUNK, looking),
        )
        if options.replay:
            wanted = _chosen(dataset, options, whole)
            redo = partial(_replay, dataset, recipe)
            pool.run(redo, wanted, found.replays.append, lambda done: tick("replay", done, len(wanted)))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        pool.close()
    return Facts(
        dataset,
        tuple(sorted(found.scans, key=lambda scan: scan.number)),
        tuple(part for part in found.parts if part.numbers),
        tuple(sorted((pair for pair in found.looked if isinstance(pair, Pair)), key=lambda pair: pair.index)),
        tuple(sorted((pair for pair in found.looked if isinstance(pair, Broken)), key=lambda pair: pair.index)),
        recipe,
        reference,
        unknown,
        _replayed(dataset, recipe, found.replays),
        () if interrupted else tuple(verify_manifest(dataset)),
        partial=interrupted,
    )


@dataclass(slots=True)
class _Found:
    """What has come in so far."""

    scans: list[ShardScan] = field(default_factory=list)
    parts: list[Part] = field(default_factory=lambda: [Part() for _ in range(PARTS)])
    looked: list[Pair | Broken] = field(default_factory=list)
    replays: list[Redone] = field(default_factory=list)

    def take(self, scan: ShardScan, shards: int) -> None:
        """Keep what a shard says; its counts go to those of its part, so that memory does not grow with the shards."""
        self.parts[scan.number * min(PARTS, shards) // shards].add(scan)
        self.scans.append(replace(scan, counts={}))


def _scan_all(
    dataset: Dataset, options: Options, pool: _Pool, reference: Reference | None, found: _Found, tick: Tick
) -> set[int]:
    """Scan every shard; the numbers of those that are not damaged."""
    shards = len(dataset.shards)
    hashed = _hashed(dataset, options)
    lean = None if reference is None else replace(reference, numbers={})
    pool.run(
        partial(_scan, dataset, reference=lean),
        [(number, number in hashed) for number in range(shards)],
        lambda scan: found.take(scan, shards),
        lambda done: tick("scan", done, shards),
    )
    return {scan.number for scan in found.scans if not scan.damage}


def _hashed(dataset: Dataset, options: Options) -> set[int]:
    """Shards whose files are hashed: as the options say, and those whose size is not the manifest's."""
    sizes = dataset.store.sizes(FOLDER)
    chosen = {row.number for row in dataset.shards if sizes.get(PurePosixPath(row.file).name) != row.bytes}
    left = {"none": 0, "auto": HASHED, "all": int(dataset.info["counts"]["bytes"])}[options.checksums]
    for number in keyed_order(len(dataset.shards), options.seed):
        left -= dataset.shards[number].bytes
        if left < 0:
            break
        chosen.add(number)
    return chosen


class _Pool:
    """Runs a function over many items, here or in other processes, and hands over results as they come."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def run(
        self,
        function: Callable[[Any], T],
        items: Sequence[Any],
        take: Callable[[T], object],
        tell: Callable[[int], None],
    ) -> None:
        for done, result in enumerate(self._results(function, items), 1):
            take(result)
            tell(done)

    def _results(self, function: Callable[[Any], T], items: Sequence[Any]) -> Iterator[T]:
        if self._workers < 2 or len(items) < 2:
            yield from map(function, items)
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=get_context("spawn"), initializer=_ignore_interrupt
            )
        waiting = iter(items)
        # A bounded window: a million items do not become a million futures.
        running: set[Future[T]] = {self._pool.submit(function, item) for item in islice(waiting, 4 * self._workers)}
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
                running |= {self._pool.submit(function, item) for item in islice(waiting, 1)}

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides: it still wants to judge what it has


def _scan(dataset: Dataset, item: tuple[int, bool], *, reference: Reference | None) -> ShardScan:
    return scan_shard(dataset, item[0], reference=reference, checksums=item[1])


def _look(dataset: Dataset, chunk: tuple[int, list[int]]) -> list[Pair | Broken]:
    return look_at(dataset, *chunk)


def _replay(dataset: Dataset, recipe: Recipe | None, index: int) -> Redone:
    """Make one pair again: what differs in its pixels, and what in its plan."""
    cv2.setNumThreads(1)
    record = dataset.read(index, ("gt", "lq", "plan"))
    assert isinstance(record, Record)
    try:
        reason = "" if recipe is None else redrawn(Plan.from_json(record.plan), recipe)
    except DegradekitError as error:
        reason = str(error)
    plan = Difference(record.key, record.variant, reason=reason) if reason else None
    return index, compare(record), plan


def _replayed(dataset: Dataset, recipe: Recipe | None, found: Sequence[Redone]) -> Replayed | None:
    if not found:
        return None
    found = sorted(found, key=lambda item: item[0])
    return Replayed(
        len(found),
        tuple((index, pixels) for index, pixels, _ in found if pixels is not None),
        0 if recipe is None else len(found),
        tuple((index, plan) for index, _, plan in found if plan is not None),
        tuple(changed_facts(dataset.info.get("environment", {}))),
    )


def _chosen(dataset: Dataset, options: Options, whole: set[int]) -> list[int]:
    """Indices to make again: intact pairs with a plan, chosen by chance."""
    chosen: list[int] = []
    for tried, index in enumerate(keyed_order(len(dataset), options.seed + 1)):
        if len(chosen) == options.replay or tried > 4 * options.replay + 64:
            break
        if dataset.locate(index)[0] not in whole:
            continue
        try:
            record = dataset.read(index, ("plan",))
        except ShardError:
            continue
        if isinstance(record, Record) and len(record.plan) > 2:
            chosen.append(index)
    return chosen


def _recipe(dataset: Dataset) -> tuple[Recipe | None, str]:
    if not dataset.info.get("recipe"):
        return None, "no recipe is recorded with this dataset (it was imported)"
    recipe = stored_recipe(dataset)
    if recipe is None:
        return None, "the recorded recipe means something else to this version of degradekit"
    return recipe, ""


def _reference(recipe: Recipe, dataset: Dataset, pool: _Pool, tick: Tick) -> tuple[Reference | None, str]:
    """Draw plans on the sizes of HR crops that the dataset has."""
    sizes: list[Geometry] = []
    for index in islice(keyed_order(len(dataset)), SIZES):
        try:
            record = dataset.read(index, ("plan",))
            if isinstance(record, Record) and len(record.plan) > 2:
                sizes.append(Geometry(*Plan.from_json(record.plan).hr))
        except DegradekitError:
            continue
    if not sizes:
        return None, "no plan could be read"
    count = min(max(4 * len(dataset), LEAST_PLANS), MOST_PLANS)
    chunks = [(first, min(500, count - first)) for first in range(0, count, 500)]
    rows: dict[int, list[Any]] = {}
    draw = partial(_draw, recipe, sizes)
    pool.run(draw, chunks, lambda item: rows.update([item]), lambda done: tick("reference", done * 500, count))
    drawn = [row for first in sorted(rows) for row in rows[first]]
    return make_reference(drawn, recipe.columns()), ""


def _draw(recipe: Recipe, sizes: Sequence[Geometry], chunk: tuple[int, int]) -> tuple[int, list[Any]]:
    return chunk[0], draw_columns(recipe, sizes, *chunk)


def real_spectra(folder: str) -> Array:
    """ln of the radial power of real images, of 128 px in their middle; ``[n, spectrum.BINS]``.

    Raises:
        SourceError: The folder holds none.
    """
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGES)
    rows = []
    for path in found[:: -(-len(found) // REAL) or 1]:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is not None and min(image.shape[:2]) >= 32:
            y = image.astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32)
            rows.append(spectrum.radial_power(spectrum.centre(y, 128)))
    if not rows:
        raise SourceError(f"{folder} holds no image that can be read; name a folder of real low-quality pictures")
    return np.stack(rows)
