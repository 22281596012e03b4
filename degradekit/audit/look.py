"""Choosing pairs, spread over all shards, and looking at their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from degradekit.audit.claims import claims
from degradekit.audit.clip import doubtful_clip, measure_clip
from degradekit.audit.measure import PairMeasures, as_levels, measure_pair
from degradekit.audit.result import Sample
from degradekit.codecs import decode
from degradekit.errors import DegradekitError
from degradekit.pick import keyed_order
from degradekit.plan import Plan
from degradekit.shards.dataset import Dataset
from degradekit.steps import unfold
from degradekit.types import Array, Record, Scalar

__all__ = ["BITS", "FIT", "MOVED", "REMADE", "Broken", "Pair", "choose", "doubtful", "look_at", "tabulate"]

BITS = 18
"""Hashes of strangers differ in 20 to 42 of 64 bits, of nearly all right pairs in less (two-stage degradation)."""
CORRELATION = 0.6
"""Thumbnails of strangers correlate by up to 0.47, of right pairs by 0.71 and more."""
FIT = 0.55
"""Correlation after alignment: below this of 94 % of strangers, and of one right pair in 2000 (Real-ESRGAN)."""
FEATURES = 16.0
"""Standard deviation of R in levels below which a picture shows too little to be told from another."""
MOVED = 1.5
"""GT px from which on one pair's own shift is doubtful."""
REMADE = 0.99
"""Share of its values from which on an LQ is the one that GT and plan make again."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair that was looked at.

    Args:
        index: Position in the dataset.
        key: Sample key.
        variant: Which LQ of the GT.
        source: What it was cut from: pairs of one source share content.
        measures: What its pixels say.
        ops: Ops that ran between GT and LQ, in their order; empty without a plan.
        fields: Names of the noise fields that were drawn.
        claims: What the plan promises the estimators, see ``claims.claims``.
        recorded: Typed parameters.
        plan: Whether there is a plan.
    """

    index: int
    key: str
    variant: int
    source: str
    measures: PairMeasures
    ops: tuple[str, ...]
    fields: tuple[str, ...]
    claims: Mapping[str, float]
    recorded: Mapping[str, Scalar]
    plan: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A pair that cannot be looked at.

    Args:
        index: Position in the dataset.
        key: Sample key, or the shard's file where it is not known.
        variant: Which LQ.
        reason: One sentence.
    """

    index: int
    key: str
    variant: int
    reason: str


def choose(dataset: Dataset, count: int, seed: int = 0) -> dict[int, list[int]]:
    """Rows to look at by shard, each shard in proportion to its rows, in an order keyed by ``seed``.

    Args:
        dataset: The dataset.
        count: Pairs in all; all of them where it has no more.
        seed: Which pairs.
    """
    total = sum(row.rows for row in dataset.shards)
    chosen: dict[int, list[int]] = {}
    before = taken = 0
    for row in dataset.shards:
        before += row.rows
        take = min(row.rows, round(min(count, total) * before / total) - taken)
        order = keyed_order(row.rows, seed + row.number)
        rows = sorted(next(order) for _ in range(take))
        taken += take
        if rows:
            chosen[row.number] = rows
    return chosen


def doubtful(values: Mapping[str, Any]) -> Any:
    """Whether GT and LQ of a pair look like two pictures; of numbers as of arrays.

    Both coarse measures and the fine one have to agree; a pair without features is given the benefit of the doubt.

    Args:
        values: Measured numbers by name.
    """
    coarse = (values["hash_distance"] >= BITS) | (values["thumb_ncc"] < CORRELATION)
    return coarse & ~(values["shift_fit"] >= FIT) & (values["r_std"] >= FEATURES)


def look_at(dataset: Dataset, number: int, rows: Sequence[int], *, quality: bool = True) -> list[Pair | Broken]:
    """Measure some pairs of one shard; tombstones, and pairs whose sizes do not fit, are passed over.

    Args:
        dataset: The dataset.
        number: Which shard.
        rows: Rows of it.
        quality: See ``measure_pair``.
    """
    cv2.setNumThreads(1)
    out: list[Pair | Broken] = []
    first = dataset.shards[number].first_index
    for row in rows:
        name = (first + row, dataset.shards[number].file, 0)
        try:
            record = dataset.read(first + row, ("gt", "lq", "plan", "columns", "meta"))
            if isinstance(record, Record):
                name = (record.index, record.key, record.variant)
                if _fits(record, dataset.scale):
                    out.append(_pair(record, dataset.scale, quality))
        except DegradekitError as error:
            out.append(Broken(*name, str(error)))
    return out


def _fits(record: Record, scale: int) -> bool:
    """Whether the sizes are those of a pair; where not, the headers of all pairs say so."""
    gt, lq = record.gt.shape, record.lq.shape
    return gt[1:3] == (lq[1] * scale, lq[2] * scale)


def _pair(record: Record, scale: int, quality: bool) -> Pair:
    gt, lq = decode(record.gt), decode(record.lq)
    plan = Plan.from_json(record.plan) if len(record.plan) > 2 else None
    steps = () if plan is None else tuple(unfold(plan.degrade))
    expected = (0.0, 0.0) if plan is None else _expected(plan, scale)
    measures = measure_pair(as_levels(gt), as_levels(lq), scale=scale, expected=expected, quality=quality)
    values = {**measures.values, **measure_clip(gt, lq, scale)}
    moved = np.hypot(values["shift_x"], values["shift_y"]) > MOVED
    if plan is not None and (moved or doubtful(values) or doubtful_clip(values)):
        values["remade"] = _remade(gt, lq, plan)
    measures = replace(measures, values=values)
    source = str(record.meta.get("source", "")) or record.key.partition("#")[0]
    return Pair(
        record.index,
        record.key,
        record.variant,
        source,
        measures,
        tuple(step.draw.name for step in steps),
        tuple(str(name) for step in steps if (name := getattr(step.draw, "field", ""))),
        {} if plan is None else claims(plan),
        record.columns,
        plan is not None,
    )


def _remade(gt: Array, lq: Array, plan: Plan) -> float:
    """Share of the LQ's values that GT and plan make again, to two levels: heavy degradation, or another picture?"""
    again = plan.make_lq(gt).astype(np.int64)
    return float((np.abs(again - lq) <= 2 * (257 if lq.dtype == np.uint16 else 1)).mean())


def _expected(plan: Plan, scale: int) -> tuple[float, float]:
    """Where the middle of the LQ looks in the GT, from where pixel centres say, in GT px (x, y)."""
    a, b, c, d, e, f = plan.alignment
    size = plan.lq_geometry
    x, y, corner = (size.w - 1) / 2, (size.h - 1) / 2, (scale - 1) / 2
    return a * x + b * y + c - (scale * x + corner), d * x + e * y + f - (scale * y + corner)


def tabulate(pairs: Sequence[Pair], schema: Mapping[str, str], names: Sequence[str]) -> Sample:
    """The pairs as columns.

    Args:
        pairs: In the order of their index.
        schema: Typed columns.
        names: Measured numbers.
    """
    recorded = {}
    for name, kind in schema.items():
        if kind == "str":
            recorded[name] = np.array([str(pair.recorded.get(name, "")) for pair in pairs], object)
        else:
            recorded[name] = np.array([float(pair.recorded.get(name, np.nan)) for pair in pairs])
    return Sample(
        np.array([pair.index for pair in pairs], np.int64),
        tuple(pair.key for pair in pairs),
        np.array([pair.variant for pair in pairs], np.int64),
        {name: np.array([pair.measures.values[name] for pair in pairs]) for name in names},
        recorded,
    )
