"""Layers with an equalised learning rate, as StyleGAN2 and the original GFPGAN use them.

Weights are stored at unit variance and scaled at run time, so that every layer learns at the same speed.
Shapes: N batch, C channels, H x W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.ops.upfirdn2d import resample_kernel, upfirdn2d

__all__ = ["EqualConv2d", "EqualLinear", "FusedLeakyReLU", "Halving", "ScaledLeakyReLU", "Smooth", "equal_conv"]

SLOPE = 0.2

Halving: TypeAlias = Sequence[float] | Literal["bilinear"]
"""How to halve a size: taps of a low-pass filter followed by a stride of two, or bilinear."""


class FusedLeakyReLU(nn.Module):
    """Adds a bias, then a leaky ReLU of slope 0.2, then a gain of sqrt(2), which keeps the variance.

    Args:
        num_channels: channels C.

    Shape:
        ``[N,C,...]`` -> the same.

    Source:
        Karras et al., "StyleGAN2", CVPR 2020.

    Example:
        >>> import torch
        >>> FusedLeakyReLU(1)(torch.tensor([[-1.0], [1.0]])).flatten().tolist()
        [-0.2828427255153656, 1.4142135381698608]
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Activates features."""
        bias = self.bias.view(1, -1, *(1,) * (x.ndim - 2))
        return F.leaky_relu(x + bias, SLOPE) * math.sqrt(2)


class ScaledLeakyReLU(nn.Module):
    """Applies a leaky ReLU of slope 0.2 and a gain of sqrt(2).

    Shape:
        any -> the same.

    Example:
        >>> import torch
        >>> ScaledLeakyReLU()(torch.tensor([1.0])).item()
        1.4142135381698608
    """

    def forward(self, x: Tensor) -> Tensor:
        """Activates features."""
        return F.leaky_relu(x, SLOPE) * math.sqrt(2)


class EqualLinear(nn.Module):
    """A linear layer with an equalised learning rate.

    Args:
        in_channels: length of the input.
        out_channels: length of the output.
        bias_init: value that the bias starts at.
        lr_mul: factor on the learning rate of weight and bias; stored weights start at 1 / lr_mul.
        activate: add a leaky ReLU with gain sqrt(2).

    Shape:
        ``[...,in_channels]`` -> ``[...,out_channels]``.

    Source:
        Karras et al., "Progressive Growing of GANs", ICLR 2018, section 4.1.

    Example:
        >>> import torch
        >>> EqualLinear(4, 2, bias_init=1.0)(torch.zeros(3, 4)).unique().item()
        1.0
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bias_init: float = 0.0,
        lr_mul: float = 1.0,
        activate: bool = False,
    ) -> None:
        super().__init__()
        self.lr_mul = lr_mul
        self.activate = activate
        self.scale = lr_mul / math.sqrt(in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels) / lr_mul)
        self.bias = nn.Parameter(torch.full((out_channels,), bias_init))

    def forward(self, x: Tensor) -> Tensor:
        """Maps vectors."""
        out = F.linear(x, self.weight * self.scale, self.bias * self.lr_mul)
        return F.leaky_relu(out, SLOPE) * math.sqrt(2) if self.activate else out


class EqualConv2d(nn.Module):
    """A convolution with an equalised learning rate.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel.
        stride: step between output pixels.
        padding: zeros around the input, in pixels.
        bias: whether there is a bias.
        bias_init: value that the bias starts at.

    Shape:
        ``[N,in_channels,H,W]`` -> ``[N,out_channels,H',W']``.

    Source:
        Karras et al., "Progressive Growing of GANs", ICLR 2018, section 4.1.

    Example:
        >>> import torch
        >>> EqualConv2d(3, 8, 3, padding=1)(torch.rand(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        self.scale = 1.0 / math.sqrt(in_channels * kernel_size**2)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.full((out_channels,), bias_init)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolves features."""
        return F.conv2d(x, self.weight * self.scale, self.bias, stride=self.stride, padding=self.padding)


class Smooth(nn.Module):
    """Filters with a fixed low-pass kernel, which is no part of the state_dict.

    Args:
        taps: one-dimensional kernel, made two-dimensional and of sum `gain`.
        pad: zeros (before, after) on both axes; negative crops.
        up: integer upsampling factor before the filter.
        gain: sum of the kernel; up**2 keeps the mean of an upsampled image.

    Shape:
        ``[N,C,H,W]`` -> ``[N,C,H',W']``, see `upfirdn2d`.

    Example:
        >>> import torch
        >>> Smooth((1, 3, 3, 1), (2, 1), up=2, gain=4.0)(torch.rand(1, 2, 4, 4)).shape
        torch.Size([1, 2, 8, 8])
    """

    kernel: Tensor

    def __init__(self, taps: Sequence[float], pad: tuple[int, int], *, up: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.pad = pad
        self.up = up
        self.register_buffer("kernel", resample_kernel(taps) * gain, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Filters features."""
        return upfirdn2d(x, self.kernel, up=self.up, pad=self.pad)


def equal_conv(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    halve: Halving | None = None,
    bias: bool = True,
    activate: bool = True,
) -> nn.Sequential:
    """Chains halving (if asked for), an equalised convolution and an activation that holds the bias.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: odd side of the kernel.
        halve: how to halve the size; None keeps it.
        bias: whether there is a bias.
        activate: whether there is a leaky ReLU with gain sqrt(2).

    Shape:
        ``[N,in_channels,H,W]`` -> ``[N,out_channels,H,W]``, or half the size.

    Source:
        Karras et al., "StyleGAN2", CVPR 2020.

    Example:
        >>> import torch
        >>> equal_conv(3, 8, 3, halve=(1, 3, 3, 1))(torch.rand(1, 3, 8, 8)).shape
        torch.Size([1, 8, 4, 4])
    """
    layers: list[nn.Module] = []
    stride, padding = 1, kernel_size // 2
    if halve == "bilinear":
        layers.append(nn.Upsample(scale_factor=0.5, mode="bilinear", align_corners=False))
    elif halve is not None:
        # The blur pads for itself and for the convolution, which then steps over every other pixel without padding.
        total = len(halve) + kernel_size - 3
        layers.append(Smooth(halve, ((total + 1) // 2, total // 2)))
        stride, padding = 2, 0
    conv_bias = bias and not activate
    layers.append(EqualConv2d(in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=conv_bias))
    if activate:
        layers.append(FusedLeakyReLU(out_channels) if bias else ScaledLeakyReLU())
    return nn.Sequential(*layers)
