"""What a clip says beyond its middle frame: do its frames move, belong together, and lie where they should?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from degradekit.audit.shift import measure_shift
from degradekit.types import Array

__all__ = [
    "CLIP_MEASURES",
    "FRAMES",
    "doubtful_clip",
    "foreign",
    "frozen",
    "jumping",
    "lagging",
    "looked_at",
    "measure_clip",
]

FRAMES = 5
"""Frames of a clip that are aligned at most: the first, the last, the middle one, and some between."""
JITTER, SIGMAS = 1.5, 8.0
"""A frame jumps that lies so many GT px beside the others, and so many of its standard errors."""
MOVING = 1.0
"""Levels by which a reduced GT frame differs from the one before on average where something moves."""
LAG_GAIN = 1.5
"""An LQ frame shows a neighbour of its GT frame if that one's squared error is smaller by this factor."""
FEATURES = 16.0
"""Standard deviation in levels of a reduced GT frame that has something to be aligned by."""
FIT = 0.45
"""Correlation after alignment below which a frame shows another picture; the clip's best frame has to have ``GOOD``."""
GOOD = 0.7

CLIP_MEASURES: dict[str, str] = {
    "frames": "frames of the clip, 1 for an image",
    "gt_still": "share of GT frames that equal the one before, pixel for pixel; NaN for an image",
    "lq_still": "share of LQ frames that equal the one before although the GT moves; NaN where it does not",
    "lag": "frames by which the GT frame lies ahead that the middle LQ frame shows best: -1, 0 or 1",
    "lag_gain": "squared error of the middle LQ frame against its own GT frame over that against the best one",
    "jitter": "GT px; largest distance of a frame's shift from the median shift of the clip's frames",
    "jitter_sigma": "GT px; standard error of that frame's shift",
    "frame_fit": "lowest correlation after alignment among these frames, 0 where there is none",
    "frame_best": "highest of them",
}
"""Numbers that are measured on clips, with unit and meaning; NaN for images but for ``frames``."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def looked_at(frames: int) -> list[int]:
    """Frames of a clip that are aligned.

    Example:
        >>> looked_at(3), looked_at(15)
        ([0, 1, 2], [0, 4, 7, 10, 14])
    """
    found: list[int] = np.unique(np.linspace(0, frames - 1, min(FRAMES, frames)).round().astype(int)).tolist()
    return found


def doubtful_clip(values: Mapping[str, Any]) -> Any:
    """Whether a clip's frames stand still, lag, jump, or show another picture; of numbers as of arrays.

    Args:
        values: Measured numbers by name.
    """
    return frozen(values) | lagging(values) | jumping(values) | foreign(values)


def frozen(values: Mapping[str, Any]) -> Any:
    """More than half of the LQ's frames repeat the one before while the GT moves."""
    return values["lq_still"] > 0.5


def lagging(values: Mapping[str, Any]) -> Any:
    """The LQ shows the GT of another moment."""
    return (values["lag"] != 0) & (values["lag_gain"] > LAG_GAIN)


def jumping(values: Mapping[str, Any]) -> Any:
    """One frame lies beside the others."""
    return (values["jitter"] > JITTER) & (values["jitter"] > SIGMAS * values["jitter_sigma"])


def foreign(values: Mapping[str, Any]) -> Any:
    """A frame of the LQ shows another picture than its GT, and others do not."""
    return (values["frame_fit"] < FIT) & (values["frame_best"] > GOOD)


def measure_clip(gt: Array, lq: Array, scale: int) -> dict[str, float]:
    """Measure what single frames cannot tell; at most ``FRAMES`` frames are aligned, whatever the clip's length.

    Args:
        gt: Stored clip ``[T, H, W, C]``.
        lq: Stored clip ``[T, H / scale, W / scale, C]``.
        scale: GT side / LQ side.

    Returns:
        The numbers of ``CLIP_MEASURES`` that there are; of an image ``frames`` alone.
    """
    frames = min(len(gt), len(lq))
    values = {"frames": float(frames)}
    if frames < 2:
        return values
    size = (lq.shape[2], lq.shape[1])
    gt_y, lq_y = (lambda t: _reduced(gt[t], size)), (lambda t: _luma(lq[t]))
    return values | _stillness(gt, lq, gt_y) | _lag(gt_y, lq_y, frames) | _alignment(gt_y, lq_y, frames, scale)


def _stillness(gt: Array, lq: Array, gt_y: Any) -> dict[str, float]:
    steps = range(1, min(len(gt), len(lq)))
    gt_same = [bool(np.array_equal(gt[t], gt[t - 1])) for t in steps]
    lq_same = [bool(np.array_equal(lq[t], lq[t - 1])) for t in steps]
    found = {"gt_still": float(np.mean(gt_same))}
    # Whether the GT moves is asked only where the LQ stands still: that is rare, and costs a reduction each.
    still = [t for t, same in zip(steps, lq_same, strict=True) if same][:FRAMES]
    moving = [bool(np.abs(gt_y(t) - gt_y(t - 1)).mean() > MOVING) for t in still]
    return found | {"lq_still": float(np.mean(lq_same)) * float(np.mean(moving)) if still else 0.0}


def _lag(gt_y: Any, lq_y: Any, frames: int) -> dict[str, float]:
    middle = frames // 2
    lq = cv2.GaussianBlur(lq_y(middle), (0, 0), 1.0)
    errors = {}
    for lag in (0, -1, 1):
        if 0 <= middle + lag < frames:
            smooth = cv2.GaussianBlur(gt_y(middle + lag), (0, 0), 1.0)
            errors[lag] = float(np.var(lq - smooth)) + 1.0
    best = min(errors, key=lambda lag: errors[lag])
    return {"lag": float(best), "lag_gain": errors[0] / errors[best]}


def _alignment(gt_y: Any, lq_y: Any, frames: int, scale: int) -> dict[str, float]:
    at = looked_at(frames)
    shifts = [measure_shift(gt_y(t), lq_y(t)) for t in at]
    found = [shift for shift in shifts if shift]
    if len(found) < 2:
        return {}
    x, y, sigma, fit = (np.array([shift[name] for shift in found]) for name in ("x", "y", "sigma", "fit"))
    lost = any(not shift and gt_y(t).std() > FEATURES for t, shift in zip(at, shifts, strict=True))
    away = np.hypot(x - np.median(x), y - np.median(y)) * scale
    worst = int(np.argmax(np.where(fit > GOOD, away, 0)))
    return {
        "jitter": float(away[worst]) if fit[worst] > GOOD else math.nan,
        "jitter_sigma": float(sigma[worst]) * scale,
        "frame_fit": 0.0 if lost else float(fit.min()),
        "frame_best": float(fit.max()),
    }


def _luma(frame: Array) -> Array:
    levels = frame.astype(np.float32) * np.float32(255 / 65535 if frame.dtype == np.uint16 else 1)
    y: Array = levels[..., 0] if levels.shape[2] == 1 else levels[..., :3] @ _LUMA
    return y


def _reduced(frame: Array, size: tuple[int, int]) -> Array:
    y: Array = cv2.resize(_luma(frame), size, interpolation=cv2.INTER_AREA)
    return y
