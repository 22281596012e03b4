"""RRDBNet: the generator of ESRGAN and Real-ESRGAN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.archs.residual import scaled_kaiming_
from degradekit_models.errors import ModelError

__all__ = ["RRDB", "RRDBNet", "ResidualDenseBlock"]

RESIDUAL_SCALE = 0.2
UNSHUFFLE = {4: 1, 2: 2, 1: 4}
"""Upscale -> how many pixels per side are folded into channels first: the trunk itself always upscales four times."""


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each seeing all earlier ones, whose scaled result is added to the input.

    Args:
        num_feat: channels C of the input and output.
        num_grow_ch: channels that every inner convolution adds.

    Shape:
        ``[N,C,H,W]`` -> ``[N,C,H,W]``.

    Source:
        Wang et al., "ESRGAN", ECCVW 2018, figure 4.

    Example:
        >>> import torch
        >>> ResidualDenseBlock(8, 4)(torch.rand(1, 8, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(self, num_feat: int = 64, num_grow_ch: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_feat, num_grow_ch, 3, padding=1)
        self.conv2 = nn.Conv2d(num_feat + num_grow_ch, num_grow_ch, 3, padding=1)
        self.conv3 = nn.Conv2d(num_feat + 2 * num_grow_ch, num_grow_ch, 3, padding=1)
        self.conv4 = nn.Conv2d(num_feat + 3 * num_grow_ch, num_grow_ch, 3, padding=1)
        self.conv5 = nn.Conv2d(num_feat + 4 * num_grow_ch, num_feat, 3, padding=1)
        scaled_kaiming_(self.conv1, self.conv2, self.conv3, self.conv4, self.conv5, scale=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Refines features."""
        feats = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            feats = torch.cat((feats, F.leaky_relu(conv(feats), 0.2, inplace=True)), dim=1)
        return x + RESIDUAL_SCALE * self.conv5(feats)


class RRDB(nn.Module):
    """Residual in residual: three dense blocks whose scaled result is added to the input.

    Args: as `ResidualDenseBlock`.

    Shape:
        ``[N,C,H,W]`` -> ``[N,C,H,W]``.

    Source:
        Wang et al., "ESRGAN", ECCVW 2018, section 3.1.

    Example:
        >>> import torch
        >>> RRDB(8, 4)(torch.rand(1, 8, 5, 5)).shape
        torch.Size([1, 8, 5, 5])
    """

    def __init__(self, num_feat: int = 64, num_grow_ch: int = 32) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(num_feat, num_grow_ch)
        self.rdb2 = ResidualDenseBlock(num_feat, num_grow_ch)
        self.rdb3 = ResidualDenseBlock(num_feat, num_grow_ch)

    def forward(self, x: Tensor) -> Tensor:
        """Refines features."""
        return x + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(x)))


class RRDBNet(nn.Module):
    """Upscales an image with a deep stack of dense residual blocks and two nearest-neighbour enlargements.

    For upscales 2 and 1 the pixels are first folded into channels (2 x 2 and 4 x 4), so that the same trunk, which
    enlarges four times, ends at the wanted size; the trunk then costs a quarter and a sixteenth.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        scale: 4, 2 or 1.
        num_feat: channels of the features.
        num_block: RRDBs; 23 in the published networks, 6 in the anime one.
        num_grow_ch: channels that every inner convolution adds.

    Shape:
        ``[N,num_in_ch,H,W]`` -> ``[N,num_out_ch,H*scale,W*scale]``, RGB in [0, 1]; H and W are multiples of 2 for
        scale 2 and of 4 for scale 1.

    Raises:
        ModelError: another scale, or a size that does not fold.

    Source:
        Wang et al., "ESRGAN", ECCVW 2018; pixel unshuffle: Wang et al., "Real-ESRGAN", ICCVW 2021, section 3.4.

    Example:
        >>> import torch
        >>> RRDBNet(3, 3, scale=2, num_feat=8, num_block=1, num_grow_ch=4)(torch.rand(1, 3, 6, 4)).shape
        torch.Size([1, 3, 12, 8])
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        *,
        scale: int = 4,
        num_feat: int = 64,
        num_block: int = 23,
        num_grow_ch: int = 32,
    ) -> None:
        super().__init__()
        if scale not in UNSHUFFLE:
            raise ModelError(f"RRDBNet: scale is {scale}; 4, 2 and 1 exist.")
        self.scale = scale
        self.fold = UNSHUFFLE[scale]
        self.conv_first = nn.Conv2d(num_in_ch * self.fold**2, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(num_feat, num_grow_ch) for _ in range(num_block)))
        self.conv_body = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_up1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_up2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, num_out_ch, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Upscales a batch of images."""
        if x.shape[-2] % self.fold or x.shape[-1] % self.fold:
            raise ModelError(
                f"RRDBNet: {x.shape[-2]} x {x.shape[-1]} does not fold by {self.fold}, as scale {self.scale} "
                "needs; pad it on the right and below."
            )
        feat = self.conv_first(F.pixel_unshuffle(x, self.fold))
        feat = feat + self.conv_body(self.body(feat))
        for conv in (self.conv_up1, self.conv_up2):
            feat = self.lrelu(conv(F.interpolate(feat, scale_factor=2, mode="nearest")))
        feat = self.lrelu(self.conv_hr(feat))
        return self.conv_last(feat)
