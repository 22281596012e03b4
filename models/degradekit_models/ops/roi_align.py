"""Cutting boxes of any size out of a batch and resampling them to one size.

Shapes: N batch, C channels, H x W pixels, K boxes, P x Q output pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from degradekit_models.errors import ModelError

__all__ = ["roi_align"]


def roi_align(
    x: Tensor,
    boxes: Tensor | Sequence[Tensor],
    output_size: int | tuple[int, int],
    *,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Averages bilinear samples of each box on a P x Q grid of bins; the gradient flows back to the image.

    Bilinear samples on a grid are separable, so a box is two small matrices: rows (P x H) times image times columns
    (W x Q). That needs no kernel, and its backward pass is two more products.

    Args:
        x: image or features ``[N,C,H,W]``.
        boxes: ``[K,5]`` rows (batch index, x1, y1, x2, y2) in pixels before `spatial_scale`, or one ``[k,4]`` tensor
            per image.
        output_size: (P, Q), or one number for both.
        spatial_scale: size of x over the size that the boxes are given in.
        sampling_ratio: samples per bin and axis; 0 or less adapts to the box: ceil(box side / P).
        aligned: False measures from pixel corners (torchvision's default, which GFPGAN uses: half a pixel off) and
            makes boxes at least one pixel; True measures from pixel centres.

    Shape:
        ``[N,C,H,W]``, ``[K,5]`` -> ``[K,C,P,Q]``.

    Raises:
        ModelError: boxes that are not ``[K,5]`` or a list of N tensors ``[k,4]``.

    Source:
        He et al., "Mask R-CNN", ICCV 2017, section 3; edge rules and `aligned` as torchvision's.

    Example:
        >>> import torch
        >>> image = torch.arange(16.0).view(1, 1, 4, 4)
        >>> roi_align(image, [torch.tensor([[0.0, 0.0, 4.0, 4.0]])], 2, aligned=True).tolist()
        [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    rows = _as_rows(boxes, x)
    high, wide = (output_size, output_size) if isinstance(output_size, int) else output_size
    shift = 0.5 if aligned else 0.0
    least = 0.0 if aligned else 1.0
    out = x.new_empty(len(rows), x.shape[1], high, wide)
    crops = []
    for row in rows.detach():
        x1, y1, x2, y2 = (row[1:] * spatial_scale - shift).unbind()
        vertical = _bin_weights(y1, (y2 - y1).clamp(min=least), high, x.shape[2], sampling_ratio)
        horizontal = _bin_weights(x1, (x2 - x1).clamp(min=least), wide, x.shape[3], sampling_ratio)
        crops.append(vertical @ x[int(row[0])] @ horizontal.mT)
    return torch.stack(crops) if crops else out


def _bin_weights(start: Tensor, extent: Tensor, bins: int, size: int, sampling_ratio: int) -> Tensor:
    """Weights ``[bins, size]`` of the pixels of one axis in the mean of the samples of each bin."""
    step = extent / bins
    samples = sampling_ratio if sampling_ratio > 0 else max(math.ceil(float(step)), 1)
    inner = (torch.arange(samples, device=start.device, dtype=start.dtype) + 0.5) * step / samples
    at = start + torch.arange(bins, device=start.device, dtype=start.dtype).view(-1, 1) * step + inner
    inside = (at >= -1.0) & (at <= size)  # up to one pixel outside counts as the border, beyond it as zero
    pixels = torch.arange(size, device=start.device, dtype=start.dtype)
    hat = (1.0 - (at.clamp(0.0, size - 1.0).unsqueeze(-1) - pixels).abs()).clamp(min=0.0)
    return (hat * inside.unsqueeze(-1)).mean(dim=1)


def _as_rows(boxes: Tensor | Sequence[Tensor], x: Tensor) -> Tensor:
    if isinstance(boxes, Tensor):
        rows = boxes
    elif len(boxes) == len(x) and all(b.ndim == 2 and b.shape[1] == 4 for b in boxes):
        rows = torch.cat([torch.cat((b.new_full((len(b), 1), i), b), dim=1) for i, b in enumerate(boxes)])
    else:
        raise ModelError(
            f"roi_align: {len(boxes)} box tensors of shapes {[tuple(b.shape) for b in boxes]} for a batch of {len(x)}; "
            "give one [k,4] tensor per image."
        )
    if rows.ndim != 2 or rows.shape[1] != 5:
        raise ModelError(f"roi_align: boxes are {tuple(rows.shape)}; give [K,5] rows (batch index, x1, y1, x2, y2).")
    return rows.to(device=x.device, dtype=x.dtype)
