"""Modulated deformable convolution, version 2.

Shapes: N batch, C input and O output channels, K = kernel height x width, H' x W' output pixels, D deformable groups.
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradekit_models.errors import ModelError

__all__ = ["DCNv2Pack", "ModulatedDeformConv2d", "deform_conv2d", "deform_conv2d_torch"]


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """Convolves with a kernel whose taps move by `offset` and are weighted by `mask`, differently at every pixel.

    On an accelerator torchvision's compiled kernel does the work where it can be loaded, else `deform_conv2d_torch`.
    On a processor it is always the latter: torchvision 0.28 takes 54 ms forward and 416 ms backward for 64 channels of
    64 x 64 on one core, against 14 and 38 ms. The groups, plain and deformable, follow from the shapes.

    Args:
        x: input ``[N,C,H,W]``.
        offset: tap displacements in pixels ``[N,2*D*K,H',W']``, ordered (deformable group, tap, (y, x)).
        mask: tap weights, usually in [0, 1], ``[N,D*K,H',W']``.
        weight: kernel ``[O,C/groups,kh,kw]``.
        bias: ``[O]`` or None.
        stride: step between output pixels, in input pixels.
        padding: zeros around the input, in pixels.
        dilation: distance between the undisplaced taps, in pixels.

    Shape:
        ``[N,C,H,W]`` -> ``[N,O,H',W']``.

    Raises:
        ModelError: the shapes do not fit together.

    Source:
        Zhu et al., "Deformable ConvNets v2", CVPR 2019, eq. 1.

    Example:
        >>> import torch
        >>> x, weight = torch.rand(1, 2, 5, 5), torch.rand(4, 2, 3, 3)
        >>> still, full = torch.zeros(1, 18, 5, 5), torch.ones(1, 9, 5, 5)
        >>> y = deform_conv2d(x, still, full, weight, padding=1)
        >>> torch.allclose(y, torch.nn.functional.conv2d(x, weight, padding=1), atol=1e-6)
        True
    """
    _check_shapes(x, offset, mask, weight)
    kernels = _torchvision_ops() if x.is_cuda else None
    if kernels is None:
        return deform_conv2d_torch(x, offset, mask, weight, bias, stride=stride, padding=padding, dilation=dilation)
    out: Tensor = kernels.deform_conv2d(x, offset, weight, bias, stride, padding, dilation, mask)
    return out


def deform_conv2d_torch(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """Computes `deform_conv2d` with `grid_sample` and a matrix product: equal value, equal gradients, any device.

    Sampling through `grid_sample` is five times faster than gathering the four neighbours (64 channels of 64 x 64:
    14 ms against 73 ms forward, one core). Its normalised coordinates are exact at whole pixels only where the size is
    a power of two, hence the padding: an untrained layer (all offsets zero) then equals a plain convolution, and its
    gradient is taken on the same side of the kink as in the compiled kernel.

    Example:
        >>> import torch
        >>> x, weight = torch.rand(1, 2, 4, 4), torch.rand(3, 2, 1, 1)
        >>> right = torch.zeros(1, 2, 4, 4)
        >>> right[:, 1] = 1.0
        >>> y = deform_conv2d_torch(x, right, torch.ones(1, 1, 4, 4), weight)
        >>> torch.allclose(y[..., :3], torch.nn.functional.conv2d(x, weight)[..., 1:], atol=1e-6)
        True
    """
    n, c, h, w = x.shape
    out_c, group_c, kh, kw = weight.shape
    taps = kh * kw
    deform_groups = mask.shape[1] // taps
    out_h, out_w = offset.shape[-2:]

    ys = torch.arange(out_h, device=x.device) * stride - padding
    xs = torch.arange(out_w, device=x.device) * stride - padding
    tap = torch.arange(taps, device=x.device).view(taps, 1, 1)
    # Positions in at least float32: half precision cannot tell the pixels of a frame apart.
    dtype = torch.promote_types(offset.dtype, torch.float32)
    moved = offset.to(dtype).view(n * deform_groups, taps, 2, out_h, out_w)
    y = moved[:, :, 0] + ys.view(1, -1, 1) + (tap // kw) * dilation
    px = moved[:, :, 1] + xs.view(1, 1, -1) + (tap % kw) * dilation

    wide, high = _power_of_two(w), _power_of_two(h)
    padded = F.pad(x.to(dtype), (0, wide - w, 0, high - h))
    grid = torch.stack(((2 * px + 1) / wide - 1, (2 * y + 1) / high - 1), dim=-1)
    columns = F.grid_sample(
        padded.view(n * deform_groups, c // deform_groups, high, wide),
        grid.view(n * deform_groups, taps * out_h, out_w, 2),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    ).view(n * deform_groups, c // deform_groups, taps, out_h * out_w)
    columns = columns * mask.to(dtype).view(n * deform_groups, 1, taps, out_h * out_w)

    groups = c // group_c
    columns = columns.to(weight.dtype).view(n, groups, group_c * taps, out_h * out_w)
    out = (weight.view(groups, out_c // groups, group_c * taps) @ columns).view(n, out_c, out_h, out_w)
    return out if bias is None else out + bias.view(-1, 1, 1)


class ModulatedDeformConv2d(nn.Module):
    """A deformable convolution whose offsets and tap weights are given with the input.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: side of the square kernel.
        stride: step between output pixels.
        padding: zeros around the input, in pixels.
        dilation: distance between taps, in pixels.
        deformable_groups: number of channel groups that move independently; more is freer and slower.

    Shape:
        x ``[N,C,H,W]``, offset ``[N,2*D*K,H',W']``, mask ``[N,D*K,H',W']`` -> ``[N,O,H',W']``.

    Source:
        Zhu et al., "Deformable ConvNets v2", CVPR 2019.

    Example:
        >>> import torch
        >>> layer = ModulatedDeformConv2d(4, 6, 3, padding=1, deformable_groups=2)
        >>> layer(torch.rand(1, 4, 8, 8), torch.zeros(1, 36, 8, 8), torch.ones(1, 18, 8, 8)).shape
        torch.Size([1, 6, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        deformable_groups: int = 1,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.deformable_groups = deformable_groups
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        bound = 1.0 / math.sqrt(in_channels * kernel_size**2)
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        """Convolves x at the displaced, weighted taps."""
        return deform_conv2d(
            x,
            offset,
            mask,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )


class DCNv2Pack(ModulatedDeformConv2d):
    """A deformable convolution that predicts its offsets and tap weights from a second feature map.

    A plain convolution of the same kernel reads `feat` and gives 3*D*K channels: two thirds are offsets in pixels,
    the last third becomes the mask through a sigmoid. It starts at zero: undisplaced taps of weight one half.

    Args: as `ModulatedDeformConv2d`.

    Shape:
        x ``[N,C,H,W]``, feat ``[N,C,H,W]`` -> ``[N,O,H',W']``.

    Source:
        Zhu et al., "Deformable ConvNets v2", CVPR 2019; offsets from another feature: Wang et al., "EDVR", CVPRW 2019.

    Example:
        >>> import torch
        >>> pack = DCNv2Pack(4, 4, 3, padding=1, deformable_groups=2)
        >>> pack(torch.rand(1, 4, 8, 8), torch.rand(1, 4, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        deformable_groups: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            deformable_groups=deformable_groups,
        )
        self.conv_offset = nn.Conv2d(
            in_channels,
            3 * deformable_groups * kernel_size**2,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
        )
        nn.init.zeros_(self.conv_offset.weight)
        assert self.conv_offset.bias is not None
        nn.init.zeros_(self.conv_offset.bias)

    def forward(self, x: Tensor, feat: Tensor) -> Tensor:  # type: ignore[override]
        """Convolves x at taps displaced and weighted as `feat` says."""
        oy, ox, mask = self.conv_offset(feat).chunk(3, dim=1)
        return super().forward(x, torch.cat((oy, ox), dim=1), torch.sigmoid(mask))


@cache  # asked at every call; a failed import searches the whole path again
def _torchvision_ops() -> Any:
    """`torchvision.ops`, or None where torchvision is missing or was built for another torch."""
    try:
        import torchvision.ops  # type: ignore[import-not-found, unused-ignore]
    except ModuleNotFoundError:
        return None
    except (ImportError, RuntimeError, OSError) as error:
        warnings.warn(
            f"torchvision is installed but does not load ({error}): deformable convolutions run in pure torch; "
            "install the torchvision that belongs to this torch.",
            RuntimeWarning,
            stacklevel=4,
        )
        return None
    return torchvision.ops


def _power_of_two(size: int) -> int:
    """The smallest power of two that is not below `size`."""
    return 1 << (int(size) - 1).bit_length()  # int: tracing hands over a tensor


def _check_shapes(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor) -> None:
    taps = weight.shape[2] * weight.shape[3]
    deform_groups = mask.shape[1] // taps
    fits = (
        x.shape[1] % weight.shape[1] == 0
        and deform_groups > 0
        and mask.shape[1] == deform_groups * taps
        and x.shape[1] % deform_groups == 0
        and offset.shape[1] == 2 * mask.shape[1]
        and offset.shape[2:] == mask.shape[2:]
    )
    if not fits:
        raise ModelError(
            f"deform_conv2d: input {tuple(x.shape)}, offset {tuple(offset.shape)}, mask {tuple(mask.shape)} and weight "
            f"{tuple(weight.shape)} do not fit; with D groups and K taps the offset has 2*D*K channels, the mask D*K."
        )
