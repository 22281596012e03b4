"""Everything that the checks judge: gathered once, read by all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from degradekit.audit.look import Broken, Pair, tabulate
from degradekit.audit.measure import MEASURES
from degradekit.audit.reference import Reference
from degradekit.audit.result import SEVERITIES, CheckResult, Evidence, Finding, PairName, Sample
from degradekit.audit.scan import Part, ShardScan, merge
from degradekit.audit.statistics import bound
from degradekit.recipe import Recipe
from degradekit.replay import Difference
from degradekit.shards.census import Group
from degradekit.shards.dataset import Dataset
from degradekit.types import Array

__all__ = ["Check", "Facts", "Replayed", "judged", "not_run", "worst"]

SHOWN = 24
"""Pairs that a finding names."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of making pairs again.

    Args:
        tried: Pairs of which it was tried.
        differences: Those whose pixels do not come out as stored.
        redrawn: Pairs whose plan was drawn again; 0 where the recipe does not mean what it meant.
        other_plans: Those whose plan is not what the recipe draws for their key.
        environment: Facts of this machine that are not those of the build.
    """

    tried: int
    differences: tuple[tuple[int, Difference], ...]
    redrawn: int
    other_plans: tuple[tuple[int, Difference], ...]
    environment: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What was gathered about a dataset.

    Args:
        dataset: The dataset.
        scans: Of every shard that was looked at, without their counts.
        parts: Those counts, by neighbouring shards.
        pairs: The sample, by index.
        broken: Pairs of the sample that cannot be read.
        recipe: What it was built from, or None.
        reference: What that recipe draws, or None.
        unknown: Why there is no recipe or no reference; empty where there is.
        replayed: Or None where there was nothing to make again.
        quarantine: Problems of the files beside the shards.
        against: The dataset to compare with, or None.
        real: ln of the radial power of real images, ``[n, spectrum.BINS]``, or None.
        partial: Whether gathering was interrupted.
    """

    dataset: Dataset
    scans: tuple[ShardScan, ...]
    parts: tuple[Part, ...]
    pairs: tuple[Pair, ...]
    broken: tuple[Broken, ...]
    recipe: Recipe | None = None
    reference: Reference | None = None
    unknown: str = ""
    replayed: Replayed | None = None
    quarantine: tuple[str, ...] = ()
    against: Facts | None = None
    real: Array | None = None
    partial: bool = False

    @cached_property
    def sample(self) -> Sample:
        """All pairs that were looked at, as columns."""
        return tabulate(self.pairs, self.dataset.schema, tuple(MEASURES))

    @cached_property
    def strangers(self) -> Array:
        """Which pairs of the sample show two different pictures, bool ``[n]``; see ``checks.partner``."""
        from degradekit.audit.checks.partner import strangers

        return strangers(self.sample)

    @cached_property
    def twins(self) -> Facts:
        """The same facts without the strangers: a wrong partner is one defect, not a bad shift, colour and noise."""
        return replace(self, pairs=tuple(pair for pair, bad in zip(self.pairs, self.strangers, strict=True) if not bad))

    @cached_property
    def sources(self) -> Array:
        """Number of the source of each pair of the sample, ``[n]``: pairs of one source are not independent."""
        names = {name: i for i, name in enumerate(dict.fromkeys(pair.source for pair in self.pairs))}
        return np.array([names[pair.source] for pair in self.pairs], np.int64)

    @cached_property
    def counts(self) -> dict[Group, Array]:
        """Counts of every parameter over all shards, on the axes of the reference."""
        out: dict[Group, Array] = {}
        for part in self.parts:
            merge(out, part.counts)
        return out

    @cached_property
    def distinct(self) -> float:
        """Share of the pairs whose continuous parameters no other pair has: a repeated draw says nothing new."""
        draws = self.all("draws")
        return len(np.unique(draws)) / len(draws) if len(draws) else 1.0

    def all(self, name: str) -> Array:
        """One array of the censuses, over all shards: ``index``, ``content``, ``source``, ``path`` or ``draws``."""
        return np.concatenate([getattr(scan.census, name) for scan in self.scans] or [np.zeros(0, np.uint64)])

    @property
    def total(self) -> int:
        """Pairs of the dataset."""
        return int(self.dataset.info["counts"]["ok"])

    def value(self, name: str) -> Array:
        """One measured number of every pair of the sample."""
        return self.sample.values[name]

    def names(self, which: Array, values: Array | None = None) -> tuple[PairName, ...]:
        """The pairs at some positions of the sample, as evidence; at most ``SHOWN``.

        Args:
            which: Positions, worst first.
            values: The number that counts, of the whole sample.
        """
        return tuple(
            PairName(
                self.pairs[i].index,
                self.pairs[i].key,
                self.pairs[i].variant,
                float("nan") if values is None else float(values[i]),
            )
            for i in which[:SHOWN].tolist()
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Args:
        name: On the command line and in every output.
        title: What it is about, a few words.
        run: Judges the facts; raises nothing.
    """

    name: str
    title: str
    run: Callable[[Facts], CheckResult] = field(repr=False)


def judged(
    check: tuple[str, str],
    findings: Sequence[Finding],
    *,
    value: str,
    threshold: str,
    examined: int,
    of: int,
    evidence: Sequence[Evidence] = (),
    **rest: Any,
) -> CheckResult:
    """A result: ``ok`` without findings, worst finding first with them.

    Args:
        check: Name and title.
        findings: What is wrong.
        value: See ``CheckResult``.
        threshold: See ``CheckResult``.
        examined: See ``CheckResult``.
        of: See ``CheckResult``.
        evidence: See ``CheckResult``.
        rest: ``unit``, and ``per_pair`` (False for a check of the dataset as a whole, which has no bound).
    """
    per_pair = rest.pop("per_pair", True)
    ordered = tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
    limit = bound(examined) if per_pair and not ordered else float("nan")
    return CheckResult(
        *check,
        "finding" if ordered else "ok",
        value=value,
        threshold=threshold,
        examined=examined,
        of=of,
        bound=limit,
        findings=ordered,
        evidence=tuple(evidence),
        **rest,
    )


def not_run(check: tuple[str, str], reason: str) -> CheckResult:
    """A check that has nothing to judge."""
    return CheckResult(*check, "not_run", reason=reason)


def worst(values: Array, which: Array) -> Array:
    """Positions where ``which`` holds, largest value first."""
    at = np.flatnonzero(which)
    order: Array = at[np.argsort(-np.nan_to_num(values[at]), kind="stable")]
    return order
