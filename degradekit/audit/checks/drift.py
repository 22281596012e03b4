"""Is one shard, or one part of the build, other than the rest?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from degradekit.audit.facts import Check, Facts, judged, not_run
from degradekit.audit.reference import Axis
from degradekit.audit.result import CheckResult, Finding, HeatMap
from degradekit.audit.scan import Part
from degradekit.audit.statistics import ALPHA, adjusted, chi_square, kolmogorov
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("drift", "Drift between shards")
EFFECT = 0.1
NOISE = 1.95
"""The 99.9 % point of Kolmogorov's distribution."""
FEATURES = (
    "psnr_r", "shift_x", "shift_y", "delta_r", "delta_g", "delta_b", "tone", "blur", "noise", "lq_jpeg", "lq_mean",
    "lq_std", "gt_detail", "gt_clipped",
)  # fmt: skip
FEWEST = 24
"""Independent pairs of a part that a distribution needs."""


class _Gap(NamedTuple):
    part: str
    feature: str
    distance: float
    limit: float
    p: float
    sign: float


def _run(facts: Facts) -> CheckResult:
    if len(facts.parts) < 2:
        return not_run(NAME, "there is only one shard")
    gaps = [*_pixels(facts), *_recorded(facts)]
    if not gaps:
        return not_run(NAME, f"no part of the build has {FEWEST} independent pairs in the sample: look at more")
    corrected = adjusted([gap.p for gap in gaps])
    bad = [gap for gap, p in zip(gaps, corrected, strict=True) if p < ALPHA and gap.distance > gap.limit]
    findings = []
    for part in dict.fromkeys(gap.part for gap in bad):
        mine = sorted((gap for gap in bad if gap.part == part), key=lambda gap: -gap.distance)
        words = ", ".join(f"{gap.feature} (distance {gap.distance:.2f})" for gap in mine[:3])
        message = f"{part} differs from the rest in {words}"
        findings.append(Finding("error", message, mine[0].distance, mine[0].limit, affected=len(mine)))
    top = max(gaps, key=lambda gap: gap.distance / gap.limit)
    return judged(
        NAME,
        findings,
        value=f"largest distance {top.distance:.2f} ({top.feature} of {top.part}, limit {top.limit:.2f})",
        threshold=f"distance {EFFECT:g} or {NOISE:g} / sqrt(n), and adjusted p {ALPHA:g}",
        examined=sum(len(part.numbers) for part in facts.parts),
        of=len(facts.dataset.shards),
        unit="shards",
        per_pair=False,
        evidence=[_map(gaps)],
    )


def _name(part: Part) -> str:
    first, last = min(part.numbers), max(part.numbers)
    return f"shard {first}" if first == last else f"shards {first} to {last}"


def _pixels(facts: Facts) -> Iterator[_Gap]:
    facts = facts.twins
    shards = np.array([facts.dataset.locate(pair.index)[0] for pair in facts.pairs], np.int64)
    for part in facts.parts:
        mine = np.isin(shards, part.numbers)
        for name in FEATURES:
            values = facts.value(name)
            known = ~np.isnan(values)
            here, there = mine & known, ~mine & known
            # Windows of one source are alike: as independent as their sources.
            n, m = (len(np.unique(facts.sources[which])) for which in (here, there))
            if n < FEWEST or m < FEWEST:
                continue
            edges = np.unique(np.quantile(values[known], np.arange(1, 64) / 64))
            first, second = (np.bincount(np.searchsorted(edges, values[w]), minlength=65) for w in (here, there))
            yield _gap(part, name, first, second, (n, m), kolmogorov)


def _recorded(facts: Facts) -> Iterator[_Gap]:
    if facts.reference is None:
        return
    for part in facts.parts:
        for group, mine in part.counts.items():
            rest, column = facts.counts[group] - mine, group[0]
            factor = facts.distinct / (facts.dataset.info["variants"] if column.startswith("gt.") else 1)
            n, m = float(mine.sum()) * factor, float(rest.sum()) * factor
            if n >= FEWEST and m >= FEWEST and column.rpartition(".")[2] not in ("h", "w"):
                axis: Axis = facts.reference.axes[group]
                name = f"{column} of {group[1]}" if group[1] else column
                yield _gap(part, name, mine, rest, (n, m), chi_square if axis.words else kolmogorov)


def _gap(part: Part, feature: str, first: Array, second: Array, n: tuple[float, float], test: object) -> _Gap:
    assert callable(test)
    distance, p = test(first, second, *n)
    limit = max(EFFECT, NOISE / math.sqrt(n[0] * n[1] / (n[0] + n[1])))
    bins = np.arange(len(first))
    sign = float((first * bins).sum() / max(first.sum(), 1) - (second * bins).sum() / max(second.sum(), 1))
    return _Gap(_name(part), feature, distance, limit, p, math.copysign(1, sign))


def _map(gaps: list[_Gap]) -> HeatMap:
    rows, columns = (tuple(dict.fromkeys(getattr(gap, name) for gap in gaps)) for name in ("part", "feature"))
    values = np.full((len(rows), len(columns)), np.nan)
    for gap in gaps:
        values[rows.index(gap.part), columns.index(gap.feature)] = gap.sign * gap.distance / gap.limit
    return HeatMap("drift", rows, columns, values, "distance over its limit, negative where values are smaller")


CHECK = Check(*NAME, _run)
