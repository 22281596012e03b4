"""Building one shard: the pure, idempotent function that every executor runs.

A build is N = images x crops x variants pairs in a fixed order. Shards are cut by count, so which pairs a shard holds
is arithmetic; a task carries just the images that it needs. The same task gives the same bytes wherever it runs.
"""

from __future__ import annotations

import ctypes
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import xxhash

from degradekit import codecs
from degradekit.errors import DegradekitError, ShardError
from degradekit.fields import uniform_field
from degradekit.plan import Plan
from degradekit.recipe import Recipe, parse_recipe
from degradekit.rng import Draws, sample_key
from degradekit.shards.commit import commit
from degradekit.source import cut_all, decode, is_flat, open_source, plan_windows
from degradekit.storage import open_store
from degradekit.types import Array, EncodedImage, Geometry, Record, Scalar, Tombstone, Window

__all__ = ["SKIP", "BuildSpec", "ShardReport", "ShardTask", "Spent", "Unit", "build_shard", "canary", "rehearse"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h

SKIP = "skip"
"""Step of a tombstone that the recipe asks for (an image too small, a flat patch): not a failure."""


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """What all tasks of a build share; a few KB, picklable.

    Args:
        recipe_text: The recipe file.
        recipe_name: What to call it.
        options: Its switches.
        per_image: Crops per image when it is not the recipe's own number.
        seed: Keys every draw.
        out: Dataset folder or URI.
        variants: LQs for each GT.
        format: Name in ``shards.FORMATS``.
        codec: Name in ``codecs.CODECS``.
        canary: What :func:`canary` gives in the process that planned the build.
    """

    recipe_text: str
    recipe_name: str
    options: tuple[tuple[str, bool], ...]
    per_image: int | None
    seed: int
    out: str
    variants: int
    format: str
    codec: str
    canary: str

    def recipe(self) -> Recipe:
        """The recipe, checked again: cheap, and a worker trusts nothing that was pickled."""
        return parse_recipe(
            self.recipe_text,
            where=self.recipe_name,
            seed=self.seed,
            options=dict(self.options),
            per_image=self.per_image,
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """Crops of one source image.

    Args:
        key: Path relative to the source root.
        uri: Where the bytes are.
        first: Number of the first crop.
        count: How many crops.
    """

    key: str
    uri: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to make.

    Args:
        number: Number of the shard.
        first: Dataset index of its first pair.
        units: The crops that its GTs are.
        poisoned: Keys of images that kill a worker; their pairs become tombstones untried.
    """

    number: int
    first: int
    units: tuple[Unit, ...]
    poisoned: frozenset[str] = frozenset()


@dataclass(slots=True)
class Spent:
    """CPU seconds by stage (``read``, ``draw``, ``apply.<op>``, ``encode``, ``write``)."""

    seconds: dict[str, float] = field(default_factory=dict)

    def stages(self) -> dict[str, float]:
        """Seconds that add up to the whole: the named stages, ``write`` and what is left as ``other``."""
        inner = {stage: s for stage, s in self.seconds.items() if stage not in ("make", "shard")}
        make = self.seconds["make"]
        return inner | {"write": self.seconds["shard"] - make, "other": make - sum(inner.values())}

    @contextmanager
    def on(self, stage: str) -> Iterator[None]:
        """Count the time of a ``with`` block."""
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - start


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What travels back from a finished shard: no pixels.

    Args:
        number: Number of the shard.
        pairs: Pairs stored.
        tombstones: Pairs that could not be made or were skipped.
        bytes: Size of the shard file.
        seconds: CPU time by stage.
        peak_rss: Largest resident size of the worker so far, in bytes.
    """

    number: int
    pairs: int
    tombstones: tuple[Tombstone, ...]
    bytes: int
    seconds: Mapping[str, float]
    peak_rss: int


def build_shard(spec: BuildSpec, task: ShardTask) -> ShardReport:
    """Make and commit one shard.

    Running it again for a committed shard redoes the work and verifies that the bytes are equal.

    Raises:
        ShardError: The shard cannot be stored, differs from what was committed before, or this machine computes other
            pixels than the one that planned the build.
    """
    recipe = trusted_recipe(spec)
    spent = Spent()
    tombstones: list[Tombstone] = []

    def records() -> Iterator[Record | Tombstone]:
        making = make_records(spec, recipe, task, spent)
        while True:
            with spent.on("make"):
                record = next(making, None)
            if record is None:
                return
            if isinstance(record, Tombstone):
                tombstones.append(record)
            yield record

    with spent.on("shard"):
        receipt = commit(open_store(spec.out), task.number, records(), format=spec.format, schema=recipe.columns())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pairs = task_pairs(task, spec.variants) - len(tombstones)
    return ShardReport(task.number, pairs, tuple(tombstones), receipt.bytes, spent.stages(), peak)


def rehearse(spec: BuildSpec, units: Sequence[Unit]) -> int:
    """Make the pairs of some images and throw them away: does a worker survive them?"""
    task = ShardTask(-1, 0, tuple(units))
    return sum(1 for _ in make_records(spec, trusted_recipe(spec), task, Spent()))


def task_pairs(task: ShardTask, variants: int) -> int:
    """How many pairs a task holds."""
    return variants * sum(unit.count for unit in task.units)


def make_records(spec: BuildSpec, recipe: Recipe, task: ShardTask, spent: Spent) -> Iterator[Record | Tombstone]:
    """Make the records of a task in order, one source image in memory at a time."""
    index = count(task.first)
    for unit in task.units:
        if unit.key in task.poisoned:
            yield from _none_made(spec, recipe, unit, index, Failure("worker", "it kills the process that reads it"))
            continue
        try:
            with spent.on("read"):
                with open_source(unit.uri) as file:
                    data = file.read()
                image = decode(data, unit.uri, recipe.extract)
                windows = image_windows(recipe, unit.key, (image.shape[0], image.shape[1]))
        except DegradekitError as error:
            failure = Failure("read", str(error).replace(unit.uri, unit.key))
            yield from _none_made(spec, recipe, unit, index, failure)
            continue
        meta: dict[str, Scalar] = {
            "source": unit.key,
            "source_h": image.shape[0],
            "source_w": image.shape[1],
            "source_xxh3": f"{xxhash.xxh3_64_intdigest(data):016x}",
        }
        yield from _image_records(spec, recipe, Source(unit, image, windows, meta), index, spent)


class Failure(NamedTuple):
    """Why a pair could not be made."""

    step: str
    reason: str


Made: TypeAlias = tuple[EncodedImage, list[tuple[EncodedImage, Plan]]]
"""An encoded GT, and an encoded LQ with its plan for each variant."""


class Source(NamedTuple):
    """A decoded image with its windows."""

    unit: Unit
    image: Array
    windows: dict[str, Window]
    meta: dict[str, Scalar]


def _image_records(
    spec: BuildSpec, recipe: Recipe, source: Source, index: Iterator[int], spent: Spent
) -> Iterator[Record | Tombstone]:
    unit, windows = source.unit, source.windows
    names = (recipe.extract.crops or tuple(windows))[unit.first : unit.first + unit.count]
    patches = cut_all(source.image, [windows[name] for name in names if name in windows])
    for name in names:
        key = f"{unit.key}#{name}"
        outcome: Failure | Made = Failure(SKIP, "the image is smaller than the window")
        if name in windows:
            with spent.on("read"):
                patch = next(patches)
            outcome = _pairs(spec, recipe, key, patch, spent)
        if isinstance(outcome, Failure):
            yield from (Tombstone(next(index), key, variant, *outcome) for variant in range(spec.variants))
            continue
        gt, made = outcome
        meta = source.meta | _place(windows[name])
        for variant, (lq, plan) in enumerate(made):
            with spent.on("draw"):
                record = Record(next(index), key, variant, gt, lq, plan.to_json(), plan.columns(), meta)
            yield record


def _place(window: Window) -> dict[str, Scalar]:
    return {"y": window.y, "x": window.x, "h": window.h, "w": window.w, "source_scale": window.scale}


def _pairs(spec: BuildSpec, recipe: Recipe, key: str, patch: Array, spent: Spent) -> Made | Failure:
    """The encoded GT of one HR crop, and an encoded LQ with its plan for each variant; all of them or none."""
    if recipe.extract.flat is not None and is_flat(patch, recipe.extract.flat):
        return Failure(SKIP, f"flat: its standard deviation is below {recipe.extract.flat:g} levels")
    clip = patch[None]
    made: list[tuple[EncodedImage, Plan]] = []
    try:
        with spent.on("draw"):
            plans = [
                recipe.draw(key=key, geometry=Geometry(*clip.shape), variant=variant)
                for variant in range(spec.variants)
            ]
        gt = plans[0].make_gt(clip, spent.seconds)  # the target's draws do not depend on the variant
        with spent.on("encode"):
            stored = codecs.encode(gt, spec.codec)
        for plan in plans:
            lq = plan.make_lq(gt, spent.seconds)
            with spent.on("encode"):
                made.append((codecs.encode(lq, spec.codec), plan))
    except DegradekitError as error:
        return Failure("apply", str(error))
    return stored, made


def _none_made(
    spec: BuildSpec, recipe: Recipe, unit: Unit, index: Iterator[int], failure: Failure
) -> Iterator[Tombstone]:
    """Tombstones for all crops of an image, under the keys that its pairs would have had as far as they are known."""
    names = recipe.extract.crops or tuple(f"crop{i}" for i in range(unit.first + unit.count))
    for name in names[unit.first : unit.first + unit.count]:
        for variant in range(spec.variants):
            yield Tombstone(next(index), f"{unit.key}#{name}", variant, *failure)


def image_windows(recipe: Recipe, key: str, size: tuple[int, int]) -> dict[str, Window]:
    """The windows of an image of the given (height, width); random ones are keyed by its name."""
    draws = Draws(sample_key(recipe.seed, key, None), "extract")
    return plan_windows(size, recipe.extract, recipe.scale, uniform=draws.uniform)


@lru_cache(maxsize=2)
def trusted_recipe(spec: BuildSpec) -> Recipe:
    """Recipe of a spec, parsed once a worker process, after the process has proved itself by the canary.

    Raises:
        ShardError: This machine computes other pixels than the one that planned the build.
    """
    cv2.setNumThreads(1)
    _keep_freed_memory()
    recipe = spec.recipe()
    here = canary(recipe)
    if spec.canary != here:
        raise ShardError(
            f"this machine computes other pixels (canary {here}) than the one that planned the build ({spec.canary}); "
            "use nodes with the same library versions and CPU features, or build on fewer of them"
        )
    return recipe


def _keep_freed_memory() -> None:
    """Let glibc keep what arrays give back: the pages of fresh ones cost 0.6 ms of system time a pair (to 0.01)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another libc: slower, not wrong
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, 256 << 20)


def canary(recipe: Recipe) -> str:
    """Digest of what this machine computes for four fixed pairs: equal digests, equal pixels.

    Libraries may pick other instructions on another type of CPU. A node whose canary differs would make the bytes
    of a dataset depend on the schedule, so it is refused.
    """
    side = 32 * recipe.scale
    digest = xxhash.xxh3_64()
    for i in range(4):
        plan = recipe.draw(key=f"canary#{i}", geometry=Geometry(1, side, side))
        noise = uniform_field(Draws(i, "canary").field("pixels"), side * side * 3)
        gt, lq = plan.apply((noise * 256).astype(np.uint8).reshape(side, side, 3))
        digest.update(gt.tobytes())
        digest.update(lq.tobytes())
    return digest.hexdigest()
