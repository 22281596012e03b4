"""Gathering facts about a dataset, in this process or in several, and judging them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import cv2
import numpy as np

from degradekit.audit import spectrum
from degradekit.audit.checks import CHECKS
from degradekit.audit.facts import Check, Facts, Replayed, not_run
from degradekit.audit.look import Broken, Pair, choose, look_at
from degradekit.audit.reference import Reference, draw_columns, make_reference
from degradekit.audit.result import Audit, CheckResult, Provenance
from degradekit.audit.scan import ShardScan, scan_shard
from degradekit.audit.statistics import bound
from degradekit.errors import DegradekitError, ShardError, SourceError
from degradekit.pick import keyed_order
from degradekit.plan import Plan
from degradekit.recipe import Recipe
from degradekit.replay import Difference, changed_facts, compare, redrawn, stored_recipe
from degradekit.shards.dataset import Dataset
from degradekit.shards.manifest import environment
from degradekit.shards.verify import verify_manifest
from degradekit.types import Array, Geometry, Record

__all__ = ["SAMPLE", "Options", "Tick", "audit", "gather", "judge"]

SAMPLE = 3000
"""Pairs that are looked at: without a bad one among them, fewer than 0.1 % of all are bad, at 95 %."""
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


@dataclass(frozen=True, slots=True)
class Options:
    """How much is looked at.

    Args:
        sample: Pairs whose pixels are measured.
        replay: Pairs that are made again; 0 for none.
        seed: Which pairs.
        workers: Processes; 1 stays in this one.
        checksums: Compare the hash of every file.
        only: Names of the checks to run; empty for all.
        real: Folder of real images, or None.
    """

    sample: int = SAMPLE
    replay: int = REPLAY
    seed: int = 0
    workers: int = 1
    checksums: bool = True
    only: tuple[str, ...] = ()
    real: str | None = None


def audit(
    dataset: Dataset,
    *,
    against: Dataset | None = None,
    options: Options | None = None,
    tick: Tick = lambda stage, done, total: None,
    command: str = "",
) -> Audit:
    """Audit a dataset.

    Headers, hashes and parameters of all pairs are looked at, and the pixels of a sample that is spread over the
    shards. Ctrl-C ends the gathering: what was gathered is judged, and the audit is marked as partial.

    Args:
        dataset: From ``open_dataset``.
        against: Another one to compare with, and to look for shared content in.
        options: How much is looked at.
        tick: Hears of the progress.
        command: What to write into the result, to run it again.

    Raises:
        ShardError: Not even the manifest can be read.
        SourceError: The folder of real images holds none.
    """
    options = options or Options()
    _check_names(options.only)
    began = time.monotonic()
    real = None if options.real is None else _real(options.real, dataset)
    facts = replace(gather(dataset, options, tick), real=real)
    if against is not None and not facts.partial:
        other = gather(against, replace(options, replay=0, checksums=False), tick)
        facts = replace(facts, against=other, partial=other.partial)
    gathered = time.monotonic()
    results = judge(facts, options.only)
    return Audit(
        _provenance(dataset),
        None if against is None else _provenance(against),
        results,
        facts.sample,
        bound(len(facts.pairs)),
        command,
        environment(),
        {"gather": gathered - began, "judge": time.monotonic() - gathered},
        facts.partial,
    )


def judge(facts: Facts, only: Sequence[str] = ()) -> tuple[CheckResult, ...]:
    """Run the checks.

    Args:
        facts: What was gathered.
        only: Names of those to run; the others are listed as not run.
    """
    return tuple(_judge(check, facts, only) for check in CHECKS)


def _judge(check: Check, facts: Facts, only: Sequence[str]) -> CheckResult:
    name = (check.name, check.title)
    if only and check.name not in only:
        return not_run(name, f"only {', '.join(only)} was asked for")
    result = check.run(facts)
    if facts.partial and result.status == "ok" and result.examined == 0:
        return not_run(name, "the audit was interrupted before it began")
    return result


def gather(dataset: Dataset, options: Options, tick: Tick) -> Facts:
    """Look at everything of a dataset that the checks need."""
    cv2.setNumThreads(1)
    recipe, unknown = _recipe(dataset)
    scans: list[ShardScan] = []
    looked: list[Pair | Broken] = []
    replays: list[tuple[int, Difference | None, Difference | None]] = []
    pool = _Pool(options.workers)
    reference: Reference | None = None
    interrupted = False
    try:
        if recipe is not None:
            reference, unknown = _reference(recipe, dataset, pool, tick)
        lean = None if reference is None else replace(reference, numbers={})
        scan = partial(_scan, dataset, reference=lean, checksums=options.checksums)
        pool.run(scan, range(len(dataset.shards)), scans.append, lambda done: tick("scan", done, len(dataset.shards)))
        whole = {scan.number for scan in scans if not scan.damage}
        chunks = [
            (number, rows[i : i + LOOK_CHUNK])
            for number, rows in choose(dataset, options.sample, options.seed).items()
            if number in whole
            for i in range(0, len(rows), LOOK_CHUNK)
        ]
        pool.run(
            partial(_look, dataset),
            chunks,
            looked.extend,
            lambda done: tick("pixels", done * LOOK_CHUNK, min(options.sample, len(dataset))),
        )
        if options.replay:
            wanted = _chosen(dataset, options, whole)
            redo = partial(_replay, dataset, recipe)
            pool.run(redo, wanted, replays.append, lambda done: tick("replay", done, len(wanted)))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        pool.close()
    return Facts(
        dataset,
        tuple(sorted(scans, key=lambda scan: scan.number)),
        tuple(sorted((pair for pair in looked if isinstance(pair, Pair)), key=lambda pair: pair.index)),
        tuple(sorted((pair for pair in looked if isinstance(pair, Broken)), key=lambda pair: pair.index)),
        recipe,
        reference,
        unknown,
        _replayed(dataset, recipe, replays),
        tuple(verify_manifest(dataset)) if options.checksums and not interrupted else (),
        options.checksums,
        partial=interrupted,
    )


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


def _scan(dataset: Dataset, number: int, *, reference: Reference | None, checksums: bool) -> ShardScan:
    return scan_shard(dataset, number, reference=reference, checksums=checksums)


def _look(dataset: Dataset, chunk: tuple[int, list[int]]) -> list[Pair | Broken]:
    return look_at(dataset, *chunk)


def _replay(dataset: Dataset, recipe: Recipe | None, index: int) -> tuple[int, Difference | None, Difference | None]:
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


def _replayed(
    dataset: Dataset, recipe: Recipe | None, found: Sequence[tuple[int, Difference | None, Difference | None]]
) -> Replayed | None:
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


def _real(folder: str, dataset: Dataset) -> Array:
    """Spectra of real images, of windows as large as the LQs where they have them."""
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


def _check_names(names: Sequence[str]) -> None:
    known = [check.name for check in CHECKS]
    for name in names:
        if name not in known:
            raise DegradekitError(f"there is no check {name!r}; choose from {', '.join(known)}")


def _provenance(dataset: Dataset) -> Provenance:
    info = dataset.info
    digest = str(info.get("recipe_digest", ""))
    name = "" if not info.get("recipe") else _recipe_name(str(info["recipe"]))
    return Provenance(
        dataset.store.uri,
        dataset.id,
        f"{name} {digest}".strip(),
        int(info.get("seed", 0)),
        dataset.scale,
        cast(dict[str, int], info["counts"]),
        info.get("environment", {}),
    )


def _recipe_name(text: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith("name:")), "")
    return line.partition(":")[2].strip()
