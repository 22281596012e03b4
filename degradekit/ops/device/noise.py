"""Normal and Poisson noise on a device: the fields of the numpy form, added as there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from degradekit.ops.base import at_frame
from degradekit.ops.device.fields import normal_fields, word_fields
from degradekit.ops.device.numbers import by_frame, fma, repeated, round_levels, single, unit
from degradekit.ops.device.poisson import level_counts, rate_counts
from degradekit.types import Series

__all__ = ["Normal", "Shot", "add_normal", "add_shot"]


class Normal(NamedTuple):
    """Normal noise of one clip; see :func:`degradekit.ops.normal_noise.add_noise`."""

    sigma: Series
    correlation: str
    mix: tuple[float, ...]
    field: str
    speckle: bool


class Shot(NamedTuple):
    """Poisson noise of one clip; see :class:`degradekit.ops.poisson_noise.PoissonNoiseDraw`."""

    form: str
    scale: Series
    photons: Series
    grey: bool
    field: str


def add_normal(noises: Sequence[Normal], xs: Sequence[Tensor]) -> list[Tensor]:
    """Add noise and clip to [0, 1].

    Args:
        noises: One for each clip.
        xs: float32 ``[T, C, H, W]``.
    """
    spreads = [{"independent": x.shape[1], "grey": 1}.get(n.correlation, 4) for n, x in zip(noises, xs, strict=True)]
    counts = [x[:, 0].numel() * spread for x, spread in zip(xs, spreads, strict=True)]
    fields = normal_fields([noise.field for noise in noises], counts, xs[0].device)
    return [
        _with_normal(noise, x, z.reshape(len(x), *x.shape[2:], spread).movedim(3, 1))
        for noise, x, z, spread in zip(noises, xs, fields, spreads, strict=True)
    ]


def _with_normal(noise: Normal, x: Tensor, z: Tensor) -> Tensor:
    if not noise.mix:
        sigma = by_frame(noise.sigma, x)
        return unit(fma(sigma * x if noise.speckle else sigma, z, x))
    frames = range(len(x) if isinstance(noise.sigma, tuple) else 1)
    matrices = [(np.asarray(noise.mix) * at_frame(noise.sigma, t)).astype(np.float32) for t in frames]
    mix = torch.from_numpy(np.stack(matrices)).to(x.device).reshape(-1, 3, 3, 1, 1)
    mixed = []
    for c in range(3):
        total, gain = x[:, c], x[:, c] if noise.speckle else 1.0
        for k in reversed(range(c + 1)):
            total = fma(gain * mix[:, c, k], z[:, k], total)
        mixed.append(total)
    return unit(torch.stack(mixed, dim=1))


def add_shot(noises: Sequence[Shot], xs: Sequence[Tensor]) -> list[Tensor]:
    """Add Poisson noise and clip to [0, 1].

    Args:
        noises: One for each clip.
        xs: float32 ``[T, C, H, W]``.
    """
    light = [_light(x) if noise.grey else unit(x) for noise, x in zip(noises, xs, strict=True)]
    out: list[Tensor] = list(xs)
    for rates in (False, True):
        group = [i for i, noise in enumerate(noises) if (noise.form in ("photons", "content_bytes")) == rates]
        if group:
            add = _by_rate if rates else _by_level
            made = add([noises[i] for i in group], [light[i] for i in group])
            for i, noise in zip(group, made, strict=True):
                out[i] = unit(fma(by_frame(noises[i].scale, xs[i]), noise, xs[i]))
    return out


def _light(x: Tensor) -> Tensor:
    """BT.601 luma, cut to [0, 1], as one channel."""
    red, green, blue = (x[:, c : c + 1] for c in range(3))
    return unit(fma(single(0.299), red, fma(single(0.587), green, blue * single(0.114))))


def _by_level(noises: Sequence[Shot], light: Sequence[Tensor]) -> list[Tensor]:
    sizes = [x.numel() for x in light]
    levels = round_levels(torch.cat([x.movedim(1, 3).flatten() for x in light]))
    peaks = [
        content_peaks(part.reshape(len(x), -1))
        if noise.form == "content"
        else torch.full((len(x),), 256, device=x.device)
        for noise, x, part in zip(noises, light, torch.split(levels, sizes), strict=True)
    ]
    frames = [x[0].numel() for x in light for _ in x]
    peak = repeated(torch.cat(peaks), frames)
    words = torch.cat(word_fields([noise.field for noise in noises], sizes, levels.device))
    counts = level_counts(levels, peak, words)
    made = fma(1 / peak.float(), counts, -(levels * single(1 / 255)))
    return [_planes(part, x) for part, x in zip(torch.split(made, sizes), light, strict=True)]


def _by_rate(noises: Sequence[Shot], light: Sequence[Tensor]) -> list[Tensor]:
    peaks = [
        255 * content_peaks(round_levels(x).flatten(1)).float().reshape(-1, 1, 1, 1)
        if noise.form == "content_bytes"
        else by_frame(noise.photons, x)
        for noise, x in zip(noises, light, strict=True)
    ]
    rates = [(x * peak).movedim(1, 3) for x, peak in zip(light, peaks, strict=True)]
    counts = rate_counts([noise.field for noise in noises], rates)
    return [fma(_inverse(peak), count.movedim(3, 1), -x) for x, peak, count in zip(light, peaks, counts, strict=True)]


def _inverse(peak: Tensor | float) -> Tensor | float:
    return 1 / peak if isinstance(peak, Tensor) else single(1 / single(peak))


def _planes(elements: Tensor, x: Tensor) -> Tensor:
    """Elements ``((t H + y) W + x) C + c`` as ``[T, C, H, W]``."""
    t, c, h, w = x.shape
    return elements.reshape(t, h, w, c).movedim(3, 1)


def content_peaks(levels: Tensor) -> Tensor:
    """Photon count of each frame as BasicSR finds it: its distinct levels, rounded up to a power of two.

    Args:
        levels: Whole numbers 0...255, ``[T, n]``.

    Returns:
        int64 ``[T]``.

    Example:
        >>> content_peaks(torch.tensor([[0.0, 128, 128, 255]])).item()
        4
    """
    seen = torch.zeros(len(levels), 256, dtype=torch.int64, device=levels.device).scatter_(1, levels.long(), 1)
    distinct = seen.sum(1)
    powers = torch.tensor([1 << k for k in range(9)], device=levels.device)
    return 1 << (distinct[:, None] > powers).sum(1)
