"""Plans and pairs in words: the same lines in ``inspect``, ``build --dry-run``, ``recipe show`` and contact sheets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from degradekit.graph import Step, place
from degradekit.ops.base import Draw
from degradekit.plan import Plan
from degradekit.steps import unfold
from degradekit.table import align
from degradekit.types import Affine, Geometry, Record, Scalar

__all__ = [
    "caption",
    "describe_alignment",
    "describe_plan",
    "describe_record",
    "describe_step",
    "number",
    "parameters",
    "record_json",
]


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
    frames = f", {gt.t} frames" if gt.t > 1 else ""
    return [
        f"HR {plan.hr[1]}x{plan.hr[2]}{frames} -> GT {gt.h}x{gt.w}",
        *_steps(plan.target, Geometry(*plan.hr)),
        f"GT {gt.h}x{gt.w} -> LQ {lq.h}x{lq.w}",
        *_steps(plan.degrade, start),
    ]


def describe_alignment(grid: Affine) -> str:
    """Where an LQ pixel looks in the GT, in words.

    Example:
        >>> describe_alignment((4.0, 0.0, 1.5, 0.0, 4.0, 1.5))
        'LQ pixel (x, y) shows GT (4 x + 1.5, 4 y + 1.5)'
    """
    a, b, c, d, e, f = grid
    return f"LQ pixel (x, y) shows GT ({_linear(a, b, c)}, {_linear(d, e, f)})"


def describe_record(record: Record) -> list[str]:
    """A stored pair in words: where it comes from, how it is stored, and its plan, if it has one, step by step."""
    plan = Plan.from_json(record.plan) if record.plan else None
    facts = _source_facts(record.meta)
    images = [
        (name, f"{_shape(image.shape)} {image.dtype}, {len(image.data) / 1000:.1f} kB {image.codec}")
        for name, image in (("GT", record.gt), ("LQ", record.lq))
    ]
    grid = [("alignment", describe_alignment(plan.alignment))] if plan else []
    steps = describe_plan(plan) if plan else ["imported: no plan says how the LQ was made"]
    return [f"{record.key}, variant {record.variant}", *align([*facts, *images, *grid]), *steps]


def record_json(record: Record) -> dict[str, Any]:
    """A stored pair as JSON values, without its pixels."""
    images = {
        name: {"shape": image.shape, "dtype": image.dtype, "codec": image.codec, "bytes": len(image.data)}
        for name, image in (("gt", record.gt), ("lq", record.lq))
    }
    return {
        "index": record.index,
        "key": record.key,
        "variant": record.variant,
        "meta": record.meta,
        **images,
        "alignment": Plan.from_json(record.plan).alignment if record.plan else None,
        "columns": record.columns,
        "plan": json.loads(record.plan) if record.plan else None,
    }


def caption(step: Step) -> tuple[str, list[str]]:
    """A step in the space of a caption: its place, and its op and numbers as phrases that belong on one line each.

    What is off or 0 is left out, and so are a number that repeats the one before it (``sigma_y`` of a round blur) and
    an op that its place names (``jpeg`` at ``jpeg1``).
    """
    where = place(step.at)
    named = re.sub(r"[\d\[\]]+$", "", where.rpartition(".")[2]) == step.draw.name
    phrases = [] if named else [step.draw.name]
    shown = parameters(step.draw)
    if "h" in shown and "w" in shown:
        phrases.append(f"{shown.pop('h')}x{shown.pop('w')}")
    before = ""
    for name, value in shown.items():
        if isinstance(getattr(step.draw, name), str):
            phrases.append(value)
        elif value not in ("no", "0", before):
            phrases.append(name if value == "yes" else f"{name} {value}")
        before = value
    return where, phrases or ["none"]


def _source_facts(meta: Mapping[str, Scalar]) -> list[tuple[str, str]]:
    """Source and window on a line each; facts that are not known here on lines of their own."""
    rest = dict(meta)
    rows = []
    if {"source", "source_h", "source_w"} <= rest.keys():
        rows.append(("source", f"{rest.pop('source')}, {rest.pop('source_h')}x{rest.pop('source_w')} px"))
    if {"y", "x", "h", "w"} <= rest.keys():
        y, x, h, w = (rest.pop(name) for name in ("y", "x", "h", "w"))
        rows.append(("window", f"{h}x{w} px at row {y}, column {x}"))
    return [*rows, *((name, number(value)) for name, value in rest.items())]


def _shape(shape: tuple[int, ...]) -> str:
    """``5x64x64x3`` of a clip, ``64x64x3`` of an image."""
    return "x".join(map(str, shape[1:] if shape[0] == 1 else shape))


def _linear(x: float, y: float, offset: float) -> str:
    """``4 x + 1.5`` from the coefficients of x, y and 1; what is 0 is left out."""
    terms = [f"{factor:.6g} {name}" for factor, name in ((x, "x"), (y, "y")) if abs(factor) > 1e-9]
    if abs(offset) > 1e-9 or not terms:
        terms.append(f"{offset:.6g}")
    return " + ".join(terms).replace("+ -", "- ")


def _steps(steps: Sequence[Step], g: Geometry) -> list[str]:
    if not steps:
        return ["  (no steps)"]
    rows = []
    for i, step in enumerate(unfold(steps), 1):
        rows.append((f"{i:2d}", *describe_step(step, g)))
        g = step.draw.out_geometry(g)
    return align(rows)
