"""What a recipe will draw: histograms and shares over many plans."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from degradekit.describe import number
from degradekit.page import Figure, Group, Histogram, Section, Shares, Table, percent
from degradekit.survey import Column, Survey
from degradekit.types import Array

__all__ = ["column_table", "draws_section", "histogram"]

BINS = 30


def draws_section(found: Survey) -> Section:
    """A card for each place of the recipe, and a table of all columns."""
    places: dict[str, list[Column]] = defaultdict(list)
    for name, column in found.columns.items():
        places[name.rpartition(".")[0]].append(column)
    branches = found.branches()
    groups = [_group(found, name, columns, branches.get(name, {})) for name, columns in places.items()]
    groups.append(Group("All columns as a table", table=column_table(found), folded=True))
    return Section(
        "draws",
        "What will be drawn",
        f"{found.plans} plans for the recipe's own GT size. The tall line is the median; a twentieth of the draws lies "
        "beyond each short one.",
        groups,
        packed=True,
    )


def _group(found: Survey, name: str, columns: list[Column], branches: dict[str, float]) -> Group:
    figures: list[Figure] = []
    words: list[str] = []
    runs = found.share(f"{name}.op")
    if len(branches) > 1:
        figures.append(Shares(branches, "runs as", ("share of all pairs",)))
    for column in columns:
        label = column.name.rpartition(".")[2]
        if column.constant:
            value = column.values[0]
            words.append(f"{label} {number(float(value)) if column.numeric else value}")
        elif label == "op":
            continue
        elif column.numeric:
            figures.append(histogram(column, label, lines=_part(found, column, runs)))
        else:
            figures.append(Shares(column.shares(), label, _part(found, column, runs)))
    always = f"; always {', '.join(words)}" if words else ""
    return Group(name, figures, note=f"runs in {percent(runs)} of the pairs{always}")


def _part(found: Survey, column: Column, runs: float) -> tuple[str, ...]:
    """In how many pairs a parameter is there, where that is not whenever its place runs."""
    share = found.share(column.name)
    return () if share == runs else (f"in {percent(share)} of the pairs",)


def histogram(column: Column, title: str, *, lines: tuple[str, ...] = ()) -> Histogram:
    """Counts of a numeric column in equal bins: one for each value where few whole numbers occur."""
    values = column.values
    counts, edges = np.histogram(values, bins=_edges(values))
    five, median, ninety_five = (column.quantile(q) for q in (0.05, 0.5, 0.95))
    return Histogram(
        tuple(int(count) for count in counts),
        float(edges[0]),
        float(edges[-1]),
        (float(values.min()), float(values.max())),
        (five, median, ninety_five),
        title,
        lines,
    )


def column_table(found: Survey) -> Table:
    """Every column with its share of the pairs and its quantiles, or its words."""
    rows = []
    for name, column in found.columns.items():
        share = percent(found.share(name))
        if column.numeric:
            numbers = [number(column.quantile(q)) for q in (0, 0.05, 0.5, 0.95, 1)]
            rows.append((name, share, *numbers, ""))
        else:
            words = ", ".join(f"{word} {percent(part)}" for word, part in column.shares().items())
            rows.append((name, share, "", "", "", "", "", words))
    head = ("column", "in pairs", "min", "5 %", "median", "95 %", "max", "words")
    return Table(head, rows, f"{found.plans} plans")


def _edges(values: Array) -> Array:
    """Bins of one lattice point each, or of equally many, where the values lie on a lattice; otherwise equal ones."""
    few = np.unique(values)
    step = _lattice(few)
    if step:
        count = round((few[-1] - few[0]) / step) + 1
        together = -(-count // (2 * BINS))
        edges: Array = few[0] + step * (together * np.arange(-(-count // together) + 1) - 0.5)
        return edges
    return np.linspace(few[0], few[-1], BINS + 1)


def _lattice(few: Array) -> float:
    """The distance that all distances between sorted values are multiples of; 0 where there is none to be seen."""
    if few.size == 1:
        return 0.0
    steps = np.diff(few)
    if (few == np.round(few)).all():
        return float(np.gcd.reduce(steps.astype(np.int64)))
    step = float(steps.min())
    even = few.size < 2 * BINS and np.allclose(steps / step, np.round(steps / step), atol=1e-6)
    return step if even else 0.0
