"""The two halves of EDVR: aligning neighbour frames with deformable convolutions, and fusing them with attention.

Shapes: N batch, T frames, C channels, H x W pixels; level 1 is the finest, every level halves the size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.ops.deform_conv import DCNv2Pack

__all__ = ["PCDAlignment", "TSAFusion", "double"]


def double(x: Tensor) -> Tensor:
    """Enlarges features twice, bilinearly.

    Example:
        >>> import torch
        >>> double(torch.rand(1, 2, 3, 4)).shape
        torch.Size([1, 2, 6, 8])
    """
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class PCDAlignment(nn.Module):
    """Moves the features of a neighbour frame onto those of the reference: pyramid, cascading, deformable.

    Offsets are predicted on the coarsest level and refined upwards; a last deformable convolution refines the result.

    Args:
        num_feat: channels C.
        deformable_groups: channel groups that move independently.

    Shape:
        two lists of features at levels 1, 2, 3: ``[N,C,H,W]``, ``[N,C,H/2,W/2]``, ``[N,C,H/4,W/4]`` -> ``[N,C,H,W]``.

    Source:
        Wang et al., "EDVR", CVPRW 2019, section 3.2.

    Example:
        >>> import torch
        >>> levels = [torch.rand(1, 8, s, s) for s in (8, 4, 2)]
        >>> PCDAlignment(num_feat=8, deformable_groups=2)(levels, levels).shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(self, num_feat: int = 64, deformable_groups: int = 8) -> None:
        super().__init__()
        self.offset_conv1 = nn.ModuleDict({f"l{i}": _conv(2 * num_feat, num_feat) for i in (3, 2, 1)})
        self.offset_conv2 = nn.ModuleDict(
            {f"l{i}": _conv(num_feat if i == 3 else 2 * num_feat, num_feat) for i in (3, 2, 1)}
        )
        self.offset_conv3 = nn.ModuleDict({f"l{i}": _conv(num_feat, num_feat) for i in (2, 1)})
        self.dcn_pack = nn.ModuleDict({f"l{i}": _pack(num_feat, deformable_groups) for i in (3, 2, 1)})
        self.feat_conv = nn.ModuleDict({f"l{i}": _conv(2 * num_feat, num_feat) for i in (2, 1)})
        self.cas_offset_conv1 = _conv(2 * num_feat, num_feat)
        self.cas_offset_conv2 = _conv(num_feat, num_feat)
        self.cas_dcnpack = _pack(num_feat, deformable_groups)

    def forward(self, neighbour: list[Tensor], reference: list[Tensor]) -> Tensor:
        """Aligns the neighbour with the reference."""
        offset = _lrelu(self.offset_conv1["l3"](torch.cat((neighbour[2], reference[2]), dim=1)))
        offset = _lrelu(self.offset_conv2["l3"](offset))
        feat = _lrelu(self.dcn_pack["l3"](neighbour[2], offset))
        for level in (2, 1):
            here, key = level - 1, f"l{level}"
            coarser = 2.0 * double(offset)
            offset = _lrelu(self.offset_conv1[key](torch.cat((neighbour[here], reference[here]), dim=1)))
            offset = _lrelu(self.offset_conv2[key](torch.cat((offset, coarser), dim=1)))
            offset = _lrelu(self.offset_conv3[key](offset))
            aligned = self.dcn_pack[key](neighbour[here], offset)
            feat = self.feat_conv[key](torch.cat((aligned, double(feat)), dim=1))
            if level > 1:
                feat = _lrelu(feat)
        offset = _lrelu(self.cas_offset_conv1(torch.cat((feat, reference[0]), dim=1)))
        offset = _lrelu(self.cas_offset_conv2(offset))
        return _lrelu(self.cas_dcnpack(feat, offset))


class TSAFusion(nn.Module):
    """Fuses aligned frames: each pixel weighted by its likeness to the reference, then by a learned spatial mask.

    Args:
        num_feat: channels C.
        num_frame: frames T.
        center_frame_idx: index of the reference frame.

    Shape:
        ``[N,T,C,H,W]`` -> ``[N,C,H,W]``; H and W are multiples of 4.

    Source:
        Wang et al., "EDVR", CVPRW 2019, section 3.3. The temporal attention is a sigmoid of the sum over channels.

    Example:
        >>> import torch
        >>> TSAFusion(num_feat=4, num_frame=3, center_frame_idx=1)(torch.rand(1, 3, 4, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    def __init__(self, num_feat: int = 64, num_frame: int = 5, *, center_frame_idx: int = 2) -> None:
        super().__init__()
        self.center_frame_idx = center_frame_idx
        self.temporal_attn1 = _conv(num_feat, num_feat)
        self.temporal_attn2 = _conv(num_feat, num_feat)
        self.feat_fusion = nn.Conv2d(num_frame * num_feat, num_feat, 1)
        self.spatial_attn1 = nn.Conv2d(num_frame * num_feat, num_feat, 1)
        self.spatial_attn2 = nn.Conv2d(2 * num_feat, num_feat, 1)
        self.spatial_attn3 = _conv(num_feat, num_feat)
        self.spatial_attn4 = nn.Conv2d(num_feat, num_feat, 1)
        self.spatial_attn5 = _conv(num_feat, num_feat)
        self.spatial_attn_l1 = nn.Conv2d(num_feat, num_feat, 1)
        self.spatial_attn_l2 = _conv(2 * num_feat, num_feat)
        self.spatial_attn_l3 = _conv(num_feat, num_feat)
        self.spatial_attn_add1 = nn.Conv2d(num_feat, num_feat, 1)
        self.spatial_attn_add2 = nn.Conv2d(num_feat, num_feat, 1)

    def forward(self, aligned: Tensor) -> Tensor:
        """Fuses the frames into the features of the reference frame."""
        weighted = self._attend_in_time(aligned)
        feat = _lrelu(self.feat_fusion(weighted))

        attn = _lrelu(self.spatial_attn1(weighted))
        attn = _lrelu(self.spatial_attn2(_pool(attn)))
        coarse = _lrelu(self.spatial_attn_l1(attn))
        coarse = _lrelu(self.spatial_attn_l2(_pool(coarse)))
        coarse = double(_lrelu(self.spatial_attn_l3(coarse)))
        attn = _lrelu(self.spatial_attn3(attn)) + coarse
        attn = self.spatial_attn5(double(_lrelu(self.spatial_attn4(attn))))
        shift = self.spatial_attn_add2(_lrelu(self.spatial_attn_add1(attn)))
        return 2.0 * torch.sigmoid(attn) * feat + shift

    def _attend_in_time(self, aligned: Tensor) -> Tensor:
        """Weights every frame by its likeness to the reference; ``[N,T,C,H,W]`` -> ``[N,T*C,H,W]``."""
        n, t, c, h, w = aligned.shape
        reference = self.temporal_attn1(aligned[:, self.center_frame_idx])
        embedded = self.temporal_attn2(aligned.reshape(n * t, c, h, w)).view(n, t, c, h, w)
        likeness = torch.sigmoid((embedded * reference.unsqueeze(1)).sum(dim=2, keepdim=True))
        return (aligned * likeness).reshape(n, t * c, h, w)


def _conv(num_in_ch: int, num_out_ch: int) -> nn.Conv2d:
    return nn.Conv2d(num_in_ch, num_out_ch, 3, padding=1)


def _pack(num_feat: int, deformable_groups: int) -> DCNv2Pack:
    return DCNv2Pack(num_feat, num_feat, 3, padding=1, deformable_groups=deformable_groups)


def _pool(x: Tensor) -> Tensor:
    """Halves features twice over, by maximum and by mean; the zeros around the image count in the mean."""
    return torch.cat((F.max_pool2d(x, 3, stride=2, padding=1), F.avg_pool2d(x, 3, stride=2, padding=1)), dim=1)


def _lrelu(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1, inplace=True)  # always of a fresh result, which nothing else needs
