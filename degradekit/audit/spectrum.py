"""Spectra over the distance from zero frequency: of a picture, and of how one picture follows another."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import fft

from degradekit.types import Array

__all__ = ["BINS", "FREQUENCY", "MIDDLE", "OUTER", "Following", "centre", "follow", "radial_power"]

BINS = 32
FREQUENCY = (np.arange(BINS) + 0.5) / (2 * BINS)
"""Middle of each bin in cycles per px, 0 to 1/2."""
OUTER = np.s_[24:32]
MIDDLE = np.s_[8:16]
"""Bins that the detail of a GT is read from: 3/8 to 1/2 and 1/8 to 1/4 cycles per px."""
FIT = np.s_[3:26]
"""Bins that a blur is fitted to: below, every blur passes; above, aliasing and noise rule."""


class Following(NamedTuple):
    """How one picture follows another over frequency.

    Args:
        transfer: H(f) = Re <L R*> / <|R|^2>.
        source: ln of the radial power of R, in squared levels.
        out: The same of L.
        blur: Sigma in px of the Gaussian that fits H best.
        noise: Standard deviation in levels of L - H R, from 1/4 cycle per px on, as if it were white.
    """

    transfer: Array
    source: Array
    out: Array
    blur: float
    noise: float


def centre(y: Array, side: int) -> Array:
    """The middle of a picture, at most ``side`` px high and wide."""
    h, w = min(side, y.shape[0]), min(side, y.shape[1])
    top, left = (y.shape[0] - h) // 2, (y.shape[1] - w) // 2
    return y[top : top + h, left : left + w]


def radial_power(y: Array) -> Array:
    """Power in squared levels that white noise of that strength would have, as ln, over ``FREQUENCY``.

    Args:
        y: float32 ``[H, W]``.

    Example:
        >>> noise = np.random.default_rng(0).normal(0, 3, (128, 128)).astype(np.float32)
        >>> bool(np.abs(radial_power(noise)[16:] - np.log(9)).max() < 0.25)
        True
    """
    bins, weights = _bins(y.shape)
    transform = _transform(y)
    return _log(_sum(bins, weights * (transform.real**2 + transform.imag**2)) / _counts(y.shape), y.shape)


def follow(source: Array, out: Array) -> Following:
    """Measure how ``out`` follows ``source``: both float32 ``[H, W]`` of the same size, aligned."""
    bins, weights = _bins(source.shape)
    counts = _counts(source.shape)
    a, b = _transform(source), _transform(out)
    power_r = _sum(bins, weights * (a.real**2 + a.imag**2)) / counts
    power_l = _sum(bins, weights * (b.real**2 + b.imag**2)) / counts
    cross = _sum(bins, weights * (b.real * a.real + b.imag * a.imag)) / counts
    transfer = cross / np.maximum(power_r, 1e-6)
    rest = np.maximum(power_l - cross * transfer, 0)
    high = BINS // 2
    noise = math.sqrt(float(np.average(rest[high:], weights=counts[high:])))
    blur = _gaussian(transfer, power_r, rest, counts)
    shape = source.shape
    return Following(_between(transfer, shape), _log(power_r, shape), _log(power_l, shape), blur, noise)


def _gaussian(transfer: Array, power: Array, rest: Array, counts: Array) -> float:
    """Fit ln H = -2 pi^2 sigma^2 f^2, each bin weighted by how well it knows ln H."""
    h, f = transfer[FIT], FREQUENCY[FIT]
    known = h > 0.05
    if known.sum() < 4:
        return math.nan
    variance = np.maximum(rest[FIT], 1e-3) / np.maximum(power[FIT], 1e-6) / counts[FIT] / np.maximum(h, 0.05) ** 2
    weight = np.where(known, 1 / (variance + 1e-3), 0)
    x = 2 * math.pi**2 * f**2
    square = float((weight * x * -np.log(np.maximum(h, 0.05))).sum() / (weight * x * x).sum())
    return math.copysign(math.sqrt(abs(square)), square)


def _transform(y: Array) -> Array:
    window = _window(y.shape)
    return np.asarray(fft.rfft2((y - y.mean()) * window))


@lru_cache(maxsize=16)
def _window(shape: tuple[int, int]) -> Array:
    """Hann in both directions, with a mean square of 1 / (H W), so that white noise keeps its variance."""
    rows, columns = (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(n) + 0.5) / n) for n in shape)
    window = np.outer(rows, columns)
    unit: Array = (window / np.sqrt((window**2).sum())).astype(np.float32)
    return unit


@lru_cache(maxsize=16)
def _bins(shape: tuple[int, int]) -> tuple[Array, Array]:
    """Bin of every frequency of a real transform (the last for what lies in the corners), and how often it stands."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    bins = np.minimum((np.hypot(fy, fx) * 2 * BINS).astype(np.intp), BINS)
    weights = np.full(bins.shape, 2.0, np.float32)
    weights[:, 0] = 1
    if shape[1] % 2 == 0:
        weights[:, -1] = 1
    return bins.ravel(), weights


@lru_cache(maxsize=16)
def _counts(shape: tuple[int, int]) -> Array:
    bins, weights = _bins(shape)
    return np.maximum(_sum(bins, weights), 1e-9)


def _sum(bins: Array, values: Array) -> Array:
    return np.bincount(bins, values.ravel(), minlength=BINS + 1)[:BINS]


def _log(power: Array, shape: tuple[int, ...]) -> Array:
    return _between(np.log(np.maximum(power, 1e-4)), shape).astype(np.float32)


def _between(values: Array, shape: tuple[int, ...]) -> Array:
    """Bins that a small picture has no frequency in take what lies between their neighbours."""
    known = _counts((shape[0], shape[1])) > 0.5
    return values if known.all() else np.interp(FREQUENCY, FREQUENCY[known], values[known])
