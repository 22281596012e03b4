"""The VGG-style discriminator of SRGAN and ESRGAN: one score for an image of fixed size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.errors import ModelError

__all__ = ["VGGStyleDiscriminator"]


class VGGStyleDiscriminator(nn.Module):
    """Halves an image until it is 4 x 4 and gives one score: large for real, small for generated.

    Args:
        num_in_ch: channels of the image.
        num_feat: channels of the first level; they double at each of the next three.
        input_size: side of the image, 128 or 256.

    Shape:
        ``[N,num_in_ch,input_size,input_size]`` -> ``[N,1]``, without a sigmoid.

    Raises:
        ModelError: another size.

    Source:
        Ledig et al., "SRGAN", CVPR 2017, figure 4; used in Wang et al., "ESRGAN", ECCVW 2018.

    Example:
        >>> import torch
        >>> VGGStyleDiscriminator(num_feat=4)(torch.rand(2, 3, 128, 128)).shape
        torch.Size([2, 1])
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, *, input_size: int = 128) -> None:
        super().__init__()
        if input_size not in (128, 256):
            raise ModelError(f"VGGStyleDiscriminator: input_size is {input_size}; 128 and 256 exist.")
        self.input_size = input_size
        self.levels = 5 if input_size == 128 else 6
        self.conv0_0 = nn.Conv2d(num_in_ch, num_feat, 3, padding=1)
        self.conv0_1 = nn.Conv2d(num_feat, num_feat, 4, stride=2, padding=1, bias=False)
        self.bn0_1 = nn.BatchNorm2d(num_feat)
        width = num_feat
        for level in range(1, self.levels):
            wider = min(2 * width, 8 * num_feat)
            self.add_module(f"conv{level}_0", nn.Conv2d(width, wider, 3, padding=1, bias=False))
            self.add_module(f"bn{level}_0", nn.BatchNorm2d(wider))
            self.add_module(f"conv{level}_1", nn.Conv2d(wider, wider, 4, stride=2, padding=1, bias=False))
            self.add_module(f"bn{level}_1", nn.BatchNorm2d(wider))
            width = wider
        self.linear1 = nn.Linear(width * 4 * 4, 100)
        self.linear2 = nn.Linear(100, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores a batch of images."""
        if x.shape[-2:] != (self.input_size, self.input_size):
            raise ModelError(
                f"VGGStyleDiscriminator: the image is {x.shape[-2]} x {x.shape[-1]}; this one was built for "
                f"{self.input_size} x {self.input_size}."
            )
        feat = _lrelu(self.bn0_1(self.conv0_1(_lrelu(self.conv0_0(x)))))
        for level in range(1, self.levels):
            for half in (0, 1):
                conv, bn = self.get_submodule(f"conv{level}_{half}"), self.get_submodule(f"bn{level}_{half}")
                feat = _lrelu(bn(conv(feat)))
        return self.linear2(_lrelu(self.linear1(feat.flatten(1))))


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2, inplace=True)  # always of a fresh result, which nothing else needs
