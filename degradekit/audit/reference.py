"""What a recipe would have drawn: plans for keys of its own, which recorded parameters are held against.

A dataset's parameters are compared with draws of the same recipe on the same sizes, so that every op, branch,
repetition and derived number (the size after a resize) is covered without a formula for any of them. Numbers are kept
in bins, conditional on the op that ran at their place, and as coarse as in the censuses of the shards.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from degradekit.recipe import Recipe
from degradekit.shards.census import coarse, columns_of, continuous, group_columns
from degradekit.types import Array, Geometry, Scalar

__all__ = ["Axis", "Reference", "draw_columns", "make_reference"]

BINS = 64
FEW = 24
"""A number with at most so many values is counted value by value."""
PASSING = frozenset({"resize", "flip", "crop"})
"""Ops after which a picture is what it was, but for its size."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The bins of one parameter, and what the recipe draws into them.

    Args:
        column: ``deg.blur1.sigma_x``.
        branch: The op at its place that this is for.
        words: Values that are counted one by one; empty where numbers are binned.
        edges: Inner edges of the bins, rising; a bin begins at its edge. Empty for words.
        low: Smallest value that was drawn; NaN for words.
        high: Largest.
        expected: Counts: of the words and of anything else, or of the bins below, between and above the edges.
    """

    column: str
    branch: str
    words: tuple[str, ...]
    edges: Array
    low: float
    high: float
    expected: Array

    def count(self, values: Array, counts: Array) -> Array:
        """Counts of distinct values on this axis, as many as ``expected`` has.

        Args:
            values: Coarse numbers or words, as a census has them.
            counts: How often each occurs.
        """
        if self.words:
            found = dict(zip(values.tolist(), counts.tolist(), strict=True))
            known = [found.pop(word, 0) for word in self.words]
            return np.array([*known, sum(found.values())], np.int64)
        at = np.searchsorted(self.edges, values, side="right")
        return np.bincount(at, counts, len(self.edges) + 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Reference:
    """Plans that were drawn to compare with.

    Args:
        plans: How many.
        axes: By (column, branch).
        collisions: Chance that two plans have equal continuous parameters.
        passing: Share of the plans that leave a picture as it is but for its size.
        numbers: Raw values of the numeric columns, ``[plans]`` each, NaN where a step did not run.
    """

    plans: int
    axes: Mapping[tuple[str, str], Axis]
    collisions: float
    passing: float
    numbers: Mapping[str, Array]


def draw_columns(recipe: Recipe, geometries: Sequence[Geometry], first: int, count: int) -> list[dict[str, Scalar]]:
    """Typed columns of ``count`` plans for keys that stand for nothing.

    Args:
        recipe: What is drawn.
        geometries: Sizes of HR crops, taken in turn.
        first: Number of the first key.
        count: How many.
    """
    return [
        recipe.draw(key=f"reference#{i}", geometry=geometries[i % len(geometries)]).columns()
        for i in range(first, first + count)
    ]


def make_reference(rows: Sequence[Mapping[str, Scalar]], schema: Mapping[str, str]) -> Reference:
    """Turn drawn columns into axes.

    Args:
        rows: From ``draw_columns``.
        schema: Typed columns of the recipe.
    """
    columns = columns_of(rows, schema)
    axes = {group: _axis(*group, values) for group, values in group_columns(columns, schema).items()}
    collisions = _collisions([tuple(row.get(name) for name in continuous(schema)) for row in rows])
    numbers = {name: values for name, values in columns.items() if schema[name] in ("float", "int")}
    passing = sum(all(op in PASSING for op in _ops(row)) for row in rows) / max(len(rows), 1)
    return Reference(len(rows), axes, collisions, passing, numbers)


def _ops(row: Mapping[str, Scalar]) -> list[str]:
    return [str(value) for name, value in row.items() if name.startswith("deg.") and name.endswith(".op")]


def _axis(column: str, branch: str, values: Array) -> Axis:
    make = functools.partial(Axis, column, branch)
    if values.dtype.kind != "f":
        words, counts = np.unique(values, return_counts=True)
        return make(tuple(words.tolist()), np.zeros(0), np.nan, np.nan, np.array([*counts, 0]))
    low, high = float(values.min()), float(values.max())
    kept, counts = np.unique(coarse(values), return_counts=True)
    edges = kept
    if len(kept) > FEW:
        ranks = np.searchsorted(np.cumsum(counts) / counts.sum(), np.arange(1, BINS) / BINS)
        edges = kept[np.unique([0, *ranks])]
    edges = np.append(edges, np.nextafter(high, np.inf))
    axis = make((), edges, low, high, np.zeros(0))
    return make((), edges, low, high, axis.count(kept, counts))


def _collisions(tuples: Sequence[tuple[Scalar | None, ...]]) -> float:
    seen: dict[tuple[Scalar | None, ...], int] = defaultdict(int)
    for item in tuples:
        seen[item] += 1
    pairs = sum(count * (count - 1) for count in seen.values())
    return pairs / max(len(tuples) * (len(tuples) - 1), 1)
