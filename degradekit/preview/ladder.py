"""Ladders: every op of a recipe at five places of its ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from degradekit.apply import quantise, to_float
from degradekit.describe import number
from degradekit.dist import Const, Dist, Pick
from degradekit.dist.quantile import quantile
from degradekit.errors import DegradekitError
from degradekit.graph import leaves
from degradekit.ops.base import Draw, Op
from degradekit.page import Group, Picture, Section
from degradekit.preview.view import busiest, eight_bit
from degradekit.recipe import Recipe
from degradekit.rng import Draws
from degradekit.steps import Mask
from degradekit.types import Array, Geometry

__all__ = ["RUNGS", "ladder_section", "moving", "quality_section", "rung"]

RUNGS = (("min", 0.0), ("25 %", 0.25), ("median", 0.5), ("75 %", 0.75), ("max", 1.0))
SIDE, TILE = 96, 192
QUALITIES = 11
OPEN = 4


def ladder_section(recipe: Recipe, gt: Array) -> Section:
    """Five pictures for each op, all its ranges at the same quantile."""
    clip = busiest(gt, SIDE).of(gt)
    groups: list[Group] = []
    for paths, op in sorted(_distinct(recipe), key=lambda found: not moving(found[1])):
        ranges = moving(op)
        title = f"{paths[0]}: {op.name}" + (f" (also at {', '.join(paths[1:])})" if len(paths) > 1 else "")
        rungs = RUNGS if ranges else (("always", 0.5),)
        try:
            figures = [_picture(recipe, op, paths[0], clip, name, q) for name, q in rungs]
        except DegradekitError as error:
            groups.append(Group(title, note=f"Not shown on a part of {SIDE} px: {error}", folded=True))
            continue
        groups.append(Group(title, figures, folded=len(groups) >= OPEN))
    return Section(
        "ladder",
        "Each op from end to end",
        "Every op alone on one part of a GT, with all of its ranges at their smallest value, at 25 %, at the median, "
        "at 75 % and at their largest value; of a clip, its last frame. Words are at their most likely one.",
        groups,
    )


def moving(op: Op) -> dict[str, Dist]:
    """The ranges of an op that are more than one number."""
    numbers = ((name, getattr(op, name)) for name in type(op).model_fields)
    return {name: d for name, d in numbers if isinstance(d, Dist) and d.support()[0] < d.support()[1]}


def rung(op: Op, q: float) -> Op:
    """The op with every range at its quantile ``q``, and every word at its most likely one.

    Example:
        >>> from degradekit.ops.jpeg import Jpeg
        >>> rung(Jpeg.model_validate({"quality_range": [30, 90]}), 0.25).quality_range
        Const(over_time='hold', value=45.0)
    """
    settled: dict[str, Any] = {name: Const(quantile(dist, q)) for name, dist in moving(op).items()}
    for name in type(op).model_fields:
        value = getattr(op, name)
        if isinstance(value, Pick):
            settled[name] = Pick((value.words[int(np.argmax(value.p))] if value.p else value.words[0],))
    return op.model_copy(update=settled)


def quality_section(recipe: Recipe, gt: Array) -> Section | None:
    """Every still-image codec at eleven qualities over its range; None where the recipe has none."""
    clip = busiest(gt, 64).of(gt[:1])
    kinds: dict[str, list[tuple[str, Op]]] = {}
    for paths, op in _distinct(recipe):
        if isinstance(getattr(op, "quality_range", None), Dist):
            kinds.setdefault(op.name, []).append((paths[0], op))
    groups = []
    for name, found in kinds.items():
        ends = [op.quality_range.support() for _, op in found]  # type: ignore[attr-defined]
        at, op = found[0]
        low, high = min(lo for lo, _ in ends), max(hi for _, hi in ends)
        figures = [
            _coded(recipe, rung(op, 0.5).model_copy(update={"quality_range": Const(q)}), at, clip)
            for q in _values(low, high)
        ]
        original = Picture(eight_bit(clip), "Before the codec", "before", (), TILE)
        groups.append(Group(f"{name}, quality {number(low)} to {number(high)}", [original, *figures]))
    note = "64 px of a GT, three times enlarged, over the whole range of quality that the recipe has for each codec."
    return Section("quality", "Compression", note, groups) if groups else None


def _values(low: float, high: float) -> list[float]:
    steps = QUALITIES if high > low else 1
    return [float(round(value)) for value in np.linspace(low, high, steps)]


def _coded(recipe: Recipe, op: Op, at: str, clip: Array) -> Picture:
    draw, coded = _applied(recipe, op, at, clip)
    error = float(np.mean((coded.astype(np.float64) - clip) ** 2))
    psnr = f"{10 * np.log10(255**2 / error):.1f} dB" if error else "no error"
    shown = f"quality {number(getattr(draw, 'quality', op.quality_range.support()[0]))}"  # type: ignore[attr-defined]
    return Picture(eight_bit(coded), f"{op.name} at {shown}: {psnr}", shown, (psnr,), TILE)


def _picture(recipe: Recipe, op: Op, at: str, clip: Array, name: str, q: float) -> Picture:
    settled = rung(op, q)
    draw, after = _applied(recipe, settled, at, clip)
    lines = [f"{label} {value}" for label, value in _values_of(settled, draw, moving(op))]
    if after.shape[1:3] != clip.shape[1:3]:
        lines.append(f"{after.shape[1]}x{after.shape[2]} px")
    alt = f"{op.name} at {name} of its ranges: {', '.join(lines) or 'its only setting'}"
    return Picture(eight_bit(after[-1:]), alt, name, tuple(lines), TILE)


def _values_of(op: Op, draw: Draw, ranges: dict[str, Dist]) -> Iterator[tuple[str, str]]:
    for name in ranges:
        label = name.removesuffix("_range")
        yield label, number(getattr(draw, label, getattr(op, name).support()[0]))


def _applied(recipe: Recipe, op: Op, at: str, clip: Array) -> tuple[Draw, Array]:
    t, h, w, c = clip.shape
    target = (max(1, h // recipe.scale), max(1, w // recipe.scale))
    draw = op.draw(Draws(recipe.seed, at), Geometry(t, h, w, c, target=target))
    x = clip if draw.moves_only else to_float(clip)
    y = draw.apply(x)
    return draw, y if y.dtype.kind == "u" else quantise(y, clip.dtype)


def _distinct(recipe: Recipe) -> list[tuple[list[str], Op]]:
    """Every op of the recipe with all places that have it with the same ranges."""
    found: list[tuple[list[str], Op]] = []
    for tree in (recipe.to_gt, recipe.to_lq):
        for at, op in leaves(tree):
            if isinstance(op, Mask):
                continue
            same = next((paths for paths, known in found if known == op), None)
            if same is None:
                found.append(([at], op))
            elif at not in same:
                same.append(at)
    return found
