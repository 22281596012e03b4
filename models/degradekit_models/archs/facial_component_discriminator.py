"""The small discriminator that GFPGAN uses for eyes and mouth."""

from __future__ import annotations

from torch import Tensor, nn

from degradekit_models.archs.equalized import equal_conv

__all__ = ["FacialComponentDiscriminator"]


class FacialComponentDiscriminator(nn.Module):
    """Scores patches of a facial component as real or generated, and gives features to compare styles with.

    Shape:
        ``[N,3,H,W]`` RGB in [-1, 1] -> (``[N,1,H/4,W/4]``, features ``[N,128,H/2,W/2]`` and ``[N,256,H/4,W/4]``, or
        an empty list); eyes are 80, mouths 120 pixels wide in a face of 512.

    Source:
        Wang et al., "GFPGAN", CVPR 2021, section 3.4 (facial component loss).

    Example:
        >>> import torch
        >>> scores, feats = FacialComponentDiscriminator()(torch.zeros(1, 3, 80, 80), return_feats=True)
        >>> scores.shape, len(feats)
        (torch.Size([1, 1, 20, 20]), 2)
    """

    def __init__(self) -> None:
        super().__init__()
        taps = (1, 3, 3, 1)
        self.conv1 = equal_conv(3, 64, 3)
        self.conv2 = equal_conv(64, 128, 3, halve=taps)
        self.conv3 = equal_conv(128, 128, 3)
        self.conv4 = equal_conv(128, 256, 3, halve=taps)
        self.conv5 = equal_conv(256, 256, 3)
        self.final_conv = equal_conv(256, 1, 3, activate=False)

    def forward(self, x: Tensor, *, return_feats: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Scores a batch of components."""
        half = self.conv3(self.conv2(self.conv1(x)))
        quarter = self.conv5(self.conv4(half))
        return self.final_conv(quarter), [half, quarter] if return_feats else []
