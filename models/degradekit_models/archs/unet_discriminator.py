"""The U-Net discriminator of Real-ESRGAN: one score per pixel, with spectral normalisation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

__all__ = ["UNetDiscriminatorSN"]


class UNetDiscriminatorSN(nn.Module):
    """Scores every pixel as real or generated, seeing both detail and surroundings.

    The spectral norm is the hook of `torch.nn.utils.spectral_norm`: a checkpoint holds ``weight_orig`` and the singular
    vectors ``weight_u`` and ``weight_v``. In training one power iteration updates them at every call; in evaluation
    the stored ones are used as they are.

    Args:
        num_in_ch: channels of the image.
        num_feat: channels of the first level; they double at each of the next three.
        skip_connection: whether the features of the way down are added on the way up.

    Shape:
        ``[N,num_in_ch,H,W]`` -> ``[N,1,H,W]``, without a sigmoid; H and W are multiples of 8.

    Source:
        Wang et al., "Real-ESRGAN", ICCVW 2021, section 3.4; Miyato et al., "Spectral Normalization", ICLR 2018.

    Example:
        >>> import torch
        >>> UNetDiscriminatorSN(num_feat=4)(torch.rand(1, 3, 16, 24)).shape
        torch.Size([1, 1, 16, 24])
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, *, skip_connection: bool = True) -> None:
        super().__init__()
        self.skip_connection = skip_connection
        self.conv0 = nn.Conv2d(num_in_ch, num_feat, 3, padding=1)
        self.conv1 = _halve(num_feat, num_feat * 2)
        self.conv2 = _halve(num_feat * 2, num_feat * 4)
        self.conv3 = _halve(num_feat * 4, num_feat * 8)
        self.conv4 = _keep(num_feat * 8, num_feat * 4)
        self.conv5 = _keep(num_feat * 4, num_feat * 2)
        self.conv6 = _keep(num_feat * 2, num_feat)
        self.conv7 = _keep(num_feat, num_feat)
        self.conv8 = _keep(num_feat, num_feat)
        self.conv9 = nn.Conv2d(num_feat, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores every pixel of a batch of images."""
        x0 = _lrelu(self.conv0(x))
        x1 = _lrelu(self.conv1(x0))
        x2 = _lrelu(self.conv2(x1))
        feat = _lrelu(self.conv3(x2))
        for conv, skip in ((self.conv4, x2), (self.conv5, x1), (self.conv6, x0)):
            feat = _lrelu(conv(F.interpolate(feat, scale_factor=2, mode="bilinear", align_corners=False)))
            if self.skip_connection:
                feat = feat + skip
        return self.conv9(_lrelu(self.conv8(_lrelu(self.conv7(feat)))))


def _halve(num_in_ch: int, num_out_ch: int) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(num_in_ch, num_out_ch, 4, stride=2, padding=1, bias=False))


def _keep(num_in_ch: int, num_out_ch: int) -> nn.Conv2d:
    return spectral_norm(nn.Conv2d(num_in_ch, num_out_ch, 3, padding=1, bias=False))


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2, inplace=True)  # always of a fresh result, which nothing else needs
