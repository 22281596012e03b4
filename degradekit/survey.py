"""What a recipe draws: the numbers of many plans, column by column, without touching a pixel."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from degradekit.graph import place
from degradekit.plan import Plan
from degradekit.recipe import Recipe, probe_geometry
from degradekit.steps import unfold
from degradekit.types import Array, Scalar

__all__ = ["Column", "Survey", "survey"]


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one parameter over all plans that have it.

    Args:
        name: As the dataset calls it: ``deg.blur1.sigma_x``.
        values: float64 or ``str`` ``[n]``; yes and no are words.
    """

    name: str
    values: Array

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.values.dtype.kind == "f"

    @property
    def constant(self) -> bool:
        """Whether only one value was drawn."""
        return bool((self.values == self.values[0]).all())

    def quantile(self, q: float) -> float:
        """The value that the share ``q`` of the draws stays below."""
        return float(np.quantile(self.values, q))

    def shares(self) -> dict[str, float]:
        """Each word and its share, the most frequent first."""
        words, counts = np.unique(self.values, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {str(words[i]): float(counts[i]) / self.values.size for i in order}


@dataclass(frozen=True, slots=True)
class Survey:
    """What many plans of a recipe hold.

    Args:
        plans: How many were drawn.
        columns: By name, in the order in which steps run.
        rates: Share of the plans in which the node of each path runs; branches have paths of their own.
    """

    plans: int
    columns: dict[str, Column]
    rates: dict[str, float]

    def share(self, column: str) -> float:
        """Share of the plans that have a column."""
        found = self.columns.get(column)
        return found.values.size / self.plans if found else 0.0

    def branches(self) -> dict[str, dict[str, float]]:
        """Places where not always the same node runs, with the share of the plans of each of its paths."""
        at: dict[str, dict[str, float]] = defaultdict(dict)
        for path, rate in self.rates.items():
            prefix, _, rest = path.partition(".")
            at[f"{prefix}.{place(rest)}"][rest] = rate
        ordered = {name: dict(sorted(rates.items(), key=lambda item: -item[1])) for name, rates in at.items()}
        return {name: rates for name, rates in ordered.items() if len(rates) > 1 or min(rates.values()) < 1}


def survey(recipe: Recipe, count: int = 2000) -> Survey:
    """Draw plans for keys that stand for nothing, on the recipe's own GT size, and collect their numbers.

    Args:
        recipe: The recipe; its seed decides the draws.
        count: Plans; 2,000 place a median within 2 % of the distribution, and take about a second.

    Example:
        >>> from degradekit.recipe import load_recipe
        >>> found = survey(load_recipe("classical"), 200)
        >>> 40 <= found.columns["deg.jpeg.quality"].quantile(0) < found.columns["deg.jpeg.quality"].quantile(1) <= 95
        True
    """
    geometry = probe_geometry(recipe)
    values: dict[str, list[Scalar]] = defaultdict(list)
    runs: dict[str, int] = defaultdict(int)
    for i in range(count):
        plan = recipe.draw(key=f"survey#{i}", geometry=geometry)
        for name, value in plan.columns().items():
            values[name].append(value)
        for path in _paths(plan):
            runs[path] += 1
    order = {name: i for i, name in enumerate(recipe.columns())}
    columns = {name: Column(name, _array(values[name])) for name in sorted(values, key=order.__getitem__)}
    return Survey(count, columns, {path: n / count for path, n in runs.items()})


def _paths(plan: Plan) -> set[str]:
    return {
        f"{prefix}.{step.at}"
        for prefix, steps in (("gt", plan.target), ("deg", plan.degrade))
        for step in unfold(steps)
    }


def _array(values: list[Scalar]) -> Array:
    if any(isinstance(value, str | bool) for value in values):
        return np.array([("yes" if value else "no") if isinstance(value, bool) else str(value) for value in values])
    return np.array(values, np.float64)
