"""Evidence as shapes: paths and places on a plot, computed here and placed by the templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from degradekit.audit.result import Curves, HeatMap, Histogram, Scatter, Words
from degradekit.types import Array

__all__ = [
    "CurveShape",
    "HeatShape",
    "HistogramShape",
    "ScatterShape",
    "curves",
    "heat",
    "histogram",
    "scatter",
    "words",
]

PLOT = (240, 72)
"""Width and height of a histogram in units of its view box."""
SQUARE = 240
"""Side of a scatter plot."""
POINTS = 1500
"""Points that a scatter plot draws at most: evenly spaced ones of more."""
WORST, WIDEST = 24, 14
"""Rows and columns of a heat map that are shown."""
NARROW, TALL = 1 / 96, 3.0
"""A bin is drawn as at least this share of the plot; a bar that is so many times as tall as the typical one is cut."""


@dataclass(frozen=True, slots=True)
class HistogramShape:
    """Outline of the counts, line of what was declared (or ""), and the sentence for who cannot see them."""

    bars: str
    declared: str
    low: float
    high: float
    alt: str


@dataclass(frozen=True, slots=True)
class ScatterShape:
    """All points as one path, marks as ``(name, x, y)`` on the plot, where the zeros lie, and the ranges."""

    points: str
    marks: tuple[tuple[str, float, float], ...]
    zero: tuple[float | None, float | None]
    x: tuple[float, float]
    y: tuple[float, float]
    shown: int
    alt: str


@dataclass(frozen=True, slots=True)
class CurveShape:
    """Lines and ribbons by name, in the order of the legend."""

    lines: tuple[tuple[str, str], ...]
    ribbons: tuple[tuple[str, str], ...]
    x: tuple[float, float]
    y: tuple[float, float]
    alt: str


def histogram(evidence: Histogram) -> HistogramShape:
    """Draw densities, so that bins of different widths compare; a single value that takes much is a bar that is cut.

    Example:
        >>> h = Histogram("a", np.array([0.0, 1.0, 2.0]), np.array([1, 3]), np.array([0.5, 0.5]))
        >>> shape = histogram(h)
        >>> shape.bars, shape.declared
        ('M0 72V48H120V0H240V72Z', 'M0 24H120V24H240')
    """
    edges, counts = np.asarray(evidence.edges, float), np.asarray(evidence.counts, float)
    span = max(float(edges[-1] - edges[0]), 1e-12)
    widths = np.maximum(np.diff(edges), span * NARROW)
    total = max(float(counts.sum()), 1.0)
    density = counts / total / widths
    declared = None if evidence.declared is None else np.asarray(evidence.declared, float) / widths
    top = max(float(density.max(initial=0.0)), 0.0 if declared is None else float(declared.max(initial=0.0)), 1e-12)
    width, height = PLOT
    if declared is not None:
        top = min(top, TALL * _typical(declared, widths))
        density, declared = np.minimum(density, top), np.minimum(declared, top)
    right = np.minimum((edges[:-1] + widths - edges[0]) / span, 1.0) * width
    bars = "".join(f"V{height * (1 - d / top):.4g}H{x:.4g}" for d, x in zip(density, right, strict=True))
    line = ""
    if declared is not None:
        heights = height * (1 - declared / top)
        line = f"M0 {heights[0]:.4g}" + "".join(
            f"H{x:.4g}V{h:.4g}" for x, h in zip(right[:-1], heights[1:], strict=True)
        )
        line += f"H{width}"
    where = f" ({evidence.branch})" if evidence.branch else ""
    against = "" if declared is None else f", {_distance(counts / total, evidence.declared):.1%} away from the declared"
    alt = f"{evidence.name}{where}: {total:.0f} values from {edges[0]:.4g} to {edges[-1]:.4g} {evidence.unit}{against}"
    return HistogramShape(f"M0 {height}{bars}V{height}Z", line, float(edges[0]), float(edges[-1]), alt.strip())


def _typical(density: Array, widths: Array) -> float:
    """Median height of what is not empty, by the width that has it."""
    order = np.argsort(density)
    order = order[density[order] > 0]
    if not len(order):
        return 1.0
    across = np.cumsum(widths[order])
    return float(density[order][np.searchsorted(across, across[-1] / 2)])


def _distance(shares: Array, declared: Array | None) -> float:
    """Total variation distance between two lists of shares."""
    assert declared is not None
    return float(np.abs(shares - np.asarray(declared, float)).sum() / 2)


def words(evidence: Words) -> list[tuple[str, float, float | None]]:
    """Word, share, declared share."""
    total = max(float(np.sum(evidence.counts)), 1.0)
    declared = [None] * len(evidence.words) if evidence.declared is None else [float(d) for d in evidence.declared]
    return [
        (word, float(count) / total, share)
        for word, count, share in zip(evidence.words, evidence.counts, declared, strict=True)
    ]


def scatter(evidence: Scatter) -> ScatterShape:
    """Points on a square; the 1 % at either end may lie on its border, so that one outlier does not squeeze all.

    Example:
        >>> shape = scatter(Scatter("s", np.array([0.0, 1.0]), np.array([0.0, 2.0]), np.array([0, 1]), ("x", "y")))
        >>> shape.x, shape.y
        ((-0.1, 1.1), (-0.2, 2.2))
    """
    x, y = np.asarray(evidence.x, float), np.asarray(evidence.y, float)
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    xr = _range(x, [mark[1] for mark in evidence.marks])
    yr = _range(y, [mark[2] for mark in evidence.marks])
    keep = np.unique(np.linspace(0, max(len(x) - 1, 0), min(POINTS, len(x))).astype(int))
    across, down = _place(x[keep], xr), SQUARE - _place(y[keep], yr)
    points = "".join(f"M{a:.1f} {d:.1f}h0" for a, d in zip(across, down, strict=True))
    marks = tuple(
        (name, float(_place(np.array([a]), xr)[0]), SQUARE - float(_place(np.array([b]), yr)[0]))
        for name, a, b in evidence.marks
    )
    zero_x = float(_place(np.zeros(1), xr)[0]) if xr[0] <= 0 <= xr[1] else None
    zero_y = SQUARE - float(_place(np.zeros(1), yr)[0]) if yr[0] <= 0 <= yr[1] else None
    middle = f"median {np.median(x):.3g} and {np.median(y):.3g}" if len(x) else "no point"
    alt = f"{evidence.name}: {len(x)} pairs, {evidence.labels[0]} against {evidence.labels[1]}, {middle}"
    return ScatterShape(points, marks, (zero_x, zero_y), xr, yr, len(keep), alt)


def _range(values: Array, marks: Sequence[float]) -> tuple[float, float]:
    ends = [*np.quantile(values, [0.01, 0.99], method="nearest")] if len(values) else []
    ends += marks
    low, high = (float(min(ends)), float(max(ends))) if ends else (0.0, 1.0)
    pad = 0.1 * (high - low) or 0.5
    return low - pad, high + pad


def _place(values: Array, ends: tuple[float, float]) -> Array:
    return np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1) * SQUARE


def curves(evidence: Curves) -> CurveShape:
    """Lines; three curves called ``name p5``, ``name p50``, ``name p95`` become a ribbon and its middle.

    Example:
        >>> shape = curves(Curves("c", np.array([0.0, 1.0]), {"gt": np.array([0.0, 1.0])}, ("f", "power")))
        >>> shape.lines
        (('gt', 'M0 72L240 0'),)
    """
    x = np.asarray(evidence.x, float)
    ys = {name: np.asarray(y, float) for name, y in evidence.ys.items()}
    finite = [y[np.isfinite(y)] for y in ys.values()]
    everything = np.concatenate(finite) if finite else np.zeros(1)
    low, high = float(everything.min(initial=np.inf)), float(everything.max(initial=-np.inf))
    if not low < high:
        low, high = min(low, 0.0) if np.isfinite(low) else 0.0, max(high, 1.0) if np.isfinite(high) else 1.0
    span = max(float(x[-1] - x[0]), 1e-12)
    width, height = PLOT

    def path(y: Array, order: slice = slice(None)) -> str:
        px, py = (x - x[0]) / span * width, height * (1 - (np.nan_to_num(y, nan=low) - low) / (high - low))
        return "L".join(f"{a:.4g} {b:.4g}" for a, b in zip(px[order], py[order], strict=True))

    lines, ribbons = [], []
    for name, y in ys.items():
        stem = name.removesuffix(" p50")
        if stem != name and f"{stem} p5" in ys and f"{stem} p95" in ys:
            back = slice(None, None, -1)
            ribbons.append((stem, f"M{path(ys[f'{stem} p95'])}L{path(ys[f'{stem} p5'], back)}Z"))
            lines.append((stem, f"M{path(y)}"))
        elif not (name.endswith((" p5", " p95")) and f"{name.rsplit(' ', 1)[0]} p50" in ys):
            lines.append((name, f"M{path(y)}"))
    ends = (float(x[0]), float(x[-1]))
    names = ", ".join(name for name, _ in lines)
    alt = f"{evidence.name}: {names} over {evidence.labels[0]} from {ends[0]:.3g} to {ends[1]:.3g}"
    return CurveShape(tuple(lines), tuple(ribbons), ends, (low, high), alt)


@dataclass(frozen=True, slots=True)
class HeatShape:
    """Names of the columns; of each row its name, and (value, strength 0..1) of each cell."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]


def heat(evidence: HeatMap) -> HeatShape:
    """The rows and columns with the largest values first.

    Example:
        >>> heat(HeatMap("h", ("a", "b"), ("x", "y"), np.array([[0, 1.0], [0, -2.0]]))).rows[0]
        ('b', ((-2.0, 1.0), (0.0, 0.0)))
    """
    values = np.nan_to_num(np.asarray(evidence.values, float))
    if values.size == 0:
        return HeatShape((), ())
    size = np.abs(values)
    down, across = (np.argsort(-size.max(axis=axis), kind="stable")[:most] for axis, most in ((1, WORST), (0, WIDEST)))
    top = max(float(size.max()), 1e-12)
    rows = tuple(
        (evidence.rows[i], tuple((float(values[i, j]), float(size[i, j]) / top) for j in across)) for i in down
    )
    return HeatShape(tuple(evidence.columns[j] for j in across), rows)
