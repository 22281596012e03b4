"""Colour arithmetic on a device, in the order and with the roundings of :mod:`degradekit.ops.colour`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from degradekit.ops.base import at_frame
from degradekit.ops.colour import LUMA
from degradekit.ops.device.numbers import by_frame, fma, single, unit
from degradekit.types import Array, Series

__all__ = ["contrast", "from_ycbcr", "luma", "scaled", "shifted", "stairs", "to_ycbcr", "turned", "unlike_grey"]


def luma(x: Tensor, weights: tuple[float, float, float] = LUMA["bt601"]) -> Tensor:
    """Weighted sum of red, green and blue of ``[T, 3, H, W]``, as one channel."""
    red, green, blue = map(single, weights)
    return x[:, 0:1] * red + x[:, 1:2] * green + x[:, 2:3] * blue


def to_ycbcr(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """BT.601 luma and colour differences, a channel each."""
    k_red, _, k_blue = LUMA["bt601"]
    y = luma(x)
    return y, (x[:, 2:3] - y) * single(0.5 / (1 - k_blue)), (x[:, 0:1] - y) * single(0.5 / (1 - k_red))


def from_ycbcr(y: Tensor, cb: Tensor, cr: Tensor) -> Tensor:
    """The RGB clip of :func:`to_ycbcr`'s planes, not clipped."""
    k_red, k_green, k_blue = LUMA["bt601"]
    green = cb * single(-2 * k_blue * (1 - k_blue) / k_green) + cr * single(-2 * k_red * (1 - k_red) / k_green)
    return torch.cat((y + cr * single(2 - 2 * k_red), y + green, y + cb * single(2 - 2 * k_blue)), dim=1)


def scaled(x: Tensor, factor: Series) -> Tensor:
    """All channels times a factor, clipped."""
    return unit(x * by_frame(factor, x))


def shifted(x: Tensor, *shifts: Series) -> Tensor:
    """A constant added to each channel, clipped."""
    return unit(torch.cat([x[:, c : c + 1] + by_frame(shift, x) for c, shift in enumerate(shifts)], dim=1))


def contrast(x: Tensor, factor: Series, weights: tuple[float, float, float]) -> Tensor:
    """A blend with the mean grey of each frame, summed in whole numbers, clipped."""
    one = 1 << 24
    grey = (luma(x, weights) * one).round().long()
    mean = (grey.sum((1, 2, 3), keepdim=True).double() / (one * grey[0].numel())).float()
    return unit(x * by_frame(factor, x) + mean * by_frame(_complement(factor), x))


def unlike_grey(x: Tensor, factor: Series, weights: tuple[float, float, float]) -> Tensor:
    """A blend of each pixel with its grey, clipped."""
    return unit(x * by_frame(factor, x) + luma(x, weights) * by_frame(_complement(factor), x))


def turned(x: Tensor, turn: Series) -> Tensor:
    """The hue of HSV turned by ``turn`` revolutions."""
    sextants = 6 * np.mod(np.array(turn if isinstance(turn, tuple) else [turn]), 1)
    colours = unit(x)
    red, green, blue = (colours[:, c : c + 1] for c in range(3))
    value, low = colours.amax(1, keepdim=True), colours.amin(1, keepdim=True)
    chroma = value - low
    scale = 1 / torch.where(chroma > 0, chroma, 1.0)
    hue = fma(scale, red - green, 4.0)
    hue = torch.where(value == green, fma(scale, blue - red, 2.0), hue)
    hue = torch.where(value == red, (green - blue) * scale, hue)
    hue = hue + torch.from_numpy(sextants.astype(np.float32)).to(x.device).reshape(-1, 1, 1, 1)
    return torch.cat([_channel(hue + offset, value, chroma) for offset in (5, 3, 1)], dim=1)


def _channel(hue: Tensor, value: Tensor, chroma: Tensor) -> Tensor:
    k = fma(-6.0, (hue * single(1 / 6)).floor(), hue)
    return fma(-chroma, unit(torch.minimum(k, 4 - k)), value)


def stairs(x: Tensor, levels: Series, rounding: str) -> Tensor:
    """The nearest of some levels, or the level of 8-bit values with their low bits cut off."""
    counts = np.array([at_frame(levels, t) for t in range(len(x) if isinstance(levels, tuple) else 1)], np.float32)

    def number(value: Array) -> Tensor:
        return torch.from_numpy(value).to(x.device).reshape(-1, 1, 1, 1)

    if rounding == "nearest":
        return (x * number(counts - 1) + 0.5).floor() * number(np.float32(1) / (counts - 1))
    cut = ((x * 255 + 0.5).floor() * number(counts / np.float32(256))).floor()
    return cut * single(256 / 255) / number(counts)


def _complement(factor: Series) -> Series:
    values = np.float32(1) - np.asarray(factor, np.float32)
    return tuple(values.tolist()) if isinstance(factor, tuple) else float(values)
