"""RealBasicVSR: a cleaning module in front of BasicVSR, for videos with noise and compression.

Shapes: N batch, T frames, C channels, H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from degradekit_models.archs.basicvsr import BasicVSR
from degradekit_models.archs.residual import ConvResidualBlocks

__all__ = ["RealBasicVSR"]

MOST_CLEANINGS = 3


class RealBasicVSR(nn.Module):
    """Cleans the frames of a clip one by one, again while much changes, and upscales the clip four times.

    Args:
        mid_channels: channels C of the features.
        num_propagation_blocks: residual blocks per direction.
        num_cleaning_blocks: residual blocks of the cleaning module.
        dynamic_refine_thres: mean absolute change in 8-bit levels, 0..255, from which on frames are cleaned again;
            255 cleans once, as in training; 5 is usual for restoring.
        spynet_path: a weight file for the flow network, or None.

    Shape:
        ``[N,T,3,H,W]`` -> ``[N,T,3,4*H,4*W]``, RGB in [0, 1].

    Source:
        Chan et al., "Investigating Tradeoffs in Real-World Video Super-Resolution", CVPR 2022.

    Example:
        >>> import torch
        >>> net = RealBasicVSR(mid_channels=8, num_propagation_blocks=1, num_cleaning_blocks=1)
        >>> with torch.no_grad():
        ...     net(torch.rand(1, 2, 3, 32, 36)).shape
        torch.Size([1, 2, 3, 128, 144])
    """

    def __init__(
        self,
        mid_channels: int = 64,
        num_propagation_blocks: int = 20,
        *,
        num_cleaning_blocks: int = 20,
        dynamic_refine_thres: float = 255,
        spynet_path: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.dynamic_refine_thres = dynamic_refine_thres
        self.image_cleaning = nn.Sequential(
            ConvResidualBlocks(3, mid_channels, num_block=num_cleaning_blocks),
            nn.Conv2d(mid_channels, 3, 3, padding=1),
        )
        self.basicvsr = BasicVSR(mid_channels, num_propagation_blocks, spynet_path=spynet_path)

    def forward(self, x: Tensor, *, return_cleaned: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Cleans and upscales every frame of a batch of clips; for training also returns the cleaned frames."""
        cleaned = self.clean(x)
        restored = self.basicvsr(cleaned)
        return (restored, cleaned) if return_cleaned else restored

    def clean(self, x: Tensor) -> Tensor:
        """Cleans frames ``[N,T,3,H,W]``, at most three times; the training loss compares them with clean ones."""
        n, t = x.shape[:2]
        frames = x.flatten(0, 1)
        for _ in range(MOST_CLEANINGS):
            change = self.image_cleaning(frames)
            frames = frames + change
            if change.detach().abs().mean() < self.dynamic_refine_thres / 255:
                break
        return frames.unflatten(0, (n, t))
