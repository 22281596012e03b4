"""Finding the JPEG quality of pixels: which quantisation table do their DCT coefficients lie on?

Decoded JPEG pixels, transformed again on their 8x8 grid, give coefficients near multiples of the table's steps, up to
the rounding of the pixels. For a step q the density of a coefficient at distance d from the nearest multiple is
q N(d; sigma) times that of an image that was never a JPEG, so the mean of log(q N(d; sigma)) over the coefficients
says how much better a quality explains them: a likelihood ratio, which needs no rule against the small steps that
explain everything.

Source: Fan, de Queiroz, "Identification of bitmap compression history", IEEE TIP 12, 2003; Neelamani et al., "JPEG
compression history estimation for color images", IEEE TIP 15, 2006 (the idea; the ratio is written down here).
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy import float32

from degradekit.jit import kernel
from degradekit.ops.libjpeg import quantisation_tables
from degradekit.types import Array

__all__ = ["Lattice", "grid_phase", "jpeg_lattice"]

QUALITIES = range(10, 98)
"""Above, steps of 1 and 2 drown in the rounding of the pixels."""
FREQUENCIES = 21
"""Lowest AC frequencies that are looked at, by zigzag: the others are mostly zero."""
SIGMA = 0.45
"""Spread of a coefficient around its multiple, in levels: three channels were rounded to integers (measured)."""
FAR = 3.0
"""Share of coefficients that may lie anywhere, as a logarithm: one in twenty, for colours that clipped."""
PRECISION, FARTHEST = float32(0.5 / SIGMA**2), float32(-FAR)
LEAST = 1.5
"""Smaller coefficients lie near the multiple 0 of every table."""
MOST = 1000
"""Coefficients that are enough."""


class Lattice(NamedTuple):
    """The quality that fits best.

    Args:
        quality: libjpeg quality, 10..97.
        gain: Mean log-likelihood ratio of a coefficient against no JPEG at all, in nats; JPEG is above 0.
        rests_on: How many coefficients.
    """

    quality: int
    gain: float
    rests_on: int


def jpeg_lattice(
    y: Array, *, clipped: Array | None = None, phase: tuple[int, int] = (0, 0), blocks: int = 256
) -> Lattice:
    """The JPEG quality whose table explains a picture best.

    Args:
        y: Luma 0..255, float32 ``[H, W]``, not rounded.
        clipped: bool ``[H, W]``: pixels with a channel at 0 or 255; their blocks are left out, because clipping takes
            coefficients off the lattice.
        phase: (row, column) of the first whole block.
        blocks: Use at most so many, spread evenly.

    Example:
        >>> from degradekit.ops.libjpeg import jpeg_round_trip
        >>> x = np.linspace(0.2, 0.8, 64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3) ** 2; x[16:, 9:] *= 0.5
        >>> y = jpeg_round_trip(x, 60, "4:4:4") @ np.float32([76.245, 149.685, 29.07])
        >>> jpeg_lattice(y).quality
        60
    """
    tiles = _tiles(y, phase)
    if clipped is not None:
        tiles = tiles[~_tiles(clipped, phase).any(axis=(1, 2))]
    tiles = tiles[:: max(1, len(tiles) // blocks)]
    basis, order = _basis(), _zigzag()
    coefficients = (basis @ tiles @ basis.T).reshape(-1, 64)[:, order]
    which = np.broadcast_to(np.arange(FREQUENCIES), coefficients.shape)[keep := np.abs(coefficients) > LEAST]
    values = coefficients[keep]
    if len(values) < 30:
        return Lattice(0, -math.inf, len(values))
    stride = max(1, len(values) // MOST)
    values, which = values[::stride], which[::stride]
    gains = np.empty(len(QUALITIES), np.float32)
    _gains(values, np.ascontiguousarray(which), _steps(), _log_steps(), gains)
    best = int(np.argmax(gains))
    return Lattice(QUALITIES[best], float(gains[best]), len(values))


def grid_phase(y: Array) -> tuple[int, int]:
    """Where the 8x8 grid of an old JPEG most likely begins: the row and column with the largest steps across.

    Args:
        y: Luma, float32 ``[H, W]``.
    """
    return _phase(y), _phase(y.T)


def _phase(y: Array) -> int:
    steps = np.abs(y[:-3] - 3 * y[1:-2] + 3 * y[2:-1] - y[3:]).mean(axis=1)  # third differences peak at block borders
    means = [float(np.median(steps[at::8])) for at in range(8)]
    return (int(np.argmax(means)) + 2) % 8  # a step between rows i + 1 and i + 2 begins a block at i + 2


def _tiles(y: Array, phase: tuple[int, int]) -> Array:
    y = y[phase[0] :, phase[1] :]
    rows, columns = y.shape[0] // 8, y.shape[1] // 8
    return y[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)


@kernel
def _gains(values: Array, which: Array, steps: Array, density: Array, out: Array) -> None:
    """Mean log-likelihood ratio of every table (a row of ``steps`` and of its log-densities) into ``out``."""
    for quality in range(steps.shape[0]):
        total = float32(0)
        for i in range(values.shape[0]):
            step = steps[quality, which[i]]
            multiple = values[i] / step
            off = (multiple - np.floor(multiple + float32(0.5))) * step
            ratio = density[quality, which[i]] - off * off * PRECISION
            total += max(ratio, FARTHEST)
        out[quality] = total / float32(values.shape[0])


@cache
def _steps() -> Array:
    order = _zigzag()
    return np.stack([quantisation_tables(q)[0].reshape(64)[order] for q in QUALITIES]).astype(np.float32)


@cache
def _log_steps() -> Array:
    steps = _steps()
    # With small steps the rounding reaches the next multiples: there the density is flat and the ratio is 1.
    density: Array = np.log(np.maximum(steps / (SIGMA * math.sqrt(2 * math.pi)), 1.0)).astype(np.float32)
    return density


@cache
def _zigzag() -> Array:
    order = sorted(((u + v, u, v) for u in range(8) for v in range(8)), key=lambda item: (item[0], item[1]))
    return np.array([8 * u + v for _, u, v in order[1 : 1 + FREQUENCIES]])


@cache
def _basis() -> Array:
    n = np.arange(8)
    basis = np.cos(np.pi * n[:, None] * (2 * n[None, :] + 1) / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis.astype(np.float32)
