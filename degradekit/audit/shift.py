"""Where an LQ looks in its GT: the shift that aligns it with the reduced GT, and how well that is known."""

from __future__ import annotations

import math

import cv2
import numpy as np

from degradekit.types import Array

__all__ = ["measure_shift"]

SMOOTHING = 1.0
"""Sigma in px of the blur that both pictures get: noise in single px tells nothing of a shift."""
LARGEST = 8.0
"""Sigma in px of the largest blur that is believed."""
GRID = 4
"""Blocks per side that are left out in turn for the standard error."""
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)


def measure_shift(r: Array, lq: Array, blur: float = 0.0) -> dict[str, float]:
    """Align the reduced GT with the LQ.

    Args:
        r: Luma of the reduced GT, float32 ``[H, W]``.
        lq: Luma of the LQ, the same size.
        blur: Sigma in px by which the LQ is more blurred, as far as that is known; a sharp edge and a blurred one near
            a border do not lie at the same place.

    Returns:
        ``x`` and ``y``: where the LQ looks, right and down of where it should, in LQ px. ``sigma``: standard error of
        both. ``fit``: correlation once aligned. Nothing where the two have no structure in common.

    Source: Evangelidis, Psarakis, "Parametric image alignment using enhanced correlation coefficient maximization",
        TPAMI 30, 2008.

    Example:
        >>> y = cv2.GaussianBlur(np.random.default_rng(0).random((64, 66)).astype(np.float32) * 255, (0, 0), 2)
        >>> found = measure_shift(y[:, 1:65], y[:, 2:])
        >>> round(found["x"], 1), round(found["y"], 1), found["sigma"] < 0.1
        (1.0, 0.0, True)
    """
    known = min(blur, LARGEST) if blur > 0 else 0.0  # nor is what is not a number
    a = cv2.GaussianBlur(r, (0, 0), math.hypot(SMOOTHING, known))
    b = cv2.GaussianBlur(lq, (0, 0), SMOOTHING)
    if min(a.std(), b.std()) < 2:
        return {}
    try:
        fit, warp = cv2.findTransformECC(a, b, np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION, STOP, None, 1)
    except cv2.error:  # it did not converge
        return {}
    x, y = -float(warp[0, 2]), -float(warp[1, 2])
    moved = cv2.warpAffine(b, warp, b.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    margin = math.ceil(max(abs(x), abs(y)))
    inner = np.s_[margin : len(a) - margin, margin : a.shape[1] - margin]
    return {"x": x, "y": y, "sigma": _error(a[inner], moved[inner]), "fit": float(fit)}


def _error(a: Array, b: Array) -> float:
    """Larger standard error in px of a least-squares shift of ``a`` onto ``b``, which are aligned.

    What is left between the two is no white noise: blotches and blocks are as wide as edges, and blur errs at edges.
    So blocks of the picture are left out in turn, and how far the shift then moves is its error: the jackknife. A shift
    that one corner of the picture says alone is not known well.

    Source: Tukey, "Bias and confidence in not quite large samples", Annals of Mathematical Statistics 29, 1958.
    """
    if min(a.shape) < 4 * GRID:
        return math.inf
    a, b = a - a.mean(), b - b.mean()
    gain = float((a * b).sum()) / float((a * a).sum())
    if gain <= 0:
        return math.inf
    slopes: Array = np.stack(list(np.gradient(a)))
    known = _blocks(slopes[:, None] * slopes[None])
    scores = _blocks(slopes * (b / gain - a))
    rest = known.sum(axis=-1, keepdims=True) - known
    if np.linalg.cond(rest.transpose(2, 0, 1)).max() > 1e6:
        return math.inf
    moved = np.linalg.solve(rest.transpose(2, 0, 1), scores.T[..., None])[..., 0]
    moved -= moved.mean(axis=0)
    blocks = GRID * GRID
    return math.sqrt((blocks - 1) / blocks * float(np.linalg.eigvalsh(moved.T @ moved).max()))


def _blocks(values: Array) -> Array:
    """Sums over the blocks of a grid, ``[..., H, W]`` to ``[..., blocks]``."""
    h, w = (side - side % GRID for side in values.shape[-2:])
    grid = values[..., :h, :w].reshape(*values.shape[:-2], GRID, h // GRID, GRID, w // GRID)
    sums: Array = grid.sum(axis=(-3, -1), dtype=np.float64)
    return sums.reshape(*values.shape[:-2], GRID * GRID)
