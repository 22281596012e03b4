"""What the U-Net of GFPGAN is made of, in two flavours: equalised (original, bilinear) and clean.

Shapes: N batch, C channels, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.archs.equalized import (
    SLOPE,
    EqualConv2d,
    EqualLinear,
    FusedLeakyReLU,
    Halving,
    ScaledLeakyReLU,
    equal_conv,
)
from degradekit_models.archs.stylegan2_discriminator import DownBlock

__all__ = ["FaceLayers", "clean", "equalized"]


@dataclass(frozen=True)
class FaceLayers:
    """How to make the layers of one flavour.

    Attributes:
        conv: (in, out, kernel size) -> convolution and activation.
        down: (in, out) -> residual block that halves the size.
        up: (in, out) -> residual block that doubles the size.
        rgb: (in) -> 1 x 1 convolution to RGB.
        linear: (in, out) -> linear layer.
        condition: (in, out, start) -> convolution, activation, convolution whose bias is `start` at first.
    """

    conv: Callable[[int, int, int], nn.Module]
    down: Callable[[int, int], nn.Module]
    up: Callable[[int, int], nn.Module]
    rgb: Callable[[int], nn.Module]
    linear: Callable[[int, int], nn.Module]
    condition: Callable[[int, int, float], nn.Module]


class ConvUp(EqualConv2d):
    """Doubles the size bilinearly, convolves, and activates if it has an activation."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, activate: bool) -> None:
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.activation = FusedLeakyReLU(out_channels) if activate else None

    def forward(self, x: Tensor) -> Tensor:
        """Enlarges features."""
        out = super().forward(_resize(x, 2.0))
        return out if self.activation is None else self.activation(out)


class UpBlock(nn.Module):
    """A residual block that doubles the size, with equalised convolutions."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = equal_conv(in_channels, in_channels, 3)
        self.conv2 = ConvUp(in_channels, out_channels, 3, activate=True)
        self.skip = ConvUp(in_channels, out_channels, 1, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarges features."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)


class CleanConv(nn.Conv2d):
    """A plain convolution followed by a leaky ReLU."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolves features."""
        return F.leaky_relu(super().forward(input), SLOPE)


class CleanBlock(nn.Module):
    """A residual block that changes the size bilinearly by `factor`, with plain convolutions."""

    def __init__(self, in_channels: int, out_channels: int, *, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.conv1 = CleanConv(in_channels, in_channels, 3, padding=1)
        self.conv2 = CleanConv(in_channels, out_channels, 3, padding=1)
        self.skip = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Resizes features."""
        return self.conv2(_resize(self.conv1(x), self.factor)) + self.skip(_resize(x, self.factor))


def equalized(halve: Halving) -> FaceLayers:
    """Makes equalised layers that halve the size through a filter of these taps, or bilinearly.

    Example:
        >>> len(equalized("bilinear").conv(3, 4, 1))
        2
    """

    def condition(in_channels: int, out_channels: int, start: float) -> nn.Module:
        return nn.Sequential(
            EqualConv2d(in_channels, in_channels, 3, padding=1),
            ScaledLeakyReLU(),
            EqualConv2d(in_channels, out_channels, 3, padding=1, bias_init=start),
        )

    return FaceLayers(
        conv=equal_conv,
        down=lambda in_channels, out_channels: DownBlock(in_channels, out_channels, halve=halve),
        up=UpBlock,
        rgb=lambda in_channels: EqualConv2d(in_channels, 3, 1),
        linear=EqualLinear,
        condition=condition,
    )


def clean() -> FaceLayers:
    """Makes plain layers with bilinear resizing.

    Example:
        >>> type(clean().rgb(4)).__name__
        'Conv2d'
    """

    def conv(in_channels: int, out_channels: int, kernel_size: int) -> nn.Module:
        return CleanConv(in_channels, out_channels, kernel_size, padding=kernel_size // 2)

    def condition(in_channels: int, out_channels: int, start: float) -> nn.Module:
        last = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        assert last.bias is not None
        nn.init.constant_(last.bias, start)
        return nn.Sequential(nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.LeakyReLU(SLOPE, True), last)

    return FaceLayers(
        conv=conv,
        down=lambda in_channels, out_channels: CleanBlock(in_channels, out_channels, factor=0.5),
        up=lambda in_channels, out_channels: CleanBlock(in_channels, out_channels, factor=2.0),
        rgb=lambda in_channels: nn.Conv2d(in_channels, 3, 1),
        linear=nn.Linear,
        condition=condition,
    )


def _resize(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
