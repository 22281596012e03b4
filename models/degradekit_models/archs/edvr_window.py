"""Running a window network such as EDVR over a whole clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from degradekit_models.archs.edvr import EDVR
from degradekit_models.errors import ModelError

__all__ = ["FramePadding", "cascade", "frame_indices", "restore_clip"]

FramePadding = Literal["replicate", "reflection", "reflection_circle", "circle"]


def frame_indices(center: int, length: int, num_frames: int, padding: FramePadding = "reflection_circle") -> list[int]:
    """Lists the frames of the window around `center`, replacing those outside the clip by others inside it.

    Args:
        center: index of the centre frame, 0 .. length - 1.
        length: frames of the clip, at least num_frames.
        num_frames: odd size of the window.
        padding: ``"replicate"`` repeats the end frame (0 0 0 1 2), ``"reflection"`` mirrors at it (2 1 0 1 2),
            ``"reflection_circle"`` mirrors at the far end of the window (4 3 0 1 2), ``"circle"`` takes those beyond
            the window in order (3 4 0 1 2).

    Raises:
        ModelError: an even window, a clip shorter than it, or an unknown padding.

    Source:
        Wang et al., "EDVR", CVPRW 2019, tests on REDS4 and Vid4.

    Example:
        >>> frame_indices(0, 10, 5, "reflection_circle"), frame_indices(9, 10, 5, "replicate")
        ([4, 3, 0, 1, 2], [7, 8, 9, 9, 9])
    """
    if padding not in get_args(FramePadding):
        raise ModelError(f"frame_indices: padding is {padding!r}; {', '.join(get_args(FramePadding))} exist.")
    if num_frames % 2 == 0 or length < num_frames:
        raise ModelError(
            f"frame_indices: a window of {num_frames} on {length} frames; it must be odd and not longer than the clip."
        )
    half, last = num_frames // 2, length - 1
    inside = {
        "replicate": lambda i: min(max(i, 0), last),
        "reflection": lambda i: -i if i < 0 else 2 * last - i,
        "reflection_circle": lambda i: center + half - i if i < 0 else center - half - (i - last),
        "circle": lambda i: num_frames + i if i < 0 else i - num_frames,
    }[padding]
    return [i if 0 <= i <= last else inside(i) for i in range(center - half, center + half + 1)]


def restore_clip(net: EDVR, clip: Tensor, padding: FramePadding = "reflection_circle") -> Tensor:
    """Slides a network over a clip and restores every frame.

    Args:
        net: a window network whose centre frame is the middle one.
        clip: ``[N,T,C,H,W]`` in [0, 1], at least as long as the window.
        padding: which frames stand in at the ends; see `frame_indices`.

    Shape:
        ``[N,T,C,H,W]`` -> ``[N,T,C,H',W']``.

    Example:
        >>> import torch
        >>> net = EDVR(num_feat=8, num_frame=3, deformable_groups=2, num_extract_block=1, num_reconstruct_block=1)
        >>> with torch.no_grad():
        ...     restore_clip(net, torch.rand(1, 4, 3, 4, 4)).shape
        torch.Size([1, 4, 3, 16, 16])
    """
    length = clip.shape[1]
    windows = [frame_indices(i, length, net.num_frame, padding) for i in range(length)]
    return torch.stack([net(clip[:, window]) for window in windows], dim=1)


def cascade(stages: Sequence[EDVR], clip: Tensor, padding: FramePadding = "reflection_circle") -> Tensor:
    """Restores a clip with several networks in turn, each on the clip that the one before it returned.

    The second stage of the paper takes frames of the output size (`hr_in`) and removes what the first one left.

    Args:
        stages: networks in order.
        clip: ``[N,T,C,H,W]`` in [0, 1].
        padding: which frames stand in at the ends; see `frame_indices`.

    Shape:
        ``[N,T,C,H,W]`` -> as the last stage returns.

    Source:
        Wang et al., "EDVR", CVPRW 2019, section 3.4 (two-stage restoration).

    Example:
        >>> import torch
        >>> small = {"num_feat": 8, "num_frame": 3, "deformable_groups": 2, "num_extract_block": 1}
        >>> stages = [EDVR(**small, num_reconstruct_block=1), EDVR(**small, hr_in=True, with_predeblur=True)]
        >>> with torch.no_grad():
        ...     cascade(stages, torch.rand(1, 3, 3, 4, 4)).shape
        torch.Size([1, 3, 3, 16, 16])
    """
    for stage in stages:
        clip = restore_clip(stage, clip, padding)
    return clip
