"""The discriminator of StyleGAN2: one score per image, aware of how much the images of a batch differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from degradekit_models.archs.equalized import EqualLinear, Halving, equal_conv
from degradekit_models.archs.stylegan2 import channel_table, log2_size
from degradekit_models.errors import ModelError

__all__ = ["DownBlock", "StyleGAN2Discriminator"]


class DownBlock(nn.Module):
    """A residual block that halves the size, with equalised convolutions.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        halve: taps of a low-pass filter, or ``"bilinear"``; see `equal_conv`.

    Shape:
        ``[N,in_channels,H,W]`` -> ``[N,out_channels,H/2,W/2]``.

    Source:
        Karras et al., "StyleGAN2", CVPR 2020, figure 7.

    Example:
        >>> import torch
        >>> DownBlock(4, 6, halve=(1, 3, 3, 1))(torch.rand(1, 4, 8, 8)).shape
        torch.Size([1, 6, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, *, halve: Halving) -> None:
        super().__init__()
        self.conv1 = equal_conv(in_channels, in_channels, 3)
        self.conv2 = equal_conv(in_channels, out_channels, 3, halve=halve)
        self.skip = equal_conv(in_channels, out_channels, 1, halve=halve, bias=False, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """Reduces features."""
        return (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)


class StyleGAN2Discriminator(nn.Module):
    """Scores images as real (large) or generated (small).

    Args:
        out_size: side of the image: a power of two from 8 to 1024.
        channel_multiplier: factor on the channels from 64 pixels up.
        resample_kernel: taps of the low-pass filter before every halving.
        stddev_group: images that are compared with each other; a smaller batch is one group.
        narrow: factor on all channels.

    Shape:
        ``[N,3,out_size,out_size]`` RGB in [-1, 1] -> ``[N,1]``, without a sigmoid; N is a multiple of the group.

    Raises:
        ModelError: another size, or a batch that does not divide into groups.

    Source:
        Karras et al., "StyleGAN2", CVPR 2020; batch deviation: Karras et al., "Progressive Growing", ICLR 2018.

    Example:
        >>> import torch
        >>> StyleGAN2Discriminator(16, narrow=0.03125)(torch.rand(2, 3, 16, 16)).shape
        torch.Size([2, 1])
    """

    def __init__(
        self,
        out_size: int,
        channel_multiplier: float = 2,
        *,
        resample_kernel: Sequence[float] = (1, 3, 3, 1),
        stddev_group: int = 4,
        narrow: float = 1,
    ) -> None:
        super().__init__()
        doublings = log2_size(out_size)
        channels = channel_table(channel_multiplier, narrow)
        self.out_size = out_size
        self.stddev_group = stddev_group
        sizes = [2**level for level in range(doublings, 1, -1)]
        self.conv_body = nn.Sequential(
            equal_conv(3, channels[out_size], 1),
            *(DownBlock(channels[size], channels[size // 2], halve=resample_kernel) for size in sizes[:-1]),
        )
        self.final_conv = equal_conv(channels[4] + 1, channels[4], 3)
        self.final_linear = nn.Sequential(
            EqualLinear(channels[4] * 4 * 4, channels[4], activate=True), EqualLinear(channels[4], 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scores a batch of images."""
        if x.shape[-2:] != (self.out_size, self.out_size):
            raise ModelError(
                f"StyleGAN2Discriminator: the image is {x.shape[-2]} x {x.shape[-1]}; this one was built for "
                f"{self.out_size} x {self.out_size}."
            )
        feat = self.conv_body(x)
        feat = self.final_conv(torch.cat((feat, self._deviation(feat)), dim=1))
        return self.final_linear(feat.flatten(1))

    def _deviation(self, feat: Tensor) -> Tensor:
        """One channel with the mean deviation inside the group of each image: n belongs to group n mod (N / group)."""
        n, _, h, w = feat.shape
        group = min(n, self.stddev_group)
        if n % group:
            raise ModelError(
                f"StyleGAN2Discriminator: a batch of {n} does not divide into groups of {group}; change stddev_group."
            )
        variance = feat.view(group, n // group, *feat.shape[1:]).var(dim=0, unbiased=False)
        deviation = torch.sqrt(variance + 1e-8).mean(dim=(1, 2, 3))
        return deviation.repeat(group).view(n, 1, 1, 1).expand(n, 1, h, w)
