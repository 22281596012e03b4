"""Residual blocks without normalisation, shared by MSRResNet, EDVR and the BasicVSR family."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["ConvResidualBlocks", "ResidualBlock", "residual_stack", "scaled_kaiming_"]


def scaled_kaiming_(*convs: nn.Conv2d, scale: float) -> None:
    """Draws weights from a Kaiming normal times `scale`, and sets biases to zero.

    A scale of 0.1 makes a residual branch start close to the identity, which lets deep stacks train without
    normalisation.

    Source:
        Wang et al., "ESRGAN", ECCVW 2018, section 3.1 (smaller initialisation).

    Example:
        >>> import torch
        >>> from torch import nn
        >>> conv = nn.Conv2d(4, 4, 3)
        >>> scaled_kaiming_(conv, scale=0.0)
        >>> conv(torch.rand(1, 4, 3, 3)).abs().max().item()
        0.0
    """
    with torch.no_grad():
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.mul_(scale)
            if conv.bias is not None:
                conv.bias.zero_()


class ResidualBlock(nn.Module):
    """Adds conv - ReLU - conv to its input; it starts near the identity.

    Args:
        num_feat: channels C.

    Shape:
        ``[N,C,H,W]`` -> ``[N,C,H,W]``.

    Source:
        Lim et al., "EDSR", CVPRW 2017: the residual block of SRResNet without batch normalisation.

    Example:
        >>> import torch
        >>> ResidualBlock(8)(torch.rand(1, 8, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(self, num_feat: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        scaled_kaiming_(self.conv1, self.conv2, scale=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Refines features."""
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


def residual_stack(num_block: int, num_feat: int) -> nn.Sequential:
    """Chains `num_block` residual blocks of `num_feat` channels.

    Example:
        >>> len(residual_stack(3, 8))
        3
    """
    return nn.Sequential(*(ResidualBlock(num_feat) for _ in range(num_block)))


class ConvResidualBlocks(nn.Module):
    """Changes the number of channels with one convolution, then refines with residual blocks: the trunk of BasicVSR.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_block: residual blocks.

    Shape:
        ``[N,num_in_ch,H,W]`` -> ``[N,num_out_ch,H,W]``.

    Source:
        Chan et al., "BasicVSR", CVPR 2021.

    Example:
        >>> import torch
        >>> ConvResidualBlocks(3, 8, num_block=2)(torch.rand(1, 3, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(self, num_in_ch: int, num_out_ch: int, *, num_block: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(num_in_ch, num_out_ch, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            residual_stack(num_block, num_out_ch),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps features to features."""
        return self.main(x)
