"""BasicVSR++: second-order propagation over a grid of branches, aligned by flow-guided deformable convolution.

Shapes: N batch, T frames, C channels, H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.archs.residual import ConvResidualBlocks
from degradekit_models.archs.spynet import SpyNet, flow_to_next
from degradekit_models.errors import ModelError
from degradekit_models.ops.deform_conv import ModulatedDeformConv2d
from degradekit_models.ops.flow_warp import flow_warp

__all__ = ["BasicVSRPlusPlus"]

BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")
DEFORM_GROUPS = 16


class SecondOrderDeformableAlignment(ModulatedDeformConv2d):
    """Aligns the features of the last two frames with the current one: offsets are the flow plus a learned residue.

    Args:
        num_feat: channels C.
        max_residue_magnitude: bound of the residue in pixels.

    Shape:
        feats ``[N,2*C,H,W]``, condition ``[N,3*C,H,W]``, two flows ``[N,2,H,W]`` -> ``[N,C,H,W]``.

    Source:
        Chan et al., "BasicVSR++", CVPR 2022, section 3.2.
    """

    def __init__(self, num_feat: int, max_residue_magnitude: float) -> None:
        super().__init__(2 * num_feat, num_feat, 3, padding=1, deformable_groups=DEFORM_GROUPS)
        self.max_residue_magnitude = max_residue_magnitude
        last = nn.Conv2d(num_feat, 27 * DEFORM_GROUPS, 3, padding=1)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.conv_offset = nn.Sequential(
            nn.Conv2d(3 * num_feat + 4, num_feat, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Conv2d(num_feat, num_feat, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            last,
        )

    def forward(  # type: ignore[override]
        self, feats: Tensor, condition: Tensor, flow_1: Tensor, flow_2: Tensor
    ) -> Tensor:
        """Aligns both features in one deformable convolution."""
        out = self.conv_offset(torch.cat((condition, flow_1, flow_2), dim=1))
        oy, ox, mask = out.chunk(3, dim=1)
        residue = self.max_residue_magnitude * torch.tanh(torch.cat((oy, ox), dim=1))
        pairs = residue.shape[1] // 4  # half of the (y, x) pairs move with each flow
        guide = torch.cat((flow_1.flip(1).repeat(1, pairs, 1, 1), flow_2.flip(1).repeat(1, pairs, 1, 1)), dim=1)
        return super().forward(feats, residue + guide, torch.sigmoid(mask))


class BasicVSRPlusPlus(nn.Module):
    """Restores a clip: features pass it backward and forward twice, each step aligned with the two frames before.

    A clip that equals its own mirror image in time (frames 0 1 2 2 1 0) is recognised and its flows are computed once.

    Args:
        mid_channels: channels C of the features.
        num_blocks: residual blocks per branch.
        max_residue_magnitude: bound of the learned offsets in pixels, on top of the flow.
        is_low_res_input: True upscales four times; False keeps the size and works at a quarter of it inside.
        spynet_path: a weight file for the flow network, or None.
        cpu_cache_length: clips of more frames keep features and result in main memory instead of the accelerator's.

    Shape:
        ``[N,T,3,H,W]`` -> ``[N,T,3,4*H,4*W]``; or of equal size, H and W multiples of 4, if not is_low_res_input.
        RGB in [0, 1]. The published networks were trained on 64 pixels (low-resolution) and more.

    Raises:
        ModelError: frames that are no multiples of 4, if not is_low_res_input.

    Source:
        Chan et al., "BasicVSR++: Improving Video Super-Resolution with Enhanced Propagation and Alignment", CVPR 2022.

    Example:
        >>> import torch
        >>> net = BasicVSRPlusPlus(mid_channels=16, num_blocks=1)
        >>> with torch.no_grad():
        ...     net(torch.rand(1, 3, 3, 32, 36)).shape
        torch.Size([1, 3, 3, 128, 144])
    """

    def __init__(
        self,
        mid_channels: int = 64,
        num_blocks: int = 7,
        *,
        max_residue_magnitude: float = 10,
        is_low_res_input: bool = True,
        spynet_path: str | Path | None = None,
        cpu_cache_length: int = 100,
    ) -> None:
        super().__init__()
        self.mid_channels = mid_channels
        self.is_low_res_input = is_low_res_input
        self.cpu_cache_length = cpu_cache_length
        self.spynet = SpyNet(spynet_path)
        self.feat_extract: nn.Module = (
            ConvResidualBlocks(3, mid_channels, num_block=5) if is_low_res_input else _reducing_extractor(mid_channels)
        )
        self.deform_align = nn.ModuleDict(
            {name: SecondOrderDeformableAlignment(mid_channels, max_residue_magnitude) for name in BRANCHES}
        )
        self.backbone = nn.ModuleDict(
            {
                name: ConvResidualBlocks((2 + i) * mid_channels, mid_channels, num_block=num_blocks)
                for i, name in enumerate(BRANCHES)
            }
        )
        self.reconstruction = ConvResidualBlocks(5 * mid_channels, mid_channels, num_block=5)
        self.upconv1 = nn.Conv2d(mid_channels, mid_channels * 4, 3, padding=1)
        self.upconv2 = nn.Conv2d(mid_channels, 64 * 4, 3, padding=1)
        self.conv_hr = nn.Conv2d(64, 64, 3, padding=1)
        self.conv_last = nn.Conv2d(64, 3, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(2)
        self.lrelu = nn.LeakyReLU(0.1, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Restores every frame of a batch of clips."""
        t = x.shape[1]
        if not self.is_low_res_input and (x.shape[-2] % 4 or x.shape[-1] % 4):
            raise ModelError(f"BasicVSRPlusPlus: {x.shape[-2]} x {x.shape[-1]} are not multiples of 4; pad the frames.")
        store = torch.device("cpu") if t > self.cpu_cache_length else x.device
        feats = [[self.feat_extract(x[:, i]).to(store) for i in range(t)]]
        to_next, to_previous = self._flows(x)
        for name in BRANCHES:
            if name.startswith("backward"):
                branch = self._propagate(name, [f[::-1] for f in feats], to_next.flip(1), x.device)[::-1]
            else:
                branch = self._propagate(name, feats, to_previous, x.device)
            feats.append(branch)
        frames = (self._reconstruct([f[i].to(x.device) for f in feats], x[:, i]).to(store) for i in range(t))
        return torch.stack(list(frames), dim=1)

    def _flows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Flow from every frame to the next and to the previous one, at the size of the features."""
        n, t = x.shape[:2]
        small = x
        if not self.is_low_res_input:
            small = F.interpolate(x.flatten(0, 1), scale_factor=0.25, mode="bicubic", align_corners=False)
            small = small.unflatten(0, (n, t))
        if t % 2 == 0 and torch.equal(x[:, : t // 2], x[:, t // 2 :].flip(1)):
            to_next = flow_to_next(self.spynet, small)
            return to_next, to_next.flip(1)
        return flow_to_next(self.spynet, small), flow_to_next(self.spynet, small.flip(1)).flip(1)

    def _propagate(self, name: str, feats: list[list[Tensor]], flows: Tensor, device: torch.device) -> list[Tensor]:
        """Runs one branch over the frames in the given order.

        Args:
            name: the branch.
            feats: for every earlier branch (the first one: the extractor) the features of every frame.
            flows: flow from every frame but the first to the frame before it in this order ``[N,T-1,2,H,W]``.
            device: where to compute; the features may be stored elsewhere.
        """
        store = feats[0][0].device
        align, backbone = self.deform_align[name], self.backbone[name]
        zeros = torch.zeros_like(feats[0][0], device=device)
        previous, before = zeros, zeros  # this branch's features of the last frame and of the one before it
        out: list[Tensor] = []
        for i in range(len(feats[0])):
            here = [branch[i].to(device) for branch in feats]
            aligned = zeros
            if i > 0:
                flow_1 = flows[:, i - 1]
                flow_2, warped_2 = torch.zeros_like(flow_1), zeros
                if i > 1:
                    flow_2 = flow_1 + _warp(flows[:, i - 2], flow_1)
                    warped_2 = _warp(before, flow_2)
                condition = torch.cat((_warp(previous, flow_1), here[0], warped_2), dim=1)
                aligned = align(torch.cat((previous, before), dim=1), condition, flow_1, flow_2)
            before, previous = previous, aligned + backbone(torch.cat((*here, aligned), dim=1))
            out.append(previous.to(store))
        return out

    def _reconstruct(self, feats: list[Tensor], frame: Tensor) -> Tensor:
        """Turns the features of a frame from all branches into the restored frame."""
        out = self.reconstruction(torch.cat(feats, dim=1))
        out = self.lrelu(self.pixel_shuffle(self.upconv1(out)))
        out = self.lrelu(self.pixel_shuffle(self.upconv2(out)))
        out = self.lrelu(self.conv_hr(out))
        out = self.conv_last(out)
        if self.is_low_res_input:
            frame = F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False)
        return out + frame


def _reducing_extractor(mid_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, mid_channels, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Conv2d(mid_channels, mid_channels, 3, stride=2, padding=1),
        nn.LeakyReLU(0.1, inplace=True),
        ConvResidualBlocks(mid_channels, mid_channels, num_block=5),
    )


def _warp(x: Tensor, flow: Tensor) -> Tensor:
    return flow_warp(x, flow.permute(0, 2, 3, 1))
