"""BasicVSR and IconVSR: recurrent video super-resolution that looks both ways along optical flow.

Shapes: N batch, T frames, C channels, H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.archs.edvr import EDVRFeatureExtractor
from degradekit_models.archs.residual import ConvResidualBlocks
from degradekit_models.archs.spynet import SpyNet, flow_to_next
from degradekit_models.errors import ModelError
from degradekit_models.ops.flow_warp import flow_warp

__all__ = ["BasicVSR", "IconVSR"]


class BasicVSR(nn.Module):
    """Upscales a clip four times: features travel backward, then forward, warped along the flow from frame to frame.

    Args:
        num_feat: channels C of the features.
        num_block: residual blocks per direction; 30 in the published networks.
        spynet_path: a weight file for the flow network, or None.

    Shape:
        ``[N,T,3,H,W]`` -> ``[N,T,3,4*H,4*W]``, RGB in [0, 1].

    Source:
        Chan et al., "BasicVSR: The Search for Essential Components in Video Super-Resolution and Beyond", CVPR 2021.

    Example:
        >>> import torch
        >>> net = BasicVSR(num_feat=8, num_block=1)
        >>> with torch.no_grad():
        ...     net(torch.rand(1, 2, 3, 32, 36)).shape
        torch.Size([1, 2, 3, 128, 144])
    """

    def __init__(self, num_feat: int = 64, num_block: int = 15, *, spynet_path: str | Path | None = None) -> None:
        super().__init__()
        self.num_feat = num_feat
        self.spynet = SpyNet(spynet_path)
        self.backward_trunk = ConvResidualBlocks(num_feat + 3, num_feat, num_block=num_block)
        self.forward_trunk = ConvResidualBlocks(num_feat + 3, num_feat, num_block=num_block)
        self.fusion = nn.Conv2d(num_feat * 2, num_feat, 1)
        self.upconv1 = nn.Conv2d(num_feat, num_feat * 4, 3, padding=1)
        self.upconv2 = nn.Conv2d(num_feat, 64 * 4, 3, padding=1)
        self.conv_hr = nn.Conv2d(64, 64, 3, padding=1)
        self.conv_last = nn.Conv2d(64, 3, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """Upscales every frame of a batch of clips."""
        n, t, _, h, w = x.shape
        to_next, to_previous = flow_to_next(self.spynet, x), flow_to_next(self.spynet, x.flip(1)).flip(1)

        feat, backward = x.new_zeros(n, self.num_feat, h, w), list[Tensor]()
        for i in reversed(range(t)):
            if i < t - 1:
                feat = _warp(feat, to_next[:, i])
            feat = self.backward_trunk(torch.cat((x[:, i], feat), dim=1))
            backward.append(feat)

        feat, out = torch.zeros_like(feat), list[Tensor]()
        for i in range(t):
            if i > 0:
                feat = _warp(feat, to_previous[:, i - 1])
            feat = self.forward_trunk(torch.cat((x[:, i], feat), dim=1))
            fused = _lrelu(self.fusion(torch.cat((backward.pop(), feat), dim=1)))
            out.append(_upscale(self, fused, x[:, i]))
        return torch.stack(out, dim=1)


class IconVSR(nn.Module):
    """BasicVSR with features of an EDVR window refilled at key frames, and a forward pass that sees the backward one.

    Args:
        num_feat: channels C of the features.
        num_block: residual blocks per direction; 30 in the published networks.
        keyframe_stride: frames between key frames; the last frame always is one.
        temporal_padding: frames on either side in the window of the extractor: 2 (REDS) or 3 (Vimeo-90K).
        spynet_path: a weight file for the flow network, or None.
        edvr_path: a weight file for the feature extractor, or None.

    Shape:
        ``[N,T,3,H,W]`` -> ``[N,T,3,4*H,4*W]``, RGB in [0, 1]; T is at least 2 * temporal_padding + 1.

    Raises:
        ModelError: another padding, or a shorter clip.

    Source:
        Chan et al., "BasicVSR", CVPR 2021, section 4.

    Example:
        >>> import torch
        >>> net = IconVSR(num_feat=8, num_block=1, keyframe_stride=3)
        >>> with torch.no_grad():
        ...     net(torch.rand(1, 5, 3, 34, 33)).shape
        torch.Size([1, 5, 3, 136, 132])
    """

    def __init__(
        self,
        num_feat: int = 64,
        num_block: int = 15,
        *,
        keyframe_stride: int = 5,
        temporal_padding: int = 2,
        spynet_path: str | Path | None = None,
        edvr_path: str | Path | None = None,
    ) -> None:
        super().__init__()
        if temporal_padding not in (2, 3):
            raise ModelError(f"IconVSR: temporal_padding is {temporal_padding}; 2 and 3 exist.")
        self.num_feat = num_feat
        self.keyframe_stride = keyframe_stride
        self.temporal_padding = temporal_padding
        self.edvr = EDVRFeatureExtractor(2 * temporal_padding + 1, num_feat, load_path=edvr_path)
        self.spynet = SpyNet(spynet_path)
        self.backward_fusion = nn.Conv2d(2 * num_feat, num_feat, 3, padding=1)
        self.backward_trunk = ConvResidualBlocks(num_feat + 3, num_feat, num_block=num_block)
        self.forward_fusion = nn.Conv2d(2 * num_feat, num_feat, 3, padding=1)
        self.forward_trunk = ConvResidualBlocks(2 * num_feat + 3, num_feat, num_block=num_block)
        self.upconv1 = nn.Conv2d(num_feat, num_feat * 4, 3, padding=1)
        self.upconv2 = nn.Conv2d(num_feat, 64 * 4, 3, padding=1)
        self.conv_hr = nn.Conv2d(64, 64, 3, padding=1)
        self.conv_last = nn.Conv2d(64, 3, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """Upscales every frame of a batch of clips."""
        n, t, _, h, w = x.shape
        x = _pad_to_multiple(x, 4)
        refill = self._keyframe_features(x)
        to_next, to_previous = flow_to_next(self.spynet, x), flow_to_next(self.spynet, x.flip(1)).flip(1)

        feat, backward = x.new_zeros(n, self.num_feat, *x.shape[-2:]), list[Tensor]()
        for i in reversed(range(t)):
            if i < t - 1:
                feat = _warp(feat, to_next[:, i])
            if i in refill:
                feat = self.backward_fusion(torch.cat((feat, refill[i]), dim=1))
            feat = self.backward_trunk(torch.cat((x[:, i], feat), dim=1))
            backward.append(feat)

        feat, out = torch.zeros_like(feat), list[Tensor]()
        for i in range(t):
            if i > 0:
                feat = _warp(feat, to_previous[:, i - 1])
            if i in refill:
                feat = self.forward_fusion(torch.cat((feat, refill[i]), dim=1))
            feat = self.forward_trunk(torch.cat((x[:, i], backward.pop(), feat), dim=1))
            out.append(_upscale(self, feat, x[:, i])[..., : 4 * h, : 4 * w])
        return torch.stack(out, dim=1)

    def _keyframe_features(self, x: Tensor) -> dict[int, Tensor]:
        """Features of the key frames, each from the window around it; the ends continue by mirroring in the window."""
        t, p = x.shape[1], self.temporal_padding
        if t < 2 * p + 1:
            raise ModelError(f"IconVSR: {t} frames; temporal_padding {p} needs at least {2 * p + 1}.")
        before = x[:, p + 1 : 2 * p + 1].flip(1)
        after = x[:, -2 * p - 1 : -p - 1].flip(1)
        padded = torch.cat((before, x, after), dim=1)
        keys = sorted({*range(0, t, self.keyframe_stride), t - 1})
        return {i: self.edvr(padded[:, i : i + 2 * p + 1]) for i in keys}


def _warp(feat: Tensor, flow: Tensor) -> Tensor:
    return flow_warp(feat, flow.permute(0, 2, 3, 1))


def _upscale(net: BasicVSR | IconVSR, feat: Tensor, frame: Tensor) -> Tensor:
    """Turns the features of a frame into the frame four times larger."""
    out = _lrelu(net.pixel_shuffle(net.upconv1(feat)))
    out = _lrelu(net.pixel_shuffle(net.upconv2(out)))
    out = _lrelu(net.conv_hr(out))
    out = net.conv_last(out)
    return out + F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False)


def _pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Mirrors a clip on the right and below up to multiples of a number of pixels."""
    n, t, c, h, w = x.shape
    pad = (0, -w % multiple, 0, -h % multiple)
    return F.pad(x.view(n * t, c, h, w), pad, mode="reflect").unflatten(0, (n, t)) if any(pad) else x


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1, inplace=True)  # always of a fresh result, which nothing else needs
