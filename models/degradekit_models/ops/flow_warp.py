"""Moving an image along an optical flow, and resizing the flow itself.

Shapes: N batch, C channels, H x W pixels. A flow is in pixels, x before y: ``flow[..., 0]`` points right and
``flow[..., 1]`` down.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from degradekit_models.errors import ModelError

__all__ = ["flow_warp", "resize_flow"]


def flow_warp(
    x: Tensor,
    flow: Tensor,
    *,
    interp_mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = True,
) -> Tensor:
    """Fetches every output pixel from where the flow points to in the input (backward warping).

    Args:
        x: image or features ``[N,C,H,W]``.
        flow: displacement in pixels ``[N,H,W,2]``, (x, y); zero leaves the image as it is.
        interp_mode: ``"bilinear"`` or ``"nearest"``.
        padding_mode: what lies outside the image: ``"zeros"``, ``"border"`` or ``"reflection"``.
        align_corners: whether the border of the image is the centre (True) or the edge (False) of the outer pixels.

    Shape:
        ``[N,C,H,W]``, ``[N,H,W,2]`` -> ``[N,C,H,W]``.

    Raises:
        ModelError: the flow is not of the size of the image.

    Source:
        Chan et al., "BasicVSR", CVPR 2021, and Ranjan & Black, "SPyNet", CVPR 2017, which both align this way.

    Example:
        >>> import torch
        >>> ramp = torch.arange(4.0).expand(1, 1, 3, 4)
        >>> one_right = torch.tensor([1.0, 0.0]).expand(1, 3, 4, 2)
        >>> flow_warp(ramp, one_right, padding_mode="border")[0, 0, 0].tolist()
        [1.0, 2.0, 3.0, 3.0]
    """
    n, _, h, w = x.shape
    if tuple(flow.shape) != (n, h, w, 2):
        raise ModelError(
            f"flow_warp: the flow is {tuple(flow.shape)}, an image of {tuple(x.shape)} needs {(n, h, w, 2)}."
        )
    # Half precision holds a coordinate beyond 1024 to no better than half a pixel.
    precise = torch.promote_types(flow.dtype, torch.float32)
    flow = flow.to(precise)
    ys, xs = torch.meshgrid(
        torch.arange(h, device=x.device, dtype=precise),
        torch.arange(w, device=x.device, dtype=precise),
        indexing="ij",
    )
    gx = 2.0 * (xs + flow[..., 0]) / max(w - 1, 1) - 1.0
    gy = 2.0 * (ys + flow[..., 1]) / max(h - 1, 1) - 1.0
    grid = torch.stack((gx, gy), dim=-1)
    wide = torch.promote_types(x.dtype, torch.float32)
    out = F.grid_sample(
        x.to(wide), grid.to(wide), mode=interp_mode, padding_mode=padding_mode, align_corners=align_corners
    )
    return out.to(x.dtype)


def resize_flow(
    flow: Tensor, size: tuple[int, int], *, interp_mode: str = "bilinear", align_corners: bool = False
) -> Tensor:
    """Resizes a flow field and rescales its vectors to pixels of the new size.

    Args:
        flow: displacement in pixels ``[N,2,H,W]``.
        size: new (height, width) in pixels.
        interp_mode: as in `torch.nn.functional.interpolate`.
        align_corners: as in `torch.nn.functional.interpolate`.

    Shape:
        ``[N,2,H,W]`` -> ``[N,2,size[0],size[1]]``.

    Example:
        >>> import torch
        >>> half = resize_flow(torch.ones(1, 2, 4, 8), (2, 4))
        >>> half.shape, half.unique().tolist()
        (torch.Size([1, 2, 2, 4]), [0.5])
    """
    h, w = flow.shape[-2:]
    scale = flow.new_tensor((size[1] / w, size[0] / h)).view(1, 2, 1, 1)
    return F.interpolate(flow * scale, size=size, mode=interp_mode, align_corners=align_corners)
