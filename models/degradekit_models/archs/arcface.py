"""ArcFace: a residual network that turns a face into an identity vector; GFPGAN's identity loss compares those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from degradekit_models.errors import ModelError

__all__ = ["IRBlock", "ResNetArcFace"]


class SEBlock(nn.Module):
    """Weights channels by what the whole image looks like (squeeze and excitation)."""

    def __init__(self, channel: int, reduction: int = 16) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channel, channel // reduction), nn.PReLU(), nn.Linear(channel // reduction, channel), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Weights the channels of features."""
        return x * self.fc(self.avg_pool(x).flatten(1))[:, :, None, None]


class IRBlock(nn.Module):
    """The improved residual block: batch norm first, then convolutions, one slope shared by both activations.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: step of the second convolution.
        downsample: what brings the input to the size of the output, or None.
        use_se: weight channels by squeeze and excitation.

    Shape:
        ``[N,inplanes,H,W]`` -> ``[N,planes,H/stride,W/stride]``.

    Source:
        Deng et al., "ArcFace", CVPR 2019, section 3.1.

    Example:
        >>> import torch
        >>> IRBlock(16, 16)(torch.rand(1, 16, 4, 4)).shape
        torch.Size([1, 16, 4, 4])
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        *,
        stride: int = 1,
        downsample: nn.Module | None = None,
        use_se: bool = True,
    ) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(inplanes)
        self.conv1 = nn.Conv2d(inplanes, inplanes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(inplanes)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(inplanes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample
        self.se = SEBlock(planes) if use_se else None

    def forward(self, x: Tensor) -> Tensor:
        """Refines features."""
        out = self.prelu(self.bn1(self.conv1(self.bn0(x))))
        out = self.bn2(self.conv2(out))
        if self.se is not None:
            out = self.se(out)
        return self.prelu(out + (x if self.downsample is None else self.downsample(x)))


class ResNetArcFace(nn.Module):
    """Turns a gray face into an identity vector of 512 numbers.

    Args:
        block: kind of residual block; only ``"IRBlock"`` exists.
        layers: blocks per level; (2, 2, 2, 2) makes the 18-layer network.
        use_se: weight channels by squeeze and excitation.

    Shape:
        ``[N,1,128,128]`` gray in [-1, 1] -> ``[N,512]``, not normalised.

    Raises:
        ModelError: another block, or another size.

    Source:
        Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019.

    Example:
        >>> import torch
        >>> ResNetArcFace(layers=(1, 1, 1, 1)).eval()(torch.zeros(1, 1, 128, 128)).shape
        torch.Size([1, 512])
    """

    def __init__(
        self,
        block: Literal["IRBlock"] = "IRBlock",
        layers: Sequence[int] = (2, 2, 2, 2),
        *,
        use_se: bool = True,
    ) -> None:
        super().__init__()
        if block != "IRBlock":
            raise ModelError(f"ResNetArcFace: block is {block!r}; IRBlock exists.")
        self.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU()
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = _level(64, 64, layers[0], stride=1, use_se=use_se)
        self.layer2 = _level(64, 128, layers[1], stride=2, use_se=use_se)
        self.layer3 = _level(128, 256, layers[2], stride=2, use_se=use_se)
        self.layer4 = _level(256, 512, layers[3], stride=2, use_se=use_se)
        self.bn4 = nn.BatchNorm2d(512)
        self.dropout = nn.Dropout()
        self.fc5 = nn.Linear(512 * 8 * 8, 512)
        self.bn5 = nn.BatchNorm1d(512)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Describes a batch of faces."""
        if x.shape[1:] != (1, 128, 128):
            raise ModelError(f"ResNetArcFace: the input is {tuple(x.shape)}; it takes [N,1,128,128] gray faces.")
        feat = self.maxpool(self.prelu(self.bn1(self.conv1(x))))
        feat = self.layer4(self.layer3(self.layer2(self.layer1(feat))))
        feat = self.dropout(self.bn4(feat))
        return self.bn5(self.fc5(torch.flatten(feat, 1)))


def _level(inplanes: int, planes: int, blocks: int, *, stride: int, use_se: bool) -> nn.Sequential:
    downsample = None
    if stride != 1 or inplanes != planes:
        downsample = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride=stride, bias=False), nn.BatchNorm2d(planes))
    first = IRBlock(inplanes, planes, stride=stride, downsample=downsample, use_se=use_se)
    return nn.Sequential(first, *(IRBlock(planes, planes, use_se=use_se) for _ in range(1, blocks)))
