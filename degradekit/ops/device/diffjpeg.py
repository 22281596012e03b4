"""Real-ESRGAN's DiffJPEG on a device, in float64 as :mod:`degradekit.ops.diffjpeg`."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import pad

from degradekit.ops.device.jpeg import from_blocks, to_blocks
from degradekit.ops.device.numbers import unit
from degradekit.types import Array

__all__ = ["round_trip"]


def round_trip(x: Tensor, luma: Array, chroma: Array) -> Tensor:
    """One frame through the transform and back.

    Args:
        x: float32 ``[3, H, W]``.
        luma: Steps, real numbers ``[8, 8]``.
        chroma: Those of both colour differences.
    """
    _, h, w = x.shape
    r, g, b = pad(unit(x).double() * 255, (0, -w % 16, 0, -h % 16))
    y = 0.299 * r + 0.587 * g + 0.114 * b - 128
    differences = torch.stack((-0.168736 * r - 0.331264 * g + 0.5 * b, 0.5 * r - 0.418688 * g - 0.081312 * b))
    c = reduce(torch.add, [differences[:, i::2, j::2] / 4 for i in (0, 1) for j in (0, 1)])
    y = _requantised(y[None], luma)[0, :h, :w] + 128
    cb, cr = _requantised(c, chroma).repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :h, :w]
    return unit(torch.stack((y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb)) / 255).float()


def _requantised(planes: Tensor, steps: Array) -> Tensor:
    """The orthonormal transform of every block, rounded to multiples of the steps."""
    angles = torch.outer(torch.arange(8), 2 * torch.arange(8) + 1).double() * (math.pi / 16)
    basis = angles.cos() * torch.tensor([math.sqrt(0.125), *[0.5] * 7], dtype=torch.float64)[:, None]
    basis, table = basis.to(planes.device), torch.from_numpy(steps.astype("float64")).to(planes.device)
    coefficients = basis @ to_blocks(planes) @ basis.T
    return from_blocks(basis.T @ ((coefficients / table).round() * table) @ basis, planes.shape)
