"""Between sRGB-encoded samples and linear light, as :mod:`degradekit.ops.light`."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["encoded", "linear"]


def linear(x: Tensor) -> Tensor:
    """Decode sRGB: samples in proportion to the light; beyond [0, 1] along the curve, below 0 mirrored."""
    size = x.double().abs()
    return torch.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4).copysign(x).float()


def encoded(x: Tensor) -> Tensor:
    """Encode linear light as sRGB.

    Example:
        >>> x = torch.tensor([-0.2, 0.001, 0.5, 1.1])
        >>> torch.allclose(encoded(linear(x)), x)
        True
    """
    size = x.double().abs()
    return torch.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055).copysign(x).float()
