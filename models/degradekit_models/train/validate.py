"""Measuring a network on whole pairs while it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from degradekit_models.data import ValidationPair
from degradekit_models.metrics import psnr, ssim
from degradekit_models.restore.upscale import Restorer

__all__ = ["Restore", "Score", "restorer", "to_frames", "to_levels", "validate", "write_png"]

Restore: TypeAlias = Callable[[Any], Any]
"""LQ frames, uint8 or uint16 ``[T,h,w,3]`` -> restored frames, uint8 ``[T,H,W,3]``; one of a window's middle frame."""


class Score(NamedTuple):
    """Means over the frames of all pairs."""

    psnr: float
    ssim: float
    frames: int


def validate(
    restore: Restore,
    pairs: Iterable[ValidationPair],
    *,
    crop: int,
    luma: bool,
    pictures: Path | None = None,
    count: int = 0,
    total: Callable[[Tensor], Any] = Tensor.clone,
) -> Score:
    """Restore pairs and compare them with their GTs.

    Args:
        restore: What the network does with an LQ.
        pairs: Whole pairs; of several ranks, this one's share.
        crop: Pixels cut off all four borders.
        luma: Compare the luma alone.
        pictures: Folder for pictures of LQ (enlarged), output and GT side by side.
        count: How many pictures.
        total: Adds up over the ranks.
    """
    sums = torch.zeros(3, dtype=torch.float64)
    for pair in pairs:
        out, gt = restore(pair.lq), pair.gt
        if len(out) != len(gt):  # a network that restores the middle of a window
            gt = gt[len(gt) // 2 : len(gt) // 2 + 1]
        for o, g in zip(out, gt, strict=True):
            sums += torch.tensor((psnr(o, g, crop=crop, y=luma), ssim(o, g, crop=crop, y=luma), 1.0), dtype=sums.dtype)
        if pictures is not None and pair.number < count:
            middle = pair.lq[len(pair.lq) // 2], out[len(out) // 2], gt[len(gt) // 2]
            write_png(pictures / f"{pair.number:03d}.png", _side_by_side(*middle))
    summed: Tensor = total(sums)
    mean = (summed[:2] / summed[2]).tolist()  # nan of nothing
    return Score(mean[0], mean[1], int(summed[2]))


def restorer(net: nn.Module, device: str) -> Restore:
    """How a network for images, windows or clips restores.

    Raises:
        ModelError: The network restores nothing.
    """
    runner = Restorer(net, device=device)

    def restore(clip: Any) -> Any:
        frames = to_frames(clip)
        out = runner.tensor(frames if runner.traits.kind == "image" else frames[None])
        return to_levels(out[0] if out.ndim == 5 else out)

    return restore


def to_frames(clip: Any) -> Tensor:
    """Stored frames ``[T,H,W,3]`` as a network takes them: ``[T,3,H,W]`` in [0, 1], with 8 bits' worth."""
    return torch.from_numpy(np.ascontiguousarray(_levels(clip))).movedim(-1, -3).float() / 255


def to_levels(frames: Tensor) -> Any:
    """Frames ``[T,3,H,W]`` in [0, 1] as uint8 ``[T,H,W,3]``."""
    return (frames.clamp(0, 1) * 255).round().byte().movedim(-3, -1).numpy()


def _levels(clip: Any) -> Any:
    return (clip >> 8).astype(np.uint8) if clip.dtype == np.uint16 else clip


def _side_by_side(lq: Any, out: Any, gt: Any) -> Any:
    h, w = gt.shape[:2]
    large = cv2.resize(_levels(lq), (w, h), interpolation=cv2.INTER_NEAREST)
    return np.concatenate((large, out, _levels(gt)), axis=1)


def write_png(path: Path, rgb: Any) -> None:
    """Write a picture, uint8 ``[H,W,3]``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(".png", rgb[..., ::-1])
    assert ok
    path.write_bytes(data.tobytes())
