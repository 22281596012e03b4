"""Which pairs to show: those that cover what was drawn, and those that a check points at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from degradekit.audit.result import Audit, Sample
from degradekit.types import Array

__all__ = ["Coverage", "coverage", "covering", "offenders"]

CELLS = 6
"""Cells of the coverage map along either axis, each holding an equal share of the values on its own axis."""
OFTEN = 2
"""Maps that one parameter is in at most."""
VALUES = 4 * CELLS
"""Values that a parameter must have, or its cells cannot have equal shares."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How two parameters meet.

    Args:
        names: The two columns.
        edges: Borders of the cells on either axis.
        counts: ``[CELLS, CELLS]``; rows are the first column's.
        expected: Count of a cell if the two were independent.
    """

    names: tuple[str, str]
    edges: tuple[Array, Array]
    counts: Array
    expected: float

    @property
    def empty(self) -> list[str]:
        """Regions without a pair where some were to be expected, in words."""
        if self.expected < 5:
            return []
        (a, b), (rows, columns) = self.names, self.edges
        return [
            f"no pair with {a} from {rows[i]:.3g} to {rows[i + 1]:.3g} and {b} from {columns[j]:.3g} "
            f"to {columns[j + 1]:.3g}"
            for i, j in np.argwhere(self.counts == 0)
        ]


def covering(sample: Sample, count: int) -> list[int]:
    """Positions in the sample of pairs that lie far from each other in the space of their parameters.

    Greedy: each is the one farthest from all chosen before (Gonzalez 1985). Parameters count by rank, a step that did
    not run as a place of its own; without parameters, what was measured.

    Example:
        >>> sample = Sample(np.arange(4), ("a", "b", "c", "d"), np.zeros(4, int), {}, {"deg.q": np.array([1, 2, 3, 9])})
        >>> covering(sample, 2)
        [0, 3]
    """
    points = _places(sample.recorded if sample.recorded else sample.values, len(sample))
    if not len(points):
        return []
    chosen = [0]
    distance = ((points - points[0]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(points)):
        following = int(distance.argmax())
        if distance[following] <= 0:  # the rest are twins of chosen ones
            following = next(i for i in range(len(points)) if i not in set(chosen))
        chosen.append(following)
        distance = np.minimum(distance, ((points - points[following]) ** 2).sum(axis=1))
        distance[chosen] = -1
    return chosen


def _places(columns: Mapping[str, Array], rows: int) -> Array:
    axes = []
    for values in columns.values():
        numbers = np.asarray(values)
        if numbers.dtype.kind in "US" or numbers.dtype == object:
            _, numbers = np.unique(numbers.astype(str), return_inverse=True)
        numbers = np.asarray(numbers, float)
        known = np.isfinite(numbers)
        place = np.full(rows, -0.5)
        ranks = np.unique(numbers[known], return_inverse=True)[1] if known.any() else np.zeros(0)
        place[known] = ranks / max(float(ranks.max(initial=0)), 1.0)
        axes.append(place)
    return np.stack(axes, axis=1) if axes else np.zeros((rows, 1))


def offenders(audit: Audit, each: int) -> dict[int, list[str]]:
    """Dataset index of every pair that a finding names, the worst of each check first, with the checks' names."""
    found: dict[int, list[str]] = {}
    for result in audit.results:
        named = list(dict.fromkeys(pair.index for finding in result.findings for pair in finding.pairs))
        for index in named[:each]:
            found.setdefault(index, []).append(result.name)
    return found


def coverage(sample: Sample, maps: int) -> list[Coverage]:
    """Maps of the numeric parameters that run most often, two by two.

    A parameter of which one value takes more than a cell's share has no such map, nor have two that follow each other,
    as the height and the width of a resize do.

    Args:
        sample: The pairs that were looked at.
        maps: How many at most.
    """
    numeric = {
        name: np.asarray(values, float)
        for name, values in sample.recorded.items()
        if np.asarray(values).dtype.kind in "fiu" and _spread(np.asarray(values, float))
    }
    by_use = sorted(numeric, key=lambda name: (-int(np.isfinite(numeric[name]).sum()), name))
    made: list[Coverage] = []
    shown: Counter[str] = Counter()
    for first, second in combinations(by_use, 2):
        a, b = numeric[first], numeric[second]
        if max(shown[first], shown[second]) >= OFTEN:
            continue
        both = np.isfinite(a) & np.isfinite(b)
        if both.sum() < 5 * CELLS**2 or abs(_rank_correlation(a[both], b[both])) > 0.9:
            continue
        edges = (_edges(a[both]), _edges(b[both]))
        counts = np.histogram2d(a[both], b[both], bins=edges)[0]
        made.append(Coverage((first, second), edges, counts, float(both.sum()) / CELLS**2))
        shown.update((first, second))
        if len(made) == maps:
            break
    return made


def _spread(values: Array) -> bool:
    """Whether there are many values, and no single one takes more than a cell's share."""
    known = values[np.isfinite(values)]
    counts = np.unique(known, return_counts=True)[1]
    return len(counts) >= VALUES and counts.max() * CELLS <= len(known)


def _rank_correlation(a: Array, b: Array) -> float:
    first, second = (np.argsort(np.argsort(v, kind="stable"), kind="stable").astype(np.float64) for v in (a, b))
    return float(np.corrcoef(first, second)[0, 1])


def _edges(values: Array) -> Array:
    """Borders that share the values equally."""
    return np.quantile(values, np.linspace(0, 1, CELLS + 1))
