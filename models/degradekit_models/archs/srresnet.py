"""MSRResNet: SRResNet without batch normalisation, upscaling two, three or four times."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.archs.residual import residual_stack, scaled_kaiming_
from degradekit_models.errors import ModelError

__all__ = ["MSRResNet"]


class MSRResNet(nn.Module):
    """Upscales an image with residual blocks and pixel shuffling, on top of a bilinear enlargement.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_feat: channels of the features.
        num_block: residual blocks; more is slower and sees further.
        upscale: 2, 3 or 4.

    Shape:
        ``[N,num_in_ch,H,W]`` -> ``[N,num_out_ch,H*upscale,W*upscale]``, RGB in [0, 1].

    Raises:
        ModelError: another upscale.

    Source:
        Ledig et al., "SRGAN", CVPR 2017, modified as in Wang et al., "ESRGAN", ECCVW 2018.

    Example:
        >>> import torch
        >>> MSRResNet(num_feat=8, num_block=1, upscale=3)(torch.rand(1, 3, 4, 5)).shape
        torch.Size([1, 3, 12, 15])
    """

    def __init__(
        self, num_in_ch: int = 3, num_out_ch: int = 3, *, num_feat: int = 64, num_block: int = 16, upscale: int = 4
    ) -> None:
        super().__init__()
        if upscale not in (2, 3, 4):
            raise ModelError(f"MSRResNet: upscale is {upscale}; 2, 3 and 4 exist.")
        self.upscale = upscale
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, padding=1)
        self.body = residual_stack(num_block, num_feat)
        step = 3 if upscale == 3 else 2
        self.upconv1 = nn.Conv2d(num_feat, num_feat * step**2, 3, padding=1)
        self.upconv2 = nn.Conv2d(num_feat, num_feat * 4, 3, padding=1) if upscale == 4 else None
        self.pixel_shuffle = nn.PixelShuffle(step)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, num_out_ch, 3, padding=1)
        self.lrelu = nn.LeakyReLU(0.1, inplace=True)
        convs = (self.conv_first, self.upconv1, self.upconv2, self.conv_hr, self.conv_last)
        scaled_kaiming_(*(c for c in convs if c is not None), scale=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Upscales a batch of images."""
        out = self.body(self.lrelu(self.conv_first(x)))
        out = self.lrelu(self.pixel_shuffle(self.upconv1(out)))
        if self.upconv2 is not None:
            out = self.lrelu(self.pixel_shuffle(self.upconv2(out)))
        out = self.lrelu(self.conv_hr(out))
        out = self.conv_last(out)
        base = F.interpolate(x, scale_factor=self.upscale, mode="bilinear", align_corners=False)
        return out + base
