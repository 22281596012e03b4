"""Whole pairs on the page: one picture walked through its plan, and many plans for one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from degradekit.describe import caption
from degradekit.page import Group, Picture, Section
from degradekit.plan import Plan
from degradekit.preview.source import Example
from degradekit.preview.view import FRAMES, View, busiest, eight_bit
from degradekit.recipe import Recipe
from degradekit.steps import unfold
from degradekit.types import Array, Geometry
from degradekit.walk import Stage, walk

__all__ = ["SIDE", "branches_section", "reduced", "stage_pictures", "view_title", "walks_section"]

SIDE, TILE = 96, 192
"""Side of the part of the GT that is shown in px, and the width at which every stage of it is shown."""
BRANCHES, SMALL = 11, 200


def walks_section(recipe: Recipe, examples: Sequence[Example]) -> Section:
    """Every example from its GT to its LQ, one picture a step."""
    groups = []
    for example in examples:
        plan = recipe.draw(key=example.key, geometry=Geometry(*example.hr.shape))
        gt = plan.make_gt(example.hr)
        view = busiest(gt, SIDE)
        groups.append(Group(view_title(example.key, gt, view), list(stage_pictures(plan, example.hr, gt, view))))
    return Section(
        "walk",
        "Step by step",
        "One part of each picture after every step, from left to right, always enlarged to the same size: a pixel that "
        "looks larger is larger. The numbers are the ones that were drawn, and a build with this seed draws them too.",
        groups,
    )


def stage_pictures(plan: Plan, hr: Array | None, gt: Array, view: View) -> Iterator[Picture]:
    """HR where it differs from the GT, the GT, and the picture after every step; the last one is the LQ.

    Args:
        plan: What was drawn.
        hr: HR crop, or None where only the GT is known. It is left out where pixels move on the way to the GT: the
            part that is shown would be another one.
        gt: GT as stored.
        view: Which part is shown.
    """
    still = not any(step.draw.moves_only for step in plan.target)
    made = [f"{step.at}: {', '.join(caption(step)[1])}" for step in unfold(plan.target)]
    if hr is not None and plan.target and still:
        yield Picture(view.of(hr), "HR, before any step", "HR", (_size(hr),), TILE)
    how = f"GT, as it is stored, made from the HR crop by {'; '.join(made)}" if made else "GT, as it is stored"
    yield Picture(view.of(gt), how, "GT", (*made, _size(gt)), TILE)
    before = gt
    for number, stage in enumerate(walk(plan.degrade, gt), 1):
        yield _stage(stage, before, view, number=number, of=len(plan.degrade))
        before = stage.pixels


def branches_section(recipe: Recipe, example: Example) -> Section:
    """One GT and what several plans make of it."""
    g = Geometry(*example.hr.shape)
    plans = [recipe.draw(key=example.key, geometry=g, variant=variant) for variant in range(BRANCHES)]
    gt = plans[0].make_gt(example.hr)
    figures = [Picture(reduced(gt, SMALL), "The GT", "GT", (_size(gt),), SMALL)]
    for plan in plans:
        lq = plan.make_lq(gt)
        lines = tuple(f"{where}: {', '.join(words)}" for where, words in map(caption, unfold(plan.degrade)))
        alt = f"LQ of variant {plan.variant}: " + "; ".join(lines)
        figures.append(Picture(reduced(lq, SMALL), alt, f"variant {plan.variant}", lines, SMALL))
    return Section(
        "branches",
        "Other draws for the same picture",
        f"What the recipe makes of {example.key} with other random numbers, as further variants of a build.",
        [Group("", figures)],
    )


def _stage(stage: Stage, before: Array, view: View, *, number: int, of: int) -> Picture:
    step, lines = stage.step, stage.lines
    h, w = stage.pixels.shape[1:3]
    if (h, w) != before.shape[1:3] and f"{h}x{w}" not in lines:
        lines = (*lines, _size(stage.pixels))
    alt = f"After step {number} of {of}, {step.at}: {', '.join(lines)}"
    last = number == of
    title = f"{number}  {step.at}" + (f" = LQ, {_size(stage.pixels)}" if last else "")
    return Picture(view.of(stage.pixels), f"{alt}; this is the LQ as stored" if last else alt, title, lines, TILE)


def view_title(key: str, gt: Array, view: View) -> str:
    """Key, and which part of the GT is shown."""
    h, w = gt.shape[1:3]
    frames = f", {min(len(gt), FRAMES)} of {len(gt)} frames" if len(gt) > 1 else ""
    side = round(view.height * h), round(view.width * w)
    if side == (h, w):
        return f"{key}: all of its {h}x{w} px{frames}"
    at = f"row {round(view.top * h)}, column {round(view.left * w)}"
    return f"{key}: {side[0]}x{side[1]} px of {h}x{w} at {at}{frames}"


def _size(clip: Array) -> str:
    return f"{clip.shape[1]}x{clip.shape[2]} px"


def reduced(clip: Array, width: int) -> Array:
    """The whole picture, 8 bit, reduced to ``width`` px where it is wider; the first frames of a clip."""
    shown = eight_bit(clip[:FRAMES])
    h, w = shown.shape[1:3]
    if w <= width:
        return shown
    size = (width, max(1, round(h * width / w)))
    return np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in shown])
