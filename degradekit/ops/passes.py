"""A two-dimensional kernel as cheap passes: trimmed, cut to low rank, with a bound on what that changes.

The outer products are found by cross approximation with complete pivoting, one alternation each: a term starts as the
residual's row through its largest entry and becomes the best column for that row, then the best row for that
column. Over the kernels of Real-ESRGAN (isotropic Gaussians aside) this needs 4.23 terms on average; the singular value
decomposition, which minimises another norm than the bound's, needs 4.24. For a 21x21 sinc filter all of this module
takes 24 us, of which numpy's decomposition alone would be 45.

Source: S. Treitel, J. Shanks, "The design of multistage separable planar filters", IEEE Trans. Geoscience Electronics
9, 1971; M. Bebendorf, "Approximation of boundary element matrices", Numerische Mathematik 86, 2000.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from degradekit.jit import inline, kernel
from degradekit.types import Array

__all__ = ["TILE", "Passes", "prepare", "share"]

TILE = 4
"""Output rows that the last pass computes together."""


class Passes(NamedTuple):
    """What is done to an image in place of a dense convolution.

    Each row is first filtered horizontally, once for each rank. Then ``TILE`` output rows are sums over the terms
    k of ``weights[TILE k + m]`` times the filtered row ``step_row[k]`` of rank ``step_at[k]``, counted from the row
    ``reach_y`` above the first output row. A direct kernel has no first pass: there ``step_at`` is a column.

    Args:
        reach_y: Rows above and below a pixel that count.
        reach_x: Columns left and right of a pixel that count.
        taps: float32 ``[rank, 2 reach_x + 1]`` horizontal filters; ``[0, 0]`` for a direct kernel.
        step_row: int64 ``[terms]``.
        step_at: int64 ``[terms]``.
        weights: float32 ``[TILE terms]``.
        head: The first ``head`` terms serve the upper half of the output rows only, the last ``head`` the lower half.
    """

    reach_y: int
    reach_x: int
    taps: Array
    step_row: Array
    step_at: Array
    weights: Array
    head: int


@inline
def share(left: int) -> int:
    """How many of the ``left`` horizontal filters are computed together; 3 and 3 are faster than 4 and 2."""
    return 3 if left in (5, 6) else min(left, 4)


@kernel
def prepare(weights: Array, allowance: float) -> Passes:
    """Take a kernel apart such that the sum of absolute deviations stays within ``allowance``.

    Args:
        weights: float64 ``[ky, kx]``, odd sides.
        allowance: Largest sum of |K - K'|; half of it bounds the error for images in [0, 1], since K' has the sum of K.

    Returns:
        The cheaper of the low-rank and the direct form.
    """
    total = _sum(weights)
    ry, rx, spent = _trim(weights, 0.5 * allowance)
    cy, cx = weights.shape[0] // 2, weights.shape[1] // 2
    core = weights[cy - ry : cy + ry + 1, cx - rx : cx + rx + 1].copy()
    columns, rows, rank = _cross(core, total, allowance - spent)
    low = _separable(columns[:rank], rows[:rank])
    if 0 < rank <= 2:  # at most k + 1 of k (k + 3) / 2 cycles: nothing direct is cheaper
        return low
    direct = _direct(core, total, allowance - spent)
    return low if rank > 0 and _cost(low) <= _cost(direct) else direct


@kernel
def _cost(passes: Passes) -> float:
    """Cycles for a vector of samples at two multiplications a cycle.

    A horizontal tap takes a cycle at least, because its load crosses a cache line.
    """
    cost, left = 0.5 * (len(passes.step_row) - passes.head), len(passes.taps)
    while left > 0:
        together = share(left)
        cost += max(1.0, 0.5 * together) * passes.taps.shape[1]
        left -= together
    return cost


@kernel
def _trim(kernel: Array, allowance: float) -> tuple[int, int, float]:
    """How far the kernel reaches when outer pairs of rows and columns worth up to ``allowance`` are dropped."""
    cy, cx = kernel.shape[0] // 2, kernel.shape[1] // 2
    ry, rx, spent = cy, cx, 0.0
    while ry + rx > 0:
        rows, columns = 0.0, 0.0
        for x in range(cx - rx, cx + rx + 1):
            rows += abs(kernel[cy - ry, x]) + abs(kernel[cy + ry, x])
        for y in range(cy - ry, cy + ry + 1):
            columns += abs(kernel[y, cx - rx]) + abs(kernel[y, cx + rx])
        if ry > 0 and (rx == 0 or rows <= columns) and spent + rows <= allowance:
            ry, spent = ry - 1, spent + rows
        elif rx > 0 and spent + columns <= allowance:
            rx, spent = rx - 1, spent + columns
        else:
            break
    return ry, rx, spent


@inline
def _sum(kernel: Array) -> float:
    total = 0.0
    for value in kernel.flat:
        total += value
    return total


@inline
def _magnitude(kernel: Array) -> float:
    total = 0.0
    for value in kernel.flat:
        total += abs(value)
    return total


@inline
def _gain(wanted: float, found: float) -> float:
    """Factor that restores the sum of a kernel; a kernel of sum near zero is left alone."""
    return wanted / found if abs(found) > 0.5 * abs(wanted) > 0.0 else 1.0


@kernel
def _cross(core: Array, total: float, allowance: float) -> tuple[Array, Array, int]:
    """Columns ``[rank, ky]`` and rows ``[rank, kx]`` whose outer products are within ``allowance`` of ``core``."""
    ky, kx = core.shape
    most = min(ky, kx)
    columns, rows = np.zeros((most, ky)), np.zeros((most, kx))
    rest, found = core.copy(), np.zeros((ky, kx))
    for rank in range(most):
        column, row = columns[rank], rows[rank]
        top = _peak_row(rest)
        for x in range(kx):
            row[x] = rest[top, x]
        if not _alternate(rest, column, row):
            return columns, rows, rank
        for y in range(ky):
            for x in range(kx):
                found[y, x] += column[y] * row[x]
                rest[y, x] -= column[y] * row[x]
        gain = _gain(total, _sum(found))
        error = 0.0
        for y in range(ky):
            for x in range(kx):
                error += abs(core[y, x] - gain * found[y, x])
        if error <= allowance:
            for i in range(rank + 1):
                for y in range(ky):
                    columns[i, y] *= gain
            return columns, rows, rank + 1
    return columns, rows, 0


@inline
def _peak_row(rest: Array) -> int:
    top, peak = 0, -1.0
    for y in range(rest.shape[0]):
        for x in range(rest.shape[1]):
            if abs(rest[y, x]) > peak:
                top, peak = y, abs(rest[y, x])
    return top


@inline
def _alternate(rest: Array, column: Array, row: Array) -> bool:
    """Best column for the row, then the best row for that column; False when nothing is left."""
    ky, kx = rest.shape
    length = 0.0
    for x in range(kx):
        length += row[x] * row[x]
    if length == 0.0:
        return False
    norm = 0.0
    for y in range(ky):
        product = 0.0
        for x in range(kx):
            product += rest[y, x] * row[x]
        column[y] = product / length
        norm += column[y] * column[y]
    for x in range(kx):
        row[x] = 0.0
    for y in range(ky):
        for x in range(kx):
            row[x] += rest[y, x] * (column[y] / norm)
    return True


@kernel
def _separable(columns: Array, rows: Array) -> Passes:
    rank, ky = columns.shape
    kx = rows.shape[1]
    terms = (ky + TILE - 1) * rank
    step_row, step_at = np.empty(terms, np.int64), np.empty(terms, np.int64)
    weights = np.zeros(terms * TILE, np.float32)
    taps = np.empty((rank, kx), np.float32)
    for i in range(rank):
        for x in range(kx):
            taps[i, x] = rows[i, x]
        for j in range(ky + TILE - 1):
            k = j * rank + i
            step_row[k], step_at[k] = j, i
            for m in range(max(0, j - ky + 1), min(TILE, j + 1)):
                weights[k * TILE + m] = columns[i, j - m]
    return Passes(ky // 2, kx // 2, taps, step_row, step_at, weights, TILE // 2 * rank)


@kernel
def _direct(core: Array, total: float, allowance: float) -> Passes:
    ky, kx = core.shape
    floor, gain = _floor(core, total, allowance)
    most = (ky + TILE - 1) * kx
    step_row, step_at = np.empty(most, np.int64), np.empty(most, np.int64)
    weights = np.zeros(most * TILE, np.float32)
    terms, upper, lower = 0, 0, 0
    for j in range(ky + TILE - 1):
        for x in range(kx):
            live = False
            for m in range(max(0, j - ky + 1), min(TILE, j + 1)):
                if abs(core[j - m, x]) > floor:
                    weights[terms * TILE + m] = gain * core[j - m, x]
                    live = True
            if live:
                step_row[terms], step_at[terms] = j, x
                terms += 1
                upper += j < TILE // 2
                lower += j >= ky + TILE // 2 - 1
    head = min(upper, lower)
    none = np.empty((0, 0), np.float32)
    return Passes(ky // 2, kx // 2, none, step_row[:terms], step_at[:terms], weights[: terms * TILE], head)


@inline
def _floor(core: Array, total: float, allowance: float) -> tuple[float, float]:
    """Magnitude up to which taps can be dropped, and the gain that restores the sum without them."""
    floor = allowance / core.size
    while True:
        kept, size = 0.0, 0.0
        for value in core.flat:
            if abs(value) > floor:
                kept += value
                size += abs(value)
        gain = _gain(total, kept)
        if floor == 0.0 or _magnitude(core) - size + abs(gain - 1.0) * size <= allowance:
            return floor, gain
        floor = 0.5 * floor if floor > 1e-12 * allowance else 0.0
