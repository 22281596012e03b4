"""Building one shard: the pure, idempotent function that every executor runs.

A build is N = images x crops x variants pairs in a fixed order. Shards are cut by count, so which pairs a shard holds
is arithmetic; a task carries just the images that it needs. The same task gives the same bytes wherever it runs.
"""

from __future__ import annotations

import ctypes
import json
import math
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import xxhash

from degradekit import codecs
from degradekit.errors import DegradekitError, OpError, ShardError
from degradekit.fields import uniform_field
from degradekit.plan import Plan
from degradekit.recipe import Recipe, parse_recipe, probe_geometry
from degradekit.rng import Draws, sample_key
from degradekit.shards.commit import commit
from degradekit.source import (
    Face,
    Frames,
    Points,
    SkippedClip,
    SkippedFace,
    cut_all,
    decode,
    is_flat,
    open_source,
    plan_windows,
    read_clip,
    take_face,
    window_points,
)
from degradekit.storage import open_store
from degradekit.types import Array, EncodedImage, Geometry, Record, Scalar, Tombstone, Window

__all__ = ["SKIP", "BuildSpec", "ShardReport", "ShardTask", "Spent", "Unit", "build_shard", "canary", "rehearse"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h

SKIP = "skip"
"""Step of a tombstone that the recipe asks for (an image too small, a flat patch): not a failure."""

CANARY_FRAMES = 3
"""Frames of the canary's clips at most: enough for what one frame does to the next."""


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
        folder: What paths in the recipe are relative to.
        digest: Fingerprint of the recipe in the process that planned the build.
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
    folder: str
    digest: str

    def recipe(self) -> Recipe:
        """The recipe, checked again: cheap, and a worker trusts nothing that was pickled."""
        return parse_recipe(
            self.recipe_text,
            where=self.recipe_name,
            seed=self.seed,
            options=dict(self.options),
            per_image=self.per_image,
            folder=self.folder,
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """Crops of one source image, clip or face.

    Args:
        key: Path relative to the source root; of a clip, ``<path>@<first frame>``; of a face, ``<path>@<number>``.
        uri: Where the bytes are.
        first: Number of the first crop.
        count: How many crops.
        frames: Which frames are the clip; None for an image.
        face: Which face of the image it is; None where the recipe asks for no faces.
    """

    key: str
    uri: str
    first: int
    count: int
    frames: Frames | None = None
    face: Face | None = None

    @property
    def path(self) -> str:
        """Path of the image, video or folder of frames relative to the source root."""
        return self.key if self.frames is None and self.face is None else self.key.rpartition("@")[0]


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
        tombstones: Pairs that could not be made or were skipped.
        bytes: Size of the shard file.
        seconds: CPU time by stage.
        peak_rss: Largest resident size of the worker so far, in bytes.
    """

    number: int
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
    return ShardReport(task.number, tuple(tombstones), receipt.bytes, spent.stages(), peak)


def rehearse(spec: BuildSpec, units: Sequence[Unit]) -> int:
    """Make the pairs of some images and throw them away: does a worker survive them?"""
    task = ShardTask(-1, 0, tuple(units))
    return sum(1 for _ in make_records(spec, trusted_recipe(spec), task, Spent()))


def make_records(spec: BuildSpec, recipe: Recipe, task: ShardTask, spent: Spent) -> Iterator[Record | Tombstone]:
    """Make the records of a task in order, one source image in memory at a time."""
    index = count(task.first)
    for unit in task.units:
        if unit.key in task.poisoned:
            yield from _none_made(spec, recipe, unit, index, Failure("worker", "it kills the process that reads it"))
            continue
        try:
            with spent.on("read"):
                source = _read(unit, recipe)
        except DegradekitError as error:
            step = SKIP if isinstance(error, (SkippedClip, SkippedFace)) else "read"
            failure = Failure(step, str(error).replace(unit.uri, unit.path))
            yield from _none_made(spec, recipe, unit, index, failure)
            continue
        yield from _image_records(spec, recipe, source, index, spent)


def _read(unit: Unit, recipe: Recipe) -> Source:
    """Decode an image, a face or a clip, and lay out its windows."""
    points: Points = ()
    cuts: tuple[int, ...] = ()
    if unit.frames is None:
        with open_source(unit.uri) as file:
            data = file.read()
        clip = decode(data, unit.uri, recipe.extract)[None]
        facts: dict[str, Scalar] = {"source": unit.path}
        digest = xxhash.xxh3_64_intdigest(data)
    else:
        clip = read_clip(unit.uri, unit.frames, recipe.extract)
        cuts = recipe.extract.clip.cuts(clip) if recipe.extract.clip else ()
        facts = {"source": unit.path, "frame": unit.frames.first}
        digest = xxhash.xxh3_64_intdigest(clip.data)  # a video is not read from end to end for each of its clips
    facts |= {"source_h": clip.shape[1], "source_w": clip.shape[2], "source_xxh3": f"{digest:016x}"}
    if unit.face is not None and recipe.extract.faces is not None:
        picture, points = take_face(clip[0], unit.face, recipe.extract.faces)
        clip = picture[None]
    windows = image_windows(recipe, unit.key, (clip.shape[1], clip.shape[2]))
    return Source(unit, clip, windows, facts, points, cuts)


class Failure(NamedTuple):
    """Why a pair could not be made."""

    step: str
    reason: str


Made: TypeAlias = tuple[EncodedImage, list[tuple[EncodedImage, Plan]]]
"""An encoded GT, and an encoded LQ with its plan for each variant."""


class Source(NamedTuple):
    """A decoded image or clip with its windows, the landmarks of its face, and the frames that begin a new scene."""

    unit: Unit
    clip: Array
    windows: dict[str, Window]
    meta: dict[str, Scalar]
    points: Points
    cuts: tuple[int, ...]


def _image_records(
    spec: BuildSpec, recipe: Recipe, source: Source, index: Iterator[int], spent: Spent
) -> Iterator[Record | Tombstone]:
    unit, windows = source.unit, source.windows
    names = (recipe.extract.crops or tuple(windows))[unit.first : unit.first + unit.count]
    wanted = [windows[name] for name in names if name in windows]
    patches = zip(*(cut_all(frame, wanted) for frame in source.clip), strict=True)
    for name in names:
        key = f"{unit.key}#{name}"
        outcome: Failure | Made = Failure(SKIP, "the image is smaller than the window")
        if name in windows:
            with spent.on("read"):
                patch = next(patches)
                clip = patch[0][None] if len(patch) == 1 else np.stack(patch)
            outcome = _pairs(spec, recipe, key, clip, source.cuts, spent)
        if isinstance(outcome, Failure):
            yield from (Tombstone(next(index), key, variant, *outcome) for variant in range(spec.variants))
            continue
        gt, made = outcome
        meta = source.meta | _place(windows[name])
        for variant, (lq, plan) in enumerate(made):
            with spent.on("draw"):
                facts = meta | _landmarks(plan, source, windows[name])
                record = Record(next(index), key, variant, gt, lq, plan.to_json(), plan.columns(), facts)
            yield record


def _place(window: Window) -> dict[str, Scalar]:
    return {"y": window.y, "x": window.x, "h": window.h, "w": window.w, "source_scale": window.scale}


def _landmarks(plan: Plan, source: Source, window: Window) -> dict[str, Scalar]:
    """Where the landmarks of a face lie in GT and LQ, as JSON."""
    if not source.points:
        return {}
    gt, lq = plan.move(window_points(source.points, window, source.clip.shape[1:3]))
    return {
        f"{name}_landmarks": json.dumps([[round(x, 3), round(y, 3)] for x, y in points])
        for name, points in (("gt", gt), ("lq", lq))
    }


def _pairs(
    spec: BuildSpec, recipe: Recipe, key: str, clip: Array, cuts: tuple[int, ...], spent: Spent
) -> Made | Failure:
    """The encoded GT of one HR crop, and an encoded LQ with its plan for each variant; all of them or none."""
    if recipe.extract.flat is not None and all(is_flat(frame, recipe.extract.flat) for frame in clip):
        return Failure(SKIP, f"flat: its standard deviation is below {recipe.extract.flat:g} levels")
    made: list[tuple[EncodedImage, Plan]] = []
    try:
        with spent.on("draw"):
            plans = [
                recipe.draw(key=key, geometry=Geometry(*clip.shape), variant=variant, cuts=cuts)
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
        ShardError: This machine computes other pixels than the one that planned the build, or reads another pool.
    """
    cv2.setNumThreads(1)
    _keep_freed_memory()
    recipe = spec.recipe()
    if recipe.digest != spec.digest:
        raise ShardError(
            f"the recipe {spec.recipe_name} has the digest {recipe.digest} here and {spec.digest} where the build was "
            "planned: let a pool that it names hold the same on every node, and do not change it during a build"
        )
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
    t, side = min(recipe.extract.frames, CANARY_FRAMES), 32 * recipe.scale
    try:
        plans = _canary_plans(recipe, Geometry(t, side, side))
    except OpError:  # a mask from a file has one size
        plans = _canary_plans(recipe, replace(probe_geometry(recipe), t=t))
    digest = xxhash.xxh3_64()
    for i, plan in enumerate(plans):
        noise = uniform_field(Draws(i, "canary").field("pixels"), math.prod(plan.hr))
        gt, lq = plan.apply((noise * 256).astype(np.uint8).reshape(plan.hr))
        digest.update(gt.tobytes())
        digest.update(lq.tobytes())
    return digest.hexdigest()


def _canary_plans(recipe: Recipe, g: Geometry) -> list[Plan]:
    return [recipe.draw(key=f"canary#{i}", geometry=g) for i in range(4)]
