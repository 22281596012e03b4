"""SRVGGNetCompact: the small, fast generator of Real-ESRGAN."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.errors import ModelError

__all__ = ["SRVGGNetCompact"]


class SRVGGNetCompact(nn.Module):
    """Upscales with a plain chain of convolutions at the size of the input, on top of a nearest-neighbour enlargement.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output, equal to `num_in_ch`.
        num_feat: channels of the features.
        num_conv: convolutions between the first and the last; 16 for animevideov3, 32 for general-x4v3.
        upscale: integer factor.
        act_type: activation; prelu has one slope per channel.

    Shape:
        ``[N,num_in_ch,H,W]`` -> ``[N,num_out_ch,H*upscale,W*upscale]``, RGB in [0, 1].

    Raises:
        ModelError: an unknown activation.

    Source:
        Wang et al., Real-ESRGAN releases v0.2.3 (general) and v0.2.5 (animevideov3).

    Example:
        >>> import torch
        >>> SRVGGNetCompact(num_feat=8, num_conv=2)(torch.rand(1, 3, 4, 5)).shape
        torch.Size([1, 3, 16, 20])
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        *,
        num_feat: int = 64,
        num_conv: int = 16,
        upscale: int = 4,
        act_type: Literal["prelu", "relu", "leakyrelu"] = "prelu",
    ) -> None:
        super().__init__()
        self.upscale = upscale
        layers: list[nn.Module] = [nn.Conv2d(num_in_ch, num_feat, 3, padding=1), _activation(act_type, num_feat)]
        for _ in range(num_conv):
            layers += [nn.Conv2d(num_feat, num_feat, 3, padding=1), _activation(act_type, num_feat)]
        layers.append(nn.Conv2d(num_feat, num_out_ch * upscale**2, 3, padding=1))
        self.body = nn.Sequential(*layers)
        self.upsampler = nn.PixelShuffle(upscale)

    def forward(self, x: Tensor) -> Tensor:
        """Upscales a batch of images."""
        return self.upsampler(self.body(x)) + F.interpolate(x, scale_factor=self.upscale, mode="nearest")


def _activation(act_type: str, num_feat: int) -> nn.Module:
    if act_type == "prelu":
        return nn.PReLU(num_feat)
    if act_type == "relu":
        return nn.ReLU(inplace=True)
    if act_type == "leakyrelu":
        return nn.LeakyReLU(0.1, inplace=True)
    raise ModelError(f"SRVGGNetCompact: act_type is {act_type!r}; prelu, relu and leakyrelu exist.")
