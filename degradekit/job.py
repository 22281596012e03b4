"""A whole build: list the source, plan lazily, run what is missing, and seal the dataset.

A dataset folder begins with ``plan.json``, which says what is being built, and ends with ``dataset.json``. Between
the two a build can stop anywhere; the same command goes on with the shards that are missing.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from degradekit import executors
from degradekit.build import SKIP, BuildSpec, ShardReport, ShardTask, Unit, canary, image_windows
from degradekit.codecs import CODECS, DEFAULT_CODEC
from degradekit.errors import BuildError, ShardError, SourceError
from degradekit.progress import Progress
from degradekit.recipe import Recipe
from degradekit.rng import hash64
from degradekit.shards import FORMATS
from degradekit.shards.commit import clear, committed_numbers, publish_bytes, read_sealed, sweep
from degradekit.shards.manifest import CLOCK, DATASET, DROPPED, MANIFEST, QUARANTINE, BuildFacts, finish
from degradekit.source import Extract, ImageRef, Listing, clip_size, list_clips, list_faces, list_images, read_header
from degradekit.storage import Store, open_store

__all__ = ["BuildPlan", "Summary", "TooManyFailures", "plan_build", "run_build"]

PLAN_FILE, PROGRESS_FILE = "plan.json", "progress.json"
INLINE_PAIRS = 2000
"""``auto`` builds this many pairs in its own process: about as long as a Ray cluster takes to start and warm up."""
SHARD_PAIRS = 512
"""Pairs in a shard where nothing else is asked for: tens of megabytes, some seconds of work."""


class TooManyFailures(BuildError):
    """More images failed than ``--max-failures`` allows."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What will be built; tasks are made one at a time, so ten million pairs weigh what their images weigh.

    Args:
        spec: What the tasks share.
        recipe: The recipe.
        images: Source images in the order of the dataset.
        ends: Number of GTs up to and including each image.
        gts: GTs of the dataset: all of them, or what ``limit`` leaves.
        shard_size: Pairs in a shard.
        source_digest: Fingerprint of the listing.
        ignored: Names in the source that are no images: reason -> how many.
    """

    spec: BuildSpec
    recipe: Recipe
    images: Sequence[ImageRef]
    ends: npt.NDArray[np.int64]
    gts: int
    shard_size: int
    source_digest: str
    ignored: Mapping[str, int] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        """Pairs of the dataset, tombstones included."""
        return self.gts * self.spec.variants

    @property
    def shards(self) -> int:
        """Shards of the dataset."""
        return -(-self.pairs // self.shard_size)

    def task(self, number: int) -> ShardTask:
        """The task of one shard."""
        per_shard = self.shard_size // self.spec.variants
        first, last = number * per_shard, min((number + 1) * per_shard, self.gts)
        units = []
        i = int(np.searchsorted(self.ends, first, side="right"))
        while first < last:
            image, end = self.images[i], int(self.ends[i])
            begin = int(self.ends[i - 1]) if i else 0
            count = min(end, last) - first
            if count:
                units.append(Unit(image.key, image.uri, first - begin, count, image.frames, image.face))
            first += count
            i += 1
        return ShardTask(number, number * self.shard_size, tuple(units))

    def tasks(self, done: Collection[int] = ()) -> Iterator[ShardTask]:
        """The tasks of all shards that are not done."""
        return (self.task(number) for number in range(self.shards) if number not in done)

    def rows(self, number: int) -> int:
        """Pairs of one shard, tombstones included."""
        return min(self.shard_size, self.pairs - number * self.shard_size)

    def facts(self) -> BuildFacts:
        """What ``dataset.json`` says of the build."""
        return BuildFacts(
            recipe=self.spec.recipe_text,
            options=dict(self.spec.options),
            per_image=self.spec.per_image,
            recipe_digest=self.recipe.digest,
            seed=self.spec.seed,
            scale=self.recipe.scale,
            format=self.spec.format,
            codec=self.spec.codec,
            shard_size=self.shard_size,
            variants=self.spec.variants,
            samples=self.pairs,
            schema=self.recipe.columns(),
        )

    def identity(self) -> dict[str, Any]:
        """What decides the bytes of the dataset; a build goes on only where all of it is equal."""
        return {
            "recipe": self.recipe.digest,
            "seed": self.spec.seed,
            "source": self.source_digest,
            "pairs": self.pairs,
            "variants": self.spec.variants,
            "shard_size": self.shard_size,
            "format": self.spec.format,
            "codec": self.spec.codec,
        }


@dataclass(slots=True)
class Summary:
    """What a build came to.

    Args:
        pairs: Pairs stored in the whole dataset.
        tombstones: Pairs of the whole dataset that could not be made or were skipped; ``quarantine.jsonl`` lists them.
        built: Shards made by this run; the others were there.
        failures: Pairs of this run that were wanted and could not be made.
        last_failure: One of them in words.
        seconds: CPU seconds of this run by stage, added over all workers.
        peak_rss: Largest resident size of a worker in bytes.
    """

    pairs: int = 0
    tombstones: int = 0
    built: int = 0
    failures: int = 0
    last_failure: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    peak_rss: int = 0

    def add(self, report: ShardReport) -> None:
        """Count one finished shard."""
        self.built += 1
        self.peak_rss = max(self.peak_rss, report.peak_rss)
        for stage, seconds in report.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        for dead in report.tombstones:
            if dead.step != SKIP:
                self.failures += 1
                self.last_failure = f"{dead.key} at {dead.step}: {dead.reason}"


def plan_build(
    recipe: Recipe,
    *,
    source: str,
    out: str,
    variants: int = 1,
    shard_size: int | None = None,
    limit: int | None = None,
    format: str = "parquet",
    codec: str = DEFAULT_CODEC,
) -> BuildPlan:
    """List the source and lay out the dataset.

    Args:
        recipe: From :func:`degradekit.load_recipe`.
        source: Folder, glob, list file, image or URI; ``sample`` for the photographs that scikit-image ships.
        out: Dataset folder or URI.
        variants: LQs for each GT.
        shard_size: Pairs in a shard, a multiple of ``variants``; None takes 512 or a few less.
        limit: At most so many pairs, in whole GTs.
        format: ``parquet`` or ``lmdb``.
        codec: See :data:`degradekit.codecs.CODECS`.

    Raises:
        SourceError: There are no images.
        BuildError: A number makes no dataset, or there is no such format or codec.
    """
    if shard_size is None:
        shard_size = max(1, SHARD_PAIRS // max(1, variants)) * max(1, variants)
    _check_layout(variants, shard_size, limit)
    _check_known("--format", format, FORMATS)
    _check_known("--codec", codec, CODECS)
    listing = _listed(source, recipe.extract)
    # Images in keyed order: neighbours in a folder (frames of one scene, say) do not become neighbours in a shard.
    images = sorted(listing.images, key=lambda image: hash64(f"{recipe.seed}:{image.key}"))
    counts = _crops_per_image(recipe, images)
    ends = np.cumsum(counts)
    gts = int(ends[-1])
    if limit is not None:
        gts = min(gts, limit // variants)
    if gts < 1:
        raise SourceError(f"no image of {source} is as large as the window; use a smaller extract.size, or small: pad")
    spec = BuildSpec(
        recipe_text=recipe.text,
        recipe_name=recipe.name,
        options=tuple(recipe.options.items()),
        per_image=recipe.per_image,
        seed=recipe.seed,
        out=out,
        variants=variants,
        format=format,
        codec=codec,
        canary=canary(recipe),
        folder=str(Path(recipe.folder).absolute()),  # a worker may have another working directory
        digest=recipe.digest,
    )
    ignored = dict(listing.ignored)
    return BuildPlan(spec, recipe, images, ends, gts, shard_size, _source_digest(listing.images), ignored)


def _listed(source: str, extract: Extract) -> Listing:
    if extract.clip is not None:
        return list_clips(source, extract.clip)
    return list_images(source) if extract.faces is None else list_faces(source, extract.faces)


def _check_layout(variants: int, shard_size: int, limit: int | None) -> None:
    if variants < 1:
        raise BuildError(f"--variants {variants} makes no LQ; give 1 or more")
    if shard_size < variants or shard_size % variants:
        raise BuildError(
            f"a shard of {shard_size} pairs cannot hold whole GTs with {variants} variants each; "
            f"use --shard-size {max(1, shard_size // variants) * variants}"
        )
    if limit is not None and limit < variants:
        raise BuildError(f"--limit {limit} leaves no GT with {variants} variants; give {variants} or more")


def _check_known(option: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise BuildError(f"{option} {value} is unknown; choose one of {', '.join(known)}")


def run_build(
    plan: BuildPlan,
    progress: Progress,
    *,
    executor: str = "auto",
    workers: int | None = None,
    ray_address: str | None = None,
    force: bool = False,
    max_failures: int | None = None,
) -> Summary:
    """Build what is missing and seal the dataset.

    Args:
        plan: From :func:`plan_build`.
        progress: Told of every shard.
        executor: ``inline``, ``ray``, or ``auto``: inline for small plans without ``workers`` or ``ray_address``.
        workers: Shards at a time on Ray.
        ray_address: A running cluster.
        force: Delete a dataset that stands in the way.
        max_failures: Stop when more pairs than this failed.

    Raises:
        BuildError: The folder holds something else, or a build of something else; or the executor takes no workers.
        ShardError: It cannot be written.
        TooManyFailures: See ``max_failures``; finished shards are kept.
    """
    if executor == "inline" and (workers or ray_address):
        raise BuildError("--executor inline makes shards in this process: leave out --workers and --ray-address")
    store = open_store(plan.spec.out)
    done = _open_folder(store, plan, force=force)
    summary = Summary()
    missing = plan.shards - len(done)
    on_ray = executor == "ray" or (
        executor == "auto" and bool(workers or ray_address or missing * plan.shard_size > INLINE_PAIRS)
    )
    tasks = plan.tasks(done)
    reports = (
        executors.on_ray(plan.spec, tasks, workers=workers, address=ray_address)
        if on_ray and missing
        else executors.inline(plan.spec, tasks)
    )
    began = time.time()
    progress.start(total=plan.pairs, done=sum(plan.rows(number) for number in done))
    with closing(reports):  # a build that stops takes its cluster with it
        for report in reports:
            summary.add(report)
            progress.advance(plan.rows(report.number), bytes=report.bytes, failures=summary.failures)
            if max_failures is not None and summary.failures > max_failures:
                raise TooManyFailures(
                    f"{summary.failures} pairs failed, more than --max-failures {max_failures}; the last: "
                    f"{summary.last_failure}; finished shards are kept, the same command with a higher limit goes on"
                )
    clock = {
        "started": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "executor": "ray" if on_ray else "inline",
        "seconds": time.time() - began,
        "pairs": sum(plan.rows(number) for number in range(plan.shards) if number not in done),
        "stages": summary.seconds,
        "peak_rss": summary.peak_rss,
    }
    sealed_before = not missing and DATASET in store.sizes()
    content = read_sealed(store, DATASET) if sealed_before else finish(store, plan.facts(), clock=clock)
    summary.pairs = content["counts"]["ok"]
    summary.tombstones = content["counts"]["tombstones"]
    return summary


def _crops_per_image(recipe: Recipe, images: Sequence[ImageRef]) -> npt.NDArray[np.int64]:
    """How many GTs each image gives: a constant of the recipe, or, for a sliding window, read from the headers."""
    if recipe.extract.crops is not None:
        return np.full(len(images), len(recipe.extract.crops), np.int64)
    sizes: dict[str, tuple[int, int]] = {}  # the clips of a sequence have one size
    return np.array([_sliding_crops(recipe, image, sizes) for image in images], np.int64)


def _sliding_crops(recipe: Recipe, image: ImageRef, sizes: dict[str, tuple[int, int]]) -> int:
    faces = recipe.extract.faces
    try:
        if faces is not None and faces.align == "ffhq":
            return len(image_windows(recipe, image.key, (faces.size, faces.size)))
        if image.frames is None:
            header = read_header(image.uri, max_pixels=recipe.extract.max_pixels)
            return len(image_windows(recipe, image.key, (header.h, header.w)))
        if image.uri not in sizes:
            sizes[image.uri] = clip_size(image, recipe.extract)
        return len(image_windows(recipe, image.key, sizes[image.uri]))
    except SourceError:
        return 1  # one tombstone stands for what cannot be cut


def _source_digest(images: Sequence[ImageRef]) -> str:
    """Fingerprint of the listing: names, sizes of local files, and landmarks; contents are recorded pair by pair."""
    digest = hashlib.blake2b(digest_size=16)
    sizes: dict[str, int] = {}  # clips that overlap share files
    for key, uri, frames, face in images:
        for file in (frames.files if frames else ()) or (uri,):
            if file not in sizes:
                sizes[file] = _size(file)
            digest.update(f"{key}\0{sizes[file]}\0".encode())
        if face is not None:
            digest.update(f"{face.points}\0".encode())
    return digest.hexdigest()


def _size(uri: str) -> int:
    try:
        return Path(uri).stat().st_size if "://" not in uri else -1
    except OSError:
        return -1


def _open_folder(store: Store, plan: BuildPlan, *, force: bool) -> set[int]:
    """Make the folder ours, or take up the shards that an earlier run of the same plan committed."""
    present = store.sizes("")
    identity = plan.identity()
    if PLAN_FILE in present and not force:
        changed = _changes(store, identity)
        if changed:
            raise BuildError(
                f"{plan.spec.out} holds another build: {', '.join(changed)}; give the same arguments to go on with it, "
                "choose another --out, or --force to delete it and start over"
            )
        sweep(store)
        return committed_numbers(store)
    if PLAN_FILE in present:
        _clear(store)
    elif present:
        raise BuildError(
            f"{plan.spec.out} is not empty and no degradekit dataset (it holds {sorted(present)[0]}); "
            "choose another --out"
        )
    with store.workspace() as folder:
        publish_bytes(store, folder, (json.dumps(identity, indent=1, sort_keys=True) + "\n").encode(), PLAN_FILE)
    return set()


def _changes(store: Store, identity: Mapping[str, Any]) -> list[str]:
    """What the folder's plan has otherwise."""
    try:
        before = dict(json.loads(store.read(PLAN_FILE)))
    except (TypeError, ValueError) as error:
        raise ShardError(
            f"{store.uri}/{PLAN_FILE} is no plan any more ({error}): restore it, or --force to delete the build"
        ) from error
    return [
        f"{name} was {before.get(name)} and is {identity.get(name)}"
        for name in sorted(before.keys() | identity.keys())
        if before.get(name) != identity.get(name)
    ]


def _clear(store: Store) -> None:
    """Delete a dataset: the files that degradekit makes, and no other.

    What vouches for others goes first; the plan goes last, so that a deletion that was cut short can be forced again.
    """
    for name in (DATASET, DROPPED, MANIFEST, QUARANTINE, CLOCK, PROGRESS_FILE):
        store.delete(name)
    clear(store)
    store.delete(PLAN_FILE)
