"""Resampling with a FIR filter: insert zeros, pad, filter, drop samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from degradekit_models.errors import ModelError

__all__ = ["resample_kernel", "upfirdn2d"]


def resample_kernel(taps: Sequence[float]) -> Tensor:
    """Makes the 2-D low-pass kernel of StyleGAN2: the outer product of the taps with themselves, of sum one.

    Shape:
        n taps -> ``[n,n]``.

    Example:
        >>> resample_kernel((1, 3, 3, 1)).sum().item()
        1.0
    """
    line = torch.tensor(tuple(taps), dtype=torch.float32)
    kernel = torch.outer(line, line)
    return kernel / kernel.sum()


def upfirdn2d(x: Tensor, kernel: Tensor, *, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Puts up - 1 zeros after every pixel, pads, convolves with the kernel, and keeps every down-th pixel.

    Args:
        x: image or features ``[N,C,H,W]``.
        kernel: filter ``[kh,kw]``, the same for every channel, flipped as in a true convolution.
        up: integer upsampling factor; scale the kernel by up**2 to keep the mean.
        down: integer downsampling factor.
        pad: zeros (before, after) on both axes, counted in upsampled pixels; negative crops.

    Shape:
        ``[N,C,H,W]`` -> ``[N,C,H',W']`` with H' = (H*up + pad[0] + pad[1] - kh) // down + 1.

    Raises:
        ModelError: the padded image is smaller than the kernel.

    Source:
        Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020 (resampling of the skip
        connections, appendix B).

    Example:
        >>> import torch
        >>> x = torch.ones(1, 1, 4, 4)
        >>> y = upfirdn2d(x, 4 * resample_kernel((1, 3, 3, 1)), up=2, pad=(2, 1))
        >>> y.shape, y[0, 0, 3, 3].item()
        (torch.Size([1, 1, 8, 8]), 1.0)
    """
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n * c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).view(n, c, h * up, w * up)
    x = F.pad(x, (pad[0], pad[1], pad[0], pad[1]))
    if x.shape[2] < kernel.shape[0] or x.shape[3] < kernel.shape[1]:
        raise ModelError(
            f"upfirdn2d: a padded image of {tuple(x.shape[2:])} is smaller than the kernel {tuple(kernel.shape)}."
        )
    weight = kernel.flip((0, 1)).to(dtype=x.dtype, device=x.device).expand(c, 1, -1, -1)
    return F.conv2d(x, weight, stride=down, groups=c)
