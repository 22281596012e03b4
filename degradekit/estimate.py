"""What a build would cost, from a few real pairs that are made in memory and thrown away."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from degradekit.build import ShardTask, Spent, Unit, make_records
from degradekit.describe import describe_plan
from degradekit.job import BuildPlan
from degradekit.plan import Plan
from degradekit.shards.parquet_file import arrow_schema
from degradekit.table import align
from degradekit.types import Record, Tombstone

__all__ = ["Estimate", "estimate", "measure"]

PAIRS = 20
"""Pairs that are tried at least, where the build has so many; images are taken whole up to three times as many."""

COLUMN_BYTES = 350
"""What a column of a shard takes by itself, in the heads of its pages and in the footer: a Real-ESRGAN shard has 84
columns, and 30 kB that are neither images nor plans."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the tried pairs say about the whole build.

    Args:
        images: Source images.
        gts: GTs of the dataset.
        pairs: Pairs of the dataset, tombstones included.
        shards: Shards of the dataset.
        tried: Pairs that were made.
        tombstones: Pairs among those tried that could not be made or were skipped.
        bytes: Expected size of the dataset.
        pair_bytes: Expected bytes of one pair: its LQ, its plan and its share of the GT.
        cpu_seconds: Expected time of one process for the whole build, without writing the shards.
        stages: Milliseconds of one tried pair by stage, largest first.
        free_bytes: Free space where the dataset is to go; None for an object store.
        plans: The first plans drawn.
    """

    images: int
    gts: int
    pairs: int
    shards: int
    tried: int
    tombstones: tuple[Tombstone, ...]
    bytes: int
    pair_bytes: float
    cpu_seconds: float
    stages: Mapping[str, float]
    free_bytes: int | None
    plans: tuple[Plan, ...]

    @property
    def fits(self) -> bool:
        """Whether the dataset is expected to fit, with a tenth to spare."""
        return self.free_bytes is None or self.bytes * 1.1 < self.free_bytes


def measure(plan: BuildPlan) -> Estimate:
    """Make the pairs of the first images in memory, twice, and count.

    The first images are a fair sample: a dataset's images are in keyed order. The second round has the time that
    counts, because the first also loads or compiles loops; reading counts from the first, before files are cached.

    Args:
        plan: From :func:`degradekit.job.plan_build`. Nothing is written to its folder, or anywhere else.
    """
    cv2.setNumThreads(1)
    units = _first_units(plan)
    cold, warm = Spent(), Spent()
    for _ in _make(plan, units, cold):
        pass
    records: list[Record] = []
    tombstones: list[Tombstone] = []
    for record in _make(plan, units, warm):
        (records if isinstance(record, Record) else tombstones).append(record)  # type: ignore[arg-type]
    tried = len(records) + len(tombstones)
    seconds = {**warm.seconds, "read": max(cold.seconds.get("read", 0.0), warm.seconds.get("read", 0.0))}
    per_pair = {stage: 1000 * spent / tried for stage, spent in seconds.items()}
    pair_bytes = _bytes(records) / tried
    shard_bytes = COLUMN_BYTES * len(arrow_schema(plan.recipe.columns()))
    return Estimate(
        images=len(plan.images),
        gts=plan.gts,
        pairs=plan.pairs,
        shards=plan.shards,
        tried=tried,
        tombstones=tuple(tombstones),
        bytes=round(pair_bytes * plan.pairs) + shard_bytes * plan.shards,
        pair_bytes=pair_bytes,
        cpu_seconds=sum(per_pair.values()) / 1000 * plan.pairs,
        stages=dict(sorted(per_pair.items(), key=lambda item: -item[1])),
        free_bytes=_free(plan.spec.out),
        plans=tuple(Plan.from_json(record.plan) for record in records[:3]),
    )


def estimate(plan: BuildPlan, *, workers: int | None = None) -> str:
    """:func:`measure` in words.

    Args:
        plan: From :func:`degradekit.job.plan_build`.
        workers: Processes that the build is meant to have; default one for every CPU.
    """
    workers = workers or len(os.sched_getaffinity(0))
    found = measure(plan)
    lines = [
        f"would build {found.pairs} pairs ({found.gts} GTs of {found.images} images, "
        f"{plan.spec.variants} LQ each) in {found.shards} shard{'s' * (found.shards > 1)} at {plan.spec.out}",
        f"from {found.tried} pairs tried here, nothing was written:",
        *align(_costs(found, workers)),
        "time by stage:",
        *align(_shares(found.stages)),
        *_warnings(found, plan.spec.out),
        "the first plans:",
    ]
    for drawn in found.plans:
        lines += [f"{drawn.key}, variant {drawn.variant}", *(f"  {line}" for line in describe_plan(drawn))]
    return "\n".join(lines)


def _costs(found: Estimate, workers: int) -> list[tuple[str, str]]:
    rows = [
        ("size", f"about {_size(found.bytes)}, {_size(found.pair_bytes)} a pair"),
        ("time", f"about {_time(found.cpu_seconds)} of one process, without writing"),
    ]
    if workers > 1:
        rows.append(("", f"about {_time(found.cpu_seconds / workers)} with {workers} workers that do not wait"))
    if found.free_bytes is not None:
        rows.append(("disk", f"{_size(found.free_bytes)} free"))
    return rows


def _shares(stages: Mapping[str, float]) -> list[tuple[str, str, str]]:
    total = sum(stages.values())
    rows = [(stage, f"{ms:8.2f} ms", f"{ms / total:6.1%}") for stage, ms in stages.items()]
    return [*rows, ("a pair", f"{total:8.2f} ms", "")]


def _warnings(found: Estimate, out: str) -> Iterator[str]:
    if not found.fits:
        yield (
            f"warning: {_size(found.bytes)} do not fit into the {_size(found.free_bytes or 0)} that are free at {out}; "
            "free space, choose another --out, or a denser --codec"
        )
    failed = [tombstone for tombstone in found.tombstones if tombstone.step != "skip"]
    if failed:
        yield f"warning: {len(failed)} of {found.tried} pairs failed; {failed[0].key}: {failed[0].reason}"
    if skipped := len(found.tombstones) - len(failed):
        yield f"note: {skipped} of {found.tried} pairs are skipped as the recipe asks"


def _first_units(plan: BuildPlan) -> list[Unit]:
    """Crops of the first images, taken whole while they are small; at least ``PAIRS`` pairs where there are so many."""
    units: list[Unit] = []
    pairs = 0
    for number in range(plan.shards):
        for unit in plan.task(number).units:
            room = max(1, (3 * PAIRS - pairs) // plan.spec.variants)
            units.append(replace(unit, count=min(unit.count, room)))
            pairs += units[-1].count * plan.spec.variants
            if pairs >= PAIRS:
                return units
    return units


def _make(plan: BuildPlan, units: Sequence[Unit], spent: Spent) -> Iterator[Record | Tombstone]:
    return make_records(plan.spec, plan.recipe, ShardTask(0, 0, tuple(units)), spent)


def _bytes(records: Sequence[Record]) -> int:
    """Bytes that the records take in a shard: each GT once, every LQ, and the plans, which shards compress."""
    gts = sum(len(record.gt.data) for record in records if record.variant == 0)
    lqs = sum(len(record.lq.data) for record in records)
    plans = zlib.compress("\n".join(record.plan for record in records).encode(), 3)
    return gts + lqs + len(plans)


def _free(out: str) -> int | None:
    if "://" in out and not out.startswith("file://"):
        return None
    place = Path(out.removeprefix("file://")).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB" if count < 1000 else f"{count:.0f} TB"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.3g} h" if seconds < 360_000 else f"{seconds / 86_400:.0f} days"
