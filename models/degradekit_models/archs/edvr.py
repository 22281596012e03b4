"""EDVR: restores the middle frame of a window of frames, and the feature extractor cut out of it.

Shapes: N batch, T frames, C channels, H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.archs.edvr_alignment import PCDAlignment, TSAFusion, double
from degradekit_models.archs.residual import ResidualBlock, residual_stack
from degradekit_models.errors import ModelError

__all__ = ["EDVR", "EDVRFeatureExtractor"]


class PredeblurModule(nn.Module):
    """Sharpens features on a pyramid of three levels before the frames are aligned.

    Args:
        num_in_ch: channels of the frames.
        num_feat: channels C of the features.
        hr_in: whether frames come at output size; they are then reduced four times first.

    Shape:
        ``[N,num_in_ch,H,W]`` -> ``[N,C,H,W]``, or ``[N,C,H/4,W/4]`` with hr_in.

    Source:
        Wang et al., "EDVR", CVPRW 2019, section 3.1.
    """

    def __init__(self, num_in_ch: int = 3, num_feat: int = 64, *, hr_in: bool = False) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, padding=1)
        self.stride_conv_hr1 = _halve(num_feat) if hr_in else None
        self.stride_conv_hr2 = _halve(num_feat) if hr_in else None
        self.stride_conv_l2 = _halve(num_feat)
        self.stride_conv_l3 = _halve(num_feat)
        self.resblock_l3 = ResidualBlock(num_feat)
        self.resblock_l2_1 = ResidualBlock(num_feat)
        self.resblock_l2_2 = ResidualBlock(num_feat)
        self.resblock_l1 = residual_stack(5, num_feat)

    def forward(self, x: Tensor) -> Tensor:
        """Turns frames into sharpened features."""
        level1 = _lrelu(self.conv_first(x))
        if self.stride_conv_hr1 is not None and self.stride_conv_hr2 is not None:
            level1 = _lrelu(self.stride_conv_hr2(_lrelu(self.stride_conv_hr1(level1))))
        level2 = _lrelu(self.stride_conv_l2(level1))
        level3 = _lrelu(self.stride_conv_l3(level2))
        level2 = self.resblock_l2_1(level2) + double(self.resblock_l3(level3))
        level2 = double(self.resblock_l2_2(level2))
        level1 = self.resblock_l1[:2](level1) + level2
        return self.resblock_l1[2:](level1)


class _AlignedFeatures(nn.Module):
    """The front of EDVR: features of every frame, aligned to the centre frame and fused."""

    def __init__(
        self,
        *,
        num_in_ch: int,
        num_feat: int,
        num_frame: int,
        deformable_groups: int,
        num_extract_block: int,
        center_frame_idx: int | None,
        hr_in: bool = False,
        with_predeblur: bool = False,
        with_tsa: bool = True,
    ) -> None:
        super().__init__()
        if hr_in and not with_predeblur:
            raise ModelError("EDVR: hr_in needs with_predeblur, the module that reduces the frames.")
        self.num_frame = num_frame
        self.center_frame_idx = num_frame // 2 if center_frame_idx is None else center_frame_idx
        self.multiple = 16 if hr_in else 4
        if with_predeblur:
            self.predeblur = PredeblurModule(num_in_ch, num_feat, hr_in=hr_in)
            self.conv_1x1 = nn.Conv2d(num_feat, num_feat, 1)
        else:
            self.conv_first = nn.Conv2d(num_in_ch, num_feat, 3, padding=1)
        self.with_predeblur = with_predeblur
        self.feature_extraction = residual_stack(num_extract_block, num_feat)
        self.conv_l2_1 = _halve(num_feat)
        self.conv_l2_2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_l3_1 = _halve(num_feat)
        self.conv_l3_2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.pcd_align = PCDAlignment(num_feat, deformable_groups)
        self.with_tsa = with_tsa
        self.fusion: nn.Module = (
            TSAFusion(num_feat, num_frame, center_frame_idx=self.center_frame_idx)
            if with_tsa
            else nn.Conv2d(num_frame * num_feat, num_feat, 1)
        )

    def fuse(self, x: Tensor) -> Tensor:
        """Fuses frames ``[N,T,num_in_ch,H,W]`` into features ``[N,C,H,W]`` (a quarter of the size with hr_in)."""
        self._check(x)
        n, t = x.shape[:2]
        frames = x.flatten(0, 1)
        level1 = self.conv_1x1(self.predeblur(frames)) if self.with_predeblur else _lrelu(self.conv_first(frames))
        level1 = self.feature_extraction(level1)
        level2 = _lrelu(self.conv_l2_2(_lrelu(self.conv_l2_1(level1))))
        level3 = _lrelu(self.conv_l3_2(_lrelu(self.conv_l3_1(level2))))
        levels = [level.unflatten(0, (n, t)) for level in (level1, level2, level3)]
        reference = [level[:, self.center_frame_idx] for level in levels]
        aligned = torch.stack([self.pcd_align([lv[:, i] for lv in levels], reference) for i in range(t)], dim=1)
        return self.fusion(aligned if self.with_tsa else aligned.flatten(1, 2))

    def _check(self, x: Tensor) -> None:
        name = type(self).__name__
        if x.ndim != 5 or x.shape[1] != self.num_frame:
            raise ModelError(f"{name}: the input is {tuple(x.shape)}; it takes [N,{self.num_frame},C,H,W].")
        if x.shape[-2] % self.multiple or x.shape[-1] % self.multiple:
            raise ModelError(
                f"{name}: frames of {x.shape[-2]} x {x.shape[-1]} are not multiples of {self.multiple}; pad them."
            )


class EDVR(_AlignedFeatures):
    """Restores the centre frame of a window: four times larger, or at the same size with hr_in.

    Args:
        num_in_ch: channels of the frames.
        num_out_ch: channels of the output.
        num_feat: channels of the features; 64 in the M, 128 in the L networks.
        num_frame: frames T of the window.
        deformable_groups: channel groups that move independently in the alignment.
        num_extract_block: residual blocks before the alignment.
        num_reconstruct_block: residual blocks after the fusion; 10 in the M, 40 in the L networks.
        center_frame_idx: the frame to restore; None is the middle one.
        hr_in: the frames already have the output size (deblurring, or the second stage of a cascade).
        with_predeblur: sharpen features before aligning.
        with_tsa: fuse with temporal and spatial attention instead of a 1 x 1 convolution.

    Shape:
        ``[N,T,num_in_ch,H,W]`` -> ``[N,num_out_ch,4*H,4*W]``, or ``[N,num_out_ch,H,W]`` with hr_in; RGB in [0, 1];
        H and W are multiples of 4, of 16 with hr_in.

    Raises:
        ModelError: another number of frames, or a size that is not such a multiple.

    Source:
        Wang et al., "EDVR: Video Restoration with Enhanced Deformable Convolutional Networks", CVPRW 2019.

    Example:
        >>> import torch
        >>> net = EDVR(num_feat=8, num_frame=3, deformable_groups=2, num_extract_block=1, num_reconstruct_block=1)
        >>> net(torch.rand(1, 3, 3, 8, 12)).shape
        torch.Size([1, 3, 32, 48])
    """

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        *,
        num_feat: int = 64,
        num_frame: int = 5,
        deformable_groups: int = 8,
        num_extract_block: int = 5,
        num_reconstruct_block: int = 10,
        center_frame_idx: int | None = None,
        hr_in: bool = False,
        with_predeblur: bool = False,
        with_tsa: bool = True,
    ) -> None:
        super().__init__(
            num_in_ch=num_in_ch,
            num_feat=num_feat,
            num_frame=num_frame,
            deformable_groups=deformable_groups,
            num_extract_block=num_extract_block,
            center_frame_idx=center_frame_idx,
            hr_in=hr_in,
            with_predeblur=with_predeblur,
            with_tsa=with_tsa,
        )
        self.hr_in = hr_in
        self.reconstruction = residual_stack(num_reconstruct_block, num_feat)
        self.upconv1 = nn.Conv2d(num_feat, num_feat * 4, 3, padding=1)
        self.upconv2 = nn.Conv2d(num_feat, 64 * 4, 3, padding=1)
        self.pixel_shuffle = nn.PixelShuffle(2)
        self.conv_hr = nn.Conv2d(64, 64, 3, padding=1)
        self.conv_last = nn.Conv2d(64, num_out_ch, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Restores the centre frame of a batch of windows."""
        out = self.reconstruction(self.fuse(x))
        out = _lrelu(self.pixel_shuffle(self.upconv1(out)))
        out = _lrelu(self.pixel_shuffle(self.upconv2(out)))
        out = _lrelu(self.conv_hr(out))
        out = self.conv_last(out)
        center = x[:, self.center_frame_idx]
        if not self.hr_in:
            center = F.interpolate(center, scale_factor=4, mode="bilinear", align_corners=False)
        return out + center


class EDVRFeatureExtractor(_AlignedFeatures):
    """Computes the fused features of a window's centre frame: EDVR without its reconstruction, as IconVSR uses it.

    Args:
        num_input_frame: frames T of the window.
        num_feat: channels C of the features.
        load_path: a weight file to start from, or None.

    Shape:
        ``[N,T,3,H,W]`` -> ``[N,C,H,W]``; H and W are multiples of 4.

    Source:
        Chan et al., "BasicVSR", CVPR 2021, section 4.1 (information-refill).

    Example:
        >>> import torch
        >>> EDVRFeatureExtractor(3, 8)(torch.rand(1, 3, 3, 8, 8)).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(self, num_input_frame: int = 5, num_feat: int = 64, *, load_path: str | Path | None = None) -> None:
        super().__init__(
            num_in_ch=3,
            num_feat=num_feat,
            num_frame=num_input_frame,
            deformable_groups=8,
            num_extract_block=5,
            center_frame_idx=None,
        )
        if load_path is not None:
            from degradekit_models.checkpoints import load_weights

            load_weights(self, load_path)

    def forward(self, x: Tensor) -> Tensor:
        """Computes features of the centre frame of a batch of windows."""
        return self.fuse(x)


def _halve(num_feat: int) -> nn.Conv2d:
    return nn.Conv2d(num_feat, num_feat, 3, stride=2, padding=1)


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1, inplace=True)  # always of a fresh result, which nothing else needs
