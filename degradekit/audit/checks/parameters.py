"""Are the recorded parameters what the recipe draws?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from degradekit.audit.facts import Check, Facts, judged, not_run
from degradekit.audit.reference import FEW, Axis, Reference
from degradekit.audit.result import CheckResult, Evidence, Finding, Histogram, PairName, Words
from degradekit.audit.statistics import ALPHA, adjusted, chi_square, kolmogorov
from degradekit.types import Array

__all__ = ["CHECK"]

NAME = ("parameters", "Recorded parameters against the recipe's distributions")
EFFECT = 0.02
"""Distance of two distribution functions, or of two sets of shares, that is worth a word."""
NOISE = 1.63
"""The 99 % point of Kolmogorov's distribution: what sqrt(n) D reaches by chance."""
RANGE = 0.1
"""How far outside the drawn range a value must lie, as a share of that range."""
DRAWN = 22
"""Bins of a histogram on the page; the tests have up to 64."""
CORRELATION = 0.15
"""Difference of two rank correlations that is worth a word."""


class _Tested(NamedTuple):
    axis: Axis
    counts: Array
    distance: float
    limit: float
    p: float


def _run(facts: Facts) -> CheckResult:
    reference = facts.reference
    if reference is None:
        return not_run(NAME, facts.unknown)
    share = facts.distinct
    tested = [_test(facts, reference, group, counts, share) for group, counts in facts.counts.items()]
    corrected = adjusted([item.p for item in tested])
    findings = [
        _finding(item, float(p))
        for item, p in zip(tested, corrected, strict=True)
        if item.distance > item.limit and p < ALPHA
    ]
    findings.sort(key=lambda finding: -finding.value)
    findings += _missing(facts, reference, share)
    findings += _outside(facts, reference)
    findings += _correlated(facts, reference, share)
    findings += _redrawn(facts)
    worst = max(tested, key=lambda item: item.distance / item.limit, default=None)
    value = "no parameters"
    if worst is not None:
        value = f"largest distance {worst.distance:.3f} at {worst.axis.column} (limit {worst.limit:.3f})"
    return judged(
        NAME,
        findings,
        value=value,
        threshold=f"distance {EFFECT:g} or {NOISE:g} / sqrt(n), and adjusted p {ALPHA:g}",
        examined=len(tested),
        of=len(reference.axes),
        unit="parameters",
        per_pair=False,
        evidence=[_drawn(item.axis, item.counts) for item in tested],
    )


def _test(facts: Facts, reference: Reference, group: tuple[str, str], counts: Array, share: float) -> _Tested:
    axis = reference.axes[group]
    n = float(counts.sum()) * share
    if axis.column.startswith("gt."):
        n /= facts.dataset.info["variants"]  # the variants of a GT share its draws
    m = float(axis.expected.sum())
    distance, p = (chi_square if axis.words else kolmogorov)(counts, axis.expected, n, m)
    effective = n * m / max(n + m, 1)
    return _Tested(axis, counts, distance, max(EFFECT, NOISE / math.sqrt(max(effective, 1e-9))), p)


def _finding(item: _Tested, p: float) -> Finding:
    axis, counts = item.axis, item.counts
    total, expected = max(int(counts.sum()), 1), axis.expected / axis.expected.sum()
    at = f"{axis.column} of {axis.branch}" if axis.branch else axis.column
    if axis.words:
        words = (*axis.words, "another")
        i = int(np.argmax(np.abs(counts / total - expected)))
        word = words[i] or "not run"
        what = f"{word} has a share of {counts[i] / total:.3f}, the recipe draws {expected[i]:.3f}"
    else:
        gap = np.cumsum(counts) / total - np.cumsum(expected)
        i = int(np.argmax(np.abs(gap)))
        edge = axis.edges[min(i, len(axis.edges) - 1)]
        below = float(np.cumsum(counts)[i]) / total
        what = f"{below:.3f} of the values lie below {edge:.4g}, the recipe draws {below - gap[i]:.3f}"
    return Finding("error", f"{at}: {what} (p {p:.1g})", item.distance, item.limit, affected=total)


def _missing(facts: Facts, reference: Reference, share: float) -> Iterator[Finding]:
    """Parameters that the recipe often draws and the dataset never records."""
    pairs = len(facts.all("index")) * share
    for group, axis in reference.axes.items():
        rate = float(axis.expected.sum()) / reference.plans
        if group not in facts.counts and rate > EFFECT and (1 - rate) ** pairs < ALPHA / len(reference.axes):
            at = f"{axis.column} of {axis.branch}" if axis.branch else axis.column
            yield Finding("error", f"{at} is recorded nowhere, the recipe draws it in {rate:.0%} of the pairs", 0, rate)


def _outside(facts: Facts, reference: Reference) -> Iterator[Finding]:
    """Values that the recipe cannot draw, by the extremes that are written down for every column."""
    ranges: dict[str, list[Axis]] = {}
    for (column, _), axis in reference.axes.items():
        if not axis.words and column.rpartition(".")[2] not in ("h", "w"):  # sizes follow the sources
            ranges.setdefault(column, []).append(axis)
    for column, axes in ranges.items():
        low, high = min(axis.low for axis in axes), max(axis.high for axis in axes)
        stats_ = facts.dataset.info["columns"].get(column, {})
        slack = RANGE * max(high - low, 1e-9 * max(abs(high), 1))
        for value, wrong in (
            (stats_.get("min", low), stats_.get("min", low) < low - slack),
            (stats_.get("max", high), stats_.get("max", high) > high + slack),
        ):
            if wrong:
                yield Finding(
                    "error",
                    f"{column} has the value {value:.4g}, the recipe draws {low:.4g} to {high:.4g}",
                    value,
                    high,
                )


def _correlated(facts: Facts, reference: Reference, share: float) -> Iterator[Finding]:
    """Parameters that follow each other more, or less, than in the recipe."""
    recorded = {name: values for name, values in facts.sample.recorded.items() if name in reference.numbers}
    names = [name for name in recorded if name.startswith("deg.") and np.isfinite(recorded[name]).sum() > 50]
    tests = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            here = _rank_correlation(recorded[first], recorded[second])
            there = _rank_correlation(reference.numbers[first], reference.numbers[second])
            if here is not None and there is not None:
                n = max(here[1] * share - 3, 1.0)
                z = (math.atanh(here[0]) - math.atanh(there[0])) / math.sqrt(1.06 / n + 1.06 / (there[1] - 3))
                tests.append((2 * float(stats.norm.sf(abs(z))), first, second, here[0], there[0]))
    corrected = adjusted([test[0] for test in tests])
    for p, (_, first, second, here_rho, there_rho) in zip(corrected, tests, strict=True):
        if p < ALPHA and abs(here_rho - there_rho) > CORRELATION:
            yield Finding(
                "error",
                f"{first} and {second} have a rank correlation of {here_rho:+.2f}, the recipe gives {there_rho:+.2f}",
                here_rho - there_rho,
                CORRELATION,
            )


def _rank_correlation(a: Array, b: Array) -> tuple[float, int] | None:
    both = np.isfinite(a) & np.isfinite(b)
    count = int(both.sum())
    if count < 50:
        return None
    x, y = stats.rankdata(a[both]), stats.rankdata(b[both])
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    rho = float(np.corrcoef(x, y)[0, 1])
    return max(min(rho, 0.9999), -0.9999), count


def _redrawn(facts: Facts) -> Iterator[Finding]:
    replayed = facts.replayed
    if replayed is None or not replayed.other_plans:
        return
    _, first = replayed.other_plans[0]
    yield Finding(
        "error",
        f"{len(replayed.other_plans)} of {replayed.redrawn} plans are not what the recipe draws for their key: "
        f"{first.key}: {first.reason}",
        len(replayed.other_plans),
        0,
        pairs=tuple(PairName(i, d.key, d.variant, note=d.reason) for i, d in replayed.other_plans[:24]),
        affected=len(replayed.other_plans),
    )


def _drawn(axis: Axis, counts: Array) -> Evidence:
    expected = axis.expected / axis.expected.sum()
    if axis.words:
        keep = slice(None) if counts[-1] else slice(-1)
        words = (*(word or "not run" for word in axis.words), "another")[keep]
        return Words(axis.column, tuple(words), counts[keep], expected[keep], axis.branch)
    # What lies below and above the edges goes to the outermost bins: it is none, or a finding of its own.
    inner, share = counts[1:-1].copy(), expected[1:-1].copy()
    inner[0] += counts[0]
    inner[-1] += counts[-1]
    if len(inner) <= FEW:  # value by value: each in the middle of its bin
        middles = (axis.edges[1:-1] + axis.edges[:-2]) / 2
        around = np.diff(axis.edges[:-1]).min(initial=1.0) / 2
        return Histogram(
            axis.column,
            np.array([axis.edges[0] - around, *middles, axis.high + around]),
            inner,
            share,
            branch=axis.branch,
        )
    starts = np.arange(0, len(inner), -(-len(inner) // DRAWN))
    edges = np.append(axis.edges[starts], axis.edges[-1])
    return Histogram(
        axis.column, edges, np.add.reduceat(inner, starts), np.add.reduceat(share, starts), branch=axis.branch
    )


CHECK = Check(*NAME, _run)
