"""Measuring a network on whole pairs while it trains."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from degradekit_models.data import ValidationPair
from degradekit_models.metrics import psnr, ssim
from degradekit_models.restore.upscale import Restorer

__all__ = ["Score", "restore_pair", "validate"]


class Score(NamedTuple):
    """Means over the frames of all pairs."""

    psnr: float
    ssim: float
    frames: int


def validate(
    restorer: Restorer,
    pairs: Iterable[ValidationPair],
    *,
    crop: int,
    luma: bool,
    pictures: Path | None = None,
    count: int = 0,
) -> Score:
    """Restore pairs and compare them with their GTs.

    Args:
        restorer: Of the network.
        pairs: Whole pairs.
        crop: Pixels cut off all four borders.
        luma: Compare the luma alone.
        pictures: Folder for pictures of LQ (enlarged), output and GT side by side.
        count: How many pictures.
    """
    values: list[tuple[float, float]] = []
    for number, pair in enumerate(pairs):
        out, gt = restore_pair(restorer, pair), pair.gt
        if len(out) != len(gt):  # a network that restores the middle of a window
            gt = gt[len(gt) // 2 : len(gt) // 2 + 1]
        values += [(psnr(o, g, crop=crop, y=luma), ssim(o, g, crop=crop, y=luma)) for o, g in zip(out, gt, strict=True)]
        if pictures is not None and number < count:
            _write(pictures / f"{number:03d}.png", pair.lq[len(pair.lq) // 2], out[len(out) // 2], gt[len(gt) // 2])
    found = np.array(values, np.float64).reshape(-1, 2)
    mean = found.mean(axis=0) if len(found) else (float("nan"), float("nan"))
    return Score(float(mean[0]), float(mean[1]), len(found))


def restore_pair(restorer: Restorer, pair: ValidationPair) -> Any:
    """The network's output for one LQ, uint8 ``[T,H,W,3]``; one frame of a network that restores the middle one."""
    frames = torch.from_numpy(np.ascontiguousarray(_levels(pair.lq))).movedim(-1, -3).float() / 255
    out = restorer.tensor(frames if restorer.traits.kind == "image" else frames[None])
    out = out[0] if out.ndim == 5 else out
    return (out.clamp(0, 1) * 255).round().byte().movedim(-3, -1).numpy()


def _levels(clip: Any) -> Any:
    return (clip >> 8).astype(np.uint8) if clip.dtype == np.uint16 else clip


def _write(path: Path, lq: Any, out: Any, gt: Any) -> None:
    h, w = gt.shape[:2]
    large = cv2.resize(_levels(lq), (w, h), interpolation=cv2.INTER_NEAREST)
    path.parent.mkdir(parents=True, exist_ok=True)
    ok, data = cv2.imencode(".png", np.concatenate((large, out, _levels(gt)), axis=1)[..., ::-1])
    assert ok
    path.write_bytes(data.tobytes())
