"""SPyNet: optical flow from coarse to fine, small enough to sit inside another network."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.ops.flow_warp import flow_warp, resize_flow

__all__ = ["SpyNet", "flow_to_next"]

LEVELS = 6
STRIDE = 2 ** (LEVELS - 1)


class BasicModule(nn.Module):
    """Predicts what to add to the flow of one pyramid level: five 7 x 7 convolutions with ReLU between.

    Shape:
        ``[N,8,H,W]`` (reference, warped neighbour, flow so far) -> ``[N,2,H,W]``.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 7, padding=3), nn.ReLU(inplace=True)]
        self.basic_module = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Predicts the residual flow in pixels."""
        return self.basic_module(x)


class SpyNet(nn.Module):
    """Estimates where every pixel of one image is found in another.

    The images are resized up to multiples of 32, so any size works; below about 64 pixels there is little to see.

    Args:
        load_path: a weight file to start from, or None.

    Shape:
        ref ``[N,3,H,W]``, supp ``[N,3,H,W]`` in [0, 1] RGB -> flow ``[N,2,H,W]`` in pixels, x before y, such that
        ``flow_warp(supp, flow)`` looks like ref.

    Source:
        Ranjan & Black, "Optical Flow Estimation using a Spatial Pyramid Network", CVPR 2017.

    Example:
        >>> import torch
        >>> SpyNet()(torch.rand(1, 3, 40, 52), torch.rand(1, 3, 40, 52)).shape
        torch.Size([1, 2, 40, 52])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, load_path: str | Path | None = None) -> None:
        super().__init__()
        self.basic_module = nn.ModuleList(BasicModule() for _ in range(LEVELS))
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))
        if load_path is not None:
            from degradekit_models.checkpoints import load_weights

            load_weights(self, load_path)

    def forward(self, ref: Tensor, supp: Tensor) -> Tensor:
        """Estimates the flow from ref to supp."""
        h, w = ref.shape[-2:]
        size = (-(-h // STRIDE) * STRIDE, -(-w // STRIDE) * STRIDE)
        flow = self._coarse_to_fine(*(self._pyramid(image, size) for image in (ref, supp)))
        return flow if size == (h, w) else resize_flow(flow, (h, w))

    def _pyramid(self, image: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """Normalised copies of the image, coarsest first."""
        if size != tuple(image.shape[-2:]):
            image = F.interpolate(image, size=size, mode="bilinear", align_corners=False)
        levels = [(image - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.append(F.avg_pool2d(levels[-1], 2))
        return levels[::-1]

    def _coarse_to_fine(self, ref: list[Tensor], supp: list[Tensor]) -> Tensor:
        n, _, h, w = ref[0].shape
        flow = ref[0].new_zeros(n, 2, h, w)
        for level, module in enumerate(self.basic_module):
            if level > 0:
                flow = 2.0 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            warped = flow_warp(supp[level], flow.permute(0, 2, 3, 1), padding_mode="border")
            flow = flow + module(torch.cat((ref[level], warped, flow), dim=1))
        return flow


def flow_to_next(spynet: nn.Module, clip: Tensor) -> Tensor:
    """Estimates the flow from every frame of a clip but the last to the next one.

    For the flow to the previous frames, hand over the clip in reverse order and reverse the result.

    Args:
        spynet: flow network.
        clip: ``[N,T,3,H,W]`` in [0, 1] RGB.

    Shape:
        ``[N,T,3,H,W]`` -> ``[N,T-1,2,H,W]`` in pixels.

    Example:
        >>> import torch
        >>> flow_to_next(SpyNet(), torch.rand(1, 3, 3, 32, 32)).shape
        torch.Size([1, 2, 2, 32, 32])
    """
    n, t, _, h, w = clip.shape
    if t < 2:
        return clip.new_zeros(n, 0, 2, h, w)
    return spynet(clip[:, :-1].flatten(0, 1), clip[:, 1:].flatten(0, 1)).unflatten(0, (n, t - 1))
