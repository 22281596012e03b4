"""What a recipe would have drawn: plans for keys of its own, which recorded parameters are held against.

A dataset's parameters are compared with draws of the same recipe on the same sizes, so that every op, branch,
repetition and derived number (the size after a resize) is covered without a formula for any of them. Numbers are kept
in bins, conditional on the op that ran at their place.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from degradekit.recipe import Recipe
from degradekit.types import Array, Geometry, Scalar

__all__ = ["Axis", "Reference", "draw_columns", "group_columns", "make_reference"]

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

    def count(self, values: Array) -> Array:
        """Counts of some values on this axis, as many as ``expected`` has."""
        if self.words:
            names, counts = np.unique(values.astype(str), return_counts=True)
            found = dict(zip(names.tolist(), counts.tolist(), strict=True))
            known = [found.pop(word, 0) for word in self.words]
            return np.array([*known, sum(found.values())], np.int64)
        return np.bincount(np.searchsorted(self.edges, values, side="right"), minlength=len(self.edges) + 1)


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
    columns = {
        name: np.array([_value(row.get(name), kind) for row in rows], object if kind == "str" else float)
        for name, kind in schema.items()
    }
    axes = {group: _axis(*group, values) for group, values in group_columns(columns, schema).items()}
    collisions = _collisions([tuple(row.get(name) for name in continuous(schema)) for row in rows])
    numbers = {name: values for name, values in columns.items() if schema[name] in ("float", "int")}
    passing = sum(all(op in PASSING for op in _ops(row)) for row in rows) / max(len(rows), 1)
    return Reference(len(rows), axes, collisions, passing, numbers)


def continuous(schema: Mapping[str, str]) -> list[str]:
    """Columns whose values do not repeat by chance."""
    return [name for name, kind in schema.items() if kind == "float" and name.startswith("deg.")]


def group_columns(columns: Mapping[str, Array], schema: Mapping[str, str]) -> dict[tuple[str, str], Array]:
    """Values of each parameter by the op at its place; of a place itself, the op that ran, ``""`` where none did.

    Args:
        columns: By name; NaN, None or ``""`` where a step did not run.
        schema: Their types.
    """
    out: dict[tuple[str, str], Array] = {}
    for name, kind in schema.items():
        place, _, parameter = name.rpartition(".")
        ops = columns.get(f"{place}.op")
        if ops is None:
            continue
        if parameter == "op":
            out[name, ""] = ops.astype(str)
            continue
        for op in sorted(set(ops.astype(str).tolist()) - {""}):
            values = columns[name][ops == op]
            live = values[values != ""] if kind == "str" else values[~np.isnan(values.astype(float))]
            if len(live):
                out[name, op] = live.astype(str if kind == "str" else float)
    return out


def _ops(row: Mapping[str, Scalar]) -> list[str]:
    return [str(value) for name, value in row.items() if name.startswith("deg.") and name.endswith(".op")]


def _value(value: Scalar | None, kind: str) -> Scalar:
    if value is None:
        return "" if kind == "str" else float("nan")
    return value if kind == "str" else float(value)


def _axis(column: str, branch: str, values: Array) -> Axis:
    make = functools.partial(Axis, column, branch)
    if values.dtype.kind != "f":
        words, counts = np.unique(values, return_counts=True)
        return make(tuple(words.tolist()), np.zeros(0), np.nan, np.nan, np.array([*counts, 0]))
    low, high = float(values.min()), float(values.max())
    distinct = np.unique(values)
    if len(distinct) > FEW:
        inner = np.unique(np.quantile(values, np.arange(1, BINS) / BINS))
        edges = np.unique(np.concatenate([[low], inner, [np.nextafter(high, np.inf)]]))
    else:
        edges = np.append(distinct, np.nextafter(high, np.inf))
    axis = make((), edges, low, high, np.zeros(0))
    return make((), edges, low, high, axis.count(values))


def _collisions(tuples: Sequence[tuple[Scalar | None, ...]]) -> float:
    seen: dict[tuple[Scalar | None, ...], int] = defaultdict(int)
    for item in tuples:
        seen[item] += 1
    pairs = sum(count * (count - 1) for count in seen.values())
    return pairs / max(len(tuples) * (len(tuples) - 1), 1)
