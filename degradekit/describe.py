"""Plans in words: the same lines in ``inspect``, ``build --dry-run``, ``recipe show`` and on contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from degradekit.graph import Step, place
from degradekit.ops.base import Draw
from degradekit.plan import Plan
from degradekit.table import align
from degradekit.types import Geometry

__all__ = ["caption", "describe_plan", "describe_step", "number", "parameters"]


def number(value: Any) -> str:
    """One drawn value in four digits; a series over the frames as its range.

    Example:
        >>> number(0.123456), number(400), number((0.5, 2.0, 1.0)), number(True)
        ('0.1235', '400', '0.5..2 over 3 frames', 'yes')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple) and value and all(isinstance(item, int | float) for item in value):
        return f"{min(value):.4g}..{max(value):.4g} over {len(value)} frames"
    return str(value)


def parameters(draw: Draw) -> dict[str, str]:
    """The listed parameters of a step in words; noise keys and matrices are left to the JSON."""
    return {name: number(getattr(draw, name)) for name in type(draw).columns()}


def describe_step(step: Step, g: Geometry) -> tuple[str, str, str]:
    """Path, op and parameters of one step.

    Args:
        step: The step.
        g: Geometry that arrives; the new size is named where it changes.
    """
    after = step.draw.out_geometry(g)
    words = [f"{name} {value}" for name, value in parameters(step.draw).items()]
    if after.size != g.size:
        words.append(f"{g.h}x{g.w} -> {after.h}x{after.w}")
    return step.at, step.draw.name, ", ".join(words)


def describe_plan(plan: Plan) -> list[str]:
    """A plan step by step, one line each, in the order in which the steps run."""
    gt, lq = plan.gt_geometry, plan.lq_geometry
    start = Geometry(gt.t, gt.h, gt.w, gt.c, target=lq.size)
    return [
        f"HR {plan.hr[1]}x{plan.hr[2]} -> GT {gt.h}x{gt.w}",
        *_steps(plan.target, Geometry(*plan.hr)),
        f"GT {gt.h}x{gt.w} -> LQ {lq.h}x{lq.w}",
        *_steps(plan.degrade, start),
    ]


def caption(step: Step) -> str:
    """A step in the space of a caption: its place, op and numbers; what is off is left out.

    A parameter that repeats the one before it (``sigma_y`` of a round blur) is left out as well.
    """
    words = []
    before = ""
    for name, value in parameters(step.draw).items():
        if value not in ("no", before):
            words.append(name if value == "yes" else f"{name} {value}")
        before = value
    return " ".join([f"{place(step.at)}:", step.draw.name, *words])


def _steps(steps: Sequence[Step], g: Geometry) -> list[str]:
    if not steps:
        return ["  (no steps)"]
    rows = []
    for i, step in enumerate(steps, 1):
        rows.append((f"{i:2d}", *describe_step(step, g)))
        g = step.draw.out_geometry(g)
    return align(rows)
