"""What a plan promises about its pixels: the numbers that can be measured again, where the steps let them be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from degradekit.ops.gaussian_blur import GaussianBlurDraw
from degradekit.ops.gaussian_noise import GaussianNoiseDraw
from degradekit.ops.jpeg import JpegDraw
from degradekit.plan import Plan
from degradekit.steps import Step, unfold
from degradekit.types import Geometry

__all__ = ["claims"]

_LUMA_SHARE = {"independent": math.sqrt(0.299**2 + 0.587**2 + 0.114**2), "grey": 1.0}
_CLEAR = frozenset({"resize", "flip", "gaussian_noise", "jpeg"})
"""Ops beside which one Gaussian blur can still be measured."""
FINE_JPEG = 85
"""A JPEG of at least this quality after the noise leaves it as strong as it was."""


def claims(plan: Plan) -> dict[str, float]:
    """Numbers that the estimators of ``measure`` ought to find.

    Returns:
        ``jpeg``: quality, where a JPEG is the last step. ``noise``: levels of Y, where Gaussian noise is the only noise
        and at most a fine JPEG comes after it. ``blur``: LQ px, where one Gaussian blur, whole in its kernel, is all
        that blurs.
    """
    steps = tuple(unfold(plan.degrade))
    out: dict[str, float] = {}
    if steps and isinstance(last := steps[-1].draw, JpegDraw) and not isinstance(last.quality, tuple):
        out["jpeg"] = float(last.quality)
    if (noise := _noise(steps)) is not None:
        out["noise"] = noise
    if (blur := _blur(plan, steps)) is not None:
        out["blur"] = blur
    return out


def _noise(steps: Sequence[Step]) -> float | None:
    noisy = [i for i, step in enumerate(steps) if "noise" in step.draw.name]
    if len(noisy) != 1:
        return None
    draw = steps[noisy[0]].draw
    if not isinstance(draw, GaussianNoiseDraw) or isinstance(draw.sigma, tuple):
        return None
    for step in steps[noisy[0] + 1 :]:
        fine = isinstance(step.draw, JpegDraw) and not isinstance(step.draw.quality, tuple)
        if not fine or step.draw.quality < FINE_JPEG:  # type: ignore[attr-defined]
            return None
    share = _LUMA_SHARE.get(draw.correlation)
    return None if share is None else draw.sigma * 255 * share


def _blur(plan: Plan, steps: Sequence[Step]) -> float | None:
    blurs = [step.draw for step in steps if isinstance(step.draw, GaussianBlurDraw)]
    others = {step.draw.name for step in steps if not isinstance(step.draw, GaussianBlurDraw)}
    sizes = _sizes(plan, steps)
    if len(blurs) != 1 or others - _CLEAR or any(b > a for a, b in pairwise(sizes)):
        return None
    draw = blurs[0]
    if isinstance(draw.sigma_x, tuple) or isinstance(draw.sigma_y, tuple):
        return None
    if draw.size < 5 * max(draw.sigma_x, draw.sigma_y):
        return None
    at = next(i for i, step in enumerate(steps) if step.draw is draw)
    return math.sqrt((draw.sigma_x**2 + draw.sigma_y**2) / 2) * sizes[-1] / sizes[at]


def _sizes(plan: Plan, steps: Sequence[Step]) -> list[int]:
    """Height that arrives at each step, and the last one that leaves."""
    g = plan.gt_geometry
    g = Geometry(g.t, g.h, g.w, g.c)
    sizes = [g.h]
    for step in steps:
        g = step.draw.out_geometry(g)
        sizes.append(g.h)
    return sizes
