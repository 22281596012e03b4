"""Error diffusion: what a coarse level takes from a pixel is given to the pixels that are still to come."""

from __future__ import annotations

import numpy as np
from numpy import float32, int32, uint32

from degradekit.jit import inline, kernel
from degradekit.types import Array, FloatImage

__all__ = ["DIFFUSIONS", "diffuse", "diffuse_palette", "nearest"]

_Rows = tuple[tuple[int, int, int, int, int], ...]

DIFFUSIONS: dict[str, tuple[int, _Rows]] = {
    "floyd_steinberg": (16, ((0, 0, 0, 7, 0), (0, 3, 5, 1, 0))),
    "jarvis": (48, ((0, 0, 0, 7, 5), (3, 5, 7, 5, 3), (1, 3, 5, 3, 1))),
    "stucki": (42, ((0, 0, 0, 8, 4), (2, 4, 8, 4, 2), (1, 2, 4, 2, 1))),
    "atkinson": (8, ((0, 0, 0, 1, 1), (0, 1, 1, 1, 0), (0, 0, 1, 0, 0))),
    "burkes": (32, ((0, 0, 0, 8, 4), (2, 4, 8, 4, 2))),
    "sierra": (32, ((0, 0, 0, 5, 3), (2, 4, 5, 4, 2), (0, 2, 3, 2, 0))),
    "sierra2": (16, ((0, 0, 0, 4, 3), (1, 2, 3, 2, 1))),
    "sierra_lite": (4, ((0, 0, 0, 2, 0), (0, 1, 1, 0, 0))),
}
"""Divisor, and shares for this row (the pixel itself in the middle) and the next ones. Atkinson gives away 6/8 only."""

_REACH = 2
_UNITS = np.float32(1020)
"""Palette distances are whole numbers: a quarter of an 8-bit level is 1."""


def diffuse(x: FloatImage, levels: int, *, method: str, serpentine: bool) -> FloatImage:
    """Round every channel to ``levels`` even levels and diffuse the error.

    Args:
        x: float32 ``[H, W, C]``.
        levels: 2 or more.
        method: Name in :data:`DIFFUSIONS`.
        serpentine: Run every second row from right to left.

    Returns:
        float32 ``[H, W, C]`` of the values i / (levels - 1).
    """
    out = np.empty(x.shape, np.float32)
    _diffuse(np.ascontiguousarray(x), levels, *_shares(method), serpentine, out)
    return out


def diffuse_palette(x: FloatImage, palette: Array, *, method: str, serpentine: bool) -> Array:
    """Replace every pixel by the nearest colour of a palette and diffuse the error.

    Args:
        x: float32 ``[H, W, 3]``.
        palette: uint8 ``[N, 3]``, N up to 256.
        method: Name in :data:`DIFFUSIONS`.
        serpentine: Run every second row from right to left.

    Returns:
        uint8 ``[H, W]``, indices into the palette.
    """
    out = np.empty(x.shape[:2], np.uint8)
    _diffuse_palette(np.ascontiguousarray(x), _table(palette), *_shares(method), serpentine, out)
    return out


def nearest(x: FloatImage, palette: Array) -> Array:
    """Index of the nearest colour for every pixel, the first of equally near ones.

    Args:
        x: float32 ``[H, W, 3]``.
        palette: uint8 ``[N, 3]``, N up to 256.

    Returns:
        uint8 ``[H, W]``.

    Example:
        >>> palette = np.array([[0, 0, 0], [255, 0, 0], [255, 255, 255]], np.uint8)
        >>> nearest(np.float32([[[0.1, 0.1, 0.1], [0.9, 0.2, 0.2]]]), palette).tolist()
        [[0, 1]]
    """
    out = np.empty(x.shape[:2], np.uint8)
    _nearest_all(np.ascontiguousarray(x).reshape(-1, 3), _table(palette), out.reshape(-1))
    return out


def _shares(method: str) -> tuple[Array, FloatImage]:
    """Offsets (rows down, pixels on) int64 [n, 2] and their shares float32 [n]."""
    divisor, rows = DIFFUSIONS[method]
    terms = [(dy, dx - _REACH, share) for dy, row in enumerate(rows) for dx, share in enumerate(row) if share]
    offsets = np.array([term[:2] for term in terms], np.int64)
    return offsets, np.array([share / divisor for *_, share in terms], np.float32)


def _table(palette: Array) -> Array:
    """256 |p|^2 + index, and 512 p, in units: int32 [4, N]; with p below 1021 nothing reaches 2^31."""
    table = np.empty((4, len(palette)), np.int32)
    table[1:] = palette.T.astype(np.int32) * 4
    table[0] = 256 * (table[1:] * table[1:]).sum(0) + np.arange(len(palette))
    table[1:] *= 512
    return table


@kernel
def _diffuse(x: FloatImage, levels: int, offsets: Array, shares: Array, serpentine: bool, out: FloatImage) -> None:
    h, w, c = x.shape
    error, places = np.zeros(3 * (w + 2 * _REACH) * c, np.float32), np.empty(len(shares), np.uint32)
    top, step = float32(levels - 1), float32(1) / float32(levels - 1)
    for y in range(h):
        way = -1 if serpentine and y % 2 else 1
        here = _aim(places, offsets, y, way, w, c)
        for i in range(w):
            at = i if way > 0 else w - 1 - i
            for k in range(c):
                p = uint32(at * c + k)
                value = x[y, at, k] + error[here + p]
                level = min(max(np.floor(value * top + float32(0.5)), float32(0)), top)
                out[y, at, k] = level * step
                _give(error, places, p, value - level * step, shares)
        _clear(error, here, w, c)


@inline
def _aim(places: Array, offsets: Array, y: int, way: int, w: int, c: int) -> uint32:
    """Where the shares of the first pixel of row ``y`` go in the ring of three rows; returns where its own are."""
    pitch = (w + 2 * _REACH) * c
    for j in range(len(places)):
        places[j] = (y + offsets[j, 0]) % 3 * pitch + (_REACH + way * offsets[j, 1]) * c
    return uint32(y % 3 * pitch + _REACH * c)


@inline
def _give(error: Array, places: Array, p: uint32, value: float32, shares: Array) -> None:
    for j in range(len(shares)):
        error[places[j] + p] += value * shares[j]


@inline
def _clear(error: Array, here: uint32, w: int, c: int) -> None:
    for i in range(w * c):
        error[here + uint32(i)] = 0


@inline
def _nearest(red: int32, green: int32, blue: int32, table: Array) -> int32:
    """The distance less the pixel's own square travels with the index in one whole number, so the loop vectorises."""
    best = int32(2**31 - 1)
    for j in range(table.shape[1]):
        r, g, b = int32(table[1, j] * red), int32(table[2, j] * green), int32(table[3, j] * blue)
        best = min(best, int32(int32(table[0, j] - r) - int32(g + b)))
    return int32(best & 255)


@inline
def _whole(value: float32) -> int32:
    return int32(min(max(value, float32(0)), float32(1)) * _UNITS + float32(0.5))


@kernel
def _nearest_all(x: FloatImage, table: Array, out: Array) -> None:
    for i in range(len(x)):
        out[i] = _nearest(_whole(x[i, 0]), _whole(x[i, 1]), _whole(x[i, 2]), table)


@kernel
def _diffuse_palette(x: FloatImage, table: Array, offsets: Array, shares: Array, serpentine: bool, out: Array) -> None:
    h, w, c = x.shape
    error, places = np.zeros(3 * (w + 2 * _REACH) * c, np.float32), np.empty(len(shares), np.uint32)
    value, unit = np.empty(3, np.float32), float32(1) / (float32(512) * _UNITS)
    for y in range(h):
        way = -1 if serpentine and y % 2 else 1
        here = _aim(places, offsets, y, way, w, c)
        for i in range(w):
            at = i if way > 0 else w - 1 - i
            p = uint32(at * c)
            for k in range(3):
                # Cut to [0, 1]: colours outside the palette's hull would otherwise pile up error without end.
                value[k] = min(max(x[y, at, k] + error[here + p + uint32(k)], float32(0)), float32(1))
            best = _nearest(_whole(value[0]), _whole(value[1]), _whole(value[2]), table)
            out[y, at] = best
            for k in range(3):
                _give(error, places, p + uint32(k), value[k] - float32(table[1 + k, best]) * unit, shares)
        _clear(error, here, w, c)
