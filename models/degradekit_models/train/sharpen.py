"""Unsharp masking of targets, as Real-ESRGAN trains."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["sharpen"]

SIDE, SIGMA, AMOUNT, THRESHOLD = 51, 8.0, 0.5, 10 / 255


def sharpen(images: Tensor) -> Tensor:
    """Add half of what a wide blur takes away, but only around strong edges.

    Args:
        images: ``[N,3,H,W]`` in [0, 1], at least 26 px on each side.

    Source:
        Wang et al., "Real-ESRGAN", ICCVW 2021, section 3.4: Gaussian of 51 taps and sigma 8, weight 0.5; the mask is
        where the residual exceeds 10 levels, blurred by the same kernel.

    Example:
        >>> flat = torch.full((1, 3, 32, 32), 0.25)
        >>> torch.allclose(sharpen(flat), flat, atol=1e-6)
        True
    """
    blurred = _blur(images)
    residual = images - blurred
    mask = _blur((residual.abs() > THRESHOLD).to(images.dtype))
    sharp = (images + AMOUNT * residual).clamp(0, 1)
    return mask * sharp + (1 - mask) * images


def _blur(images: Tensor) -> Tensor:
    """The Gaussian is separable: 102 taps instead of 2601."""
    channels = images.shape[1]
    x = torch.arange(SIDE, dtype=torch.float64) - SIDE // 2
    taps = torch.exp(-(x**2) / (2 * SIGMA**2))
    taps = (taps / taps.sum()).to(images)
    half = SIDE // 2
    padded = F.pad(images, (half, half, half, half), mode="reflect")
    rows = F.conv2d(padded, taps.view(1, 1, 1, SIDE).expand(channels, 1, 1, SIDE), groups=channels)
    return F.conv2d(rows, taps.view(1, 1, SIDE, 1).expand(channels, 1, SIDE, 1), groups=channels)
