"""Applying determined steps to pixels: the only place where floats become integers, and where integers become floats
but for a first step that reads them itself.

``run`` works on numpy and is the definition; ``apply_batch`` degrades a batch on any device of torch, as far as the ops
have a torch form, and how equally they say themselves (:class:`degradekit.ops.base.Parity`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from degradekit.errors import DegradekitError, OpError
from degradekit.fields import divide_levels
from degradekit.graph import Step
from degradekit.jit import kernel
from degradekit.types import Array, FloatImage

if TYPE_CHECKING:
    from torch import Tensor

    from degradekit.ops.base import Draw
    from degradekit.plan import Plan

__all__ = ["apply_batch", "need_torch_forms", "quantise", "run", "to_float"]


def to_float(image: Array) -> FloatImage:
    """Integers to float32 in [0, 1].

    Args:
        image: uint8 or uint16, any shape.

    Example:
        >>> to_float(np.array([0, 51, 255], np.uint8)).tolist()
        [0.0, 0.20000000298023224, 1.0]
    """
    out = np.empty(image.shape, np.float32)
    _divide(np.ascontiguousarray(image).reshape(-1), np.float32(np.iinfo(image.dtype).max), out.reshape(-1))
    return out


def quantise(x: FloatImage, dtype: np.dtype[np.uint8] | np.dtype[np.uint16]) -> Array:
    """Float32 to integers: cut to [0, 1], then round to the nearest level (ties up). Happens once, at the end.

    Raises:
        OpError: A value is not a number.

    Example:
        >>> quantise(np.array([-0.1, 0.5, 0.2, 1.3], np.float32), np.dtype(np.uint8)).tolist()
        [0, 128, 51, 255]
    """
    out = np.empty(x.shape, dtype)
    if not _quantise(np.ascontiguousarray(x).reshape(-1), out.reshape(-1), np.float32(np.iinfo(dtype).max)):
        raise OpError("the image holds values that are not numbers (NaN) after its last step")
    return out


def take(step: Step, x: Array) -> Array:
    """One step of a run: integers stay as they are while pixels only move, and become float32 before anything else.

    Args:
        step: A determined step.
        x: uint8, uint16 or float32 ``[T, H, W, C]``.

    Raises:
        OpError: The step failed; the message names it.
    """
    try:
        if x.dtype.kind == "u" and not (step.draw.moves_only or step.draw.reads_levels):
            x = to_float(x)
        return step.draw.apply(x)
    except (DegradekitError, ValueError, ArithmeticError, IndexError, MemoryError) as error:
        raise OpError(f"step {step.at} ({step.draw.name}) failed on a clip of shape {x.shape}: {error}") from error


def run(steps: Sequence[Step], image: Array, seconds: dict[str, float] | None = None) -> Array:
    """Run steps on a stored clip and give back a stored clip of the same depth.

    Steps that only move pixels (crop, flip) work on the integers; from the first other step on it is float32, and
    rounding happens once, after the last.

    Args:
        steps: Determined steps.
        image: uint8 or uint16 ``[T, H, W, C]``.
        seconds: Where to add the CPU time of every op, under ``apply.<op>``; rounding counts for the last one.

    Raises:
        OpError: A step failed; the message names it.
    """
    x: Array = image
    start = time.process_time() if seconds is not None else 0.0
    for step in steps:
        x = take(step, x)
        if seconds is not None:
            start = _spent(seconds, step, start)
    stored = np.ascontiguousarray(x) if x.dtype.kind == "u" else quantise(x, image.dtype)
    if seconds is not None and steps:
        _spent(seconds, steps[-1], start)
    return stored


def _spent(seconds: dict[str, float], step: Step, start: float) -> float:
    """Add the CPU time since ``start`` to a step's; the time now. The clock is a system call and takes up to 3 us."""
    now, stage = time.process_time(), f"apply.{step.draw.name}"
    seconds[stage] = seconds.get(stage, 0.0) + now - start
    return now


def need_torch_forms(draws: Iterable[tuple[str, type[Draw]]]) -> None:
    """Refuse ops that cannot run on a device.

    Args:
        draws: Where each stands, and its kind.

    Raises:
        OpError: One of them has no torch form.
    """
    missing = {f"{name} (at {at})" for at, draw in draws if draw.parity is None for name in [draw.name]}
    if missing:
        raise OpError(
            f"{', '.join(sorted(missing))} cannot run on a device, having no torch form: degrade on CPU workers, or "
            "leave it out of the recipe"
        )


def apply_batch(plans: Sequence[Plan], gts: Tensor) -> Tensor:
    """Make the LQs of a batch on the device where its GTs are, each by its own plan.

    What ``plan.make_lq`` makes of each, up to the parity of its ops; a sample gets the same bits in any batch. Values
    that are no numbers, which ``make_lq`` refuses, are not looked for: that would wait for the device.

    Args:
        plans: One for each GT.
        gts: The whole stored GTs, uint8 or uint16 ``[N, C, H, W]``, of clips ``[N, T, C, H, W]``.

    Returns:
        The LQs, of the same type and number of axes.

    Raises:
        OpError: A GT is not of its plan's shape, an op has no torch form, a step failed, or sizes of LQs differ.

    Example:
        >>> import torch
        >>> from degradekit.recipe import load_recipe
        >>> from degradekit.types import Geometry
        >>> recipe = load_recipe("real_esrgan")
        >>> plans = [recipe.draw(key=key, geometry=Geometry(1, 64, 64)) for key in ("a.png", "b.png")]
        >>> apply_batch(plans, torch.full((2, 3, 64, 64), 128, dtype=torch.uint8)).shape
        torch.Size([2, 3, 16, 16])
    """
    import torch

    from degradekit.ops.device.numbers import exact, from_levels, to_levels

    clips = gts if gts.ndim == 5 else gts[:, None]
    if not plans or len(plans) != len(gts) or clips.ndim != 5 or gts.dtype not in (torch.uint8, torch.uint16):
        raise OpError(f"{len(plans)} plans meet GTs of {tuple(gts.shape)} {gts.dtype}; give one integer GT for each")
    for plan, clip in zip(plans, clips, strict=True):
        t, c, h, w = clip.shape
        if (t, h, w, c) != plan.gt_geometry.shape:
            raise OpError(f"plan {plan.key} makes a GT of shape {plan.gt_geometry.shape}, not {(t, h, w, c)}")
    need_torch_forms((step.at, type(step.draw)) for plan in plans for step in plan.degrade)
    with exact(gts.device):
        made = _run_together([plan.degrade for plan in plans], [from_levels(clip) for clip in clips])
        lqs = [to_levels(x, gts.dtype) for x in made]
    if len({lq.shape for lq in lqs}) > 1:
        raise OpError(f"LQs of {len({lq.shape for lq in lqs})} sizes are no batch; give plans of one size of LQ")
    return torch.stack(lqs) if gts.ndim == 5 else torch.stack(lqs)[:, 0]


def _run_together(chains: Sequence[Sequence[Step]], xs: Sequence[Tensor]) -> list[Tensor]:
    """Run chains of steps; clips that come to the same op meanwhile go through it together.

    The clip with most steps left moves on, so that those ahead of it wait where they can be joined.
    """
    made, left = list(xs), [list(reversed(chain)) for chain in chains]
    while any(left):
        last = max(left, key=len)[-1]
        group = [i for i, steps in enumerate(left) if steps and type(steps[-1].draw) is type(last.draw)]
        steps = [left[i].pop() for i in group]
        try:
            outputs = type(last.draw).apply_group([step.draw for step in steps], [made[i] for i in group])
        except (DegradekitError, ValueError, RuntimeError) as error:
            raise OpError(f"step {last.at} ({last.draw.name}) failed on {made[group[0]].device}: {error}") from error
        for i, output in zip(group, outputs, strict=True):
            made[i] = output
    return made


@kernel
def _divide(levels, top, out):  # type: ignore[no-untyped-def]
    divide_levels(levels, top, out)


@kernel
def _quantise(x, out, top):  # type: ignore[no-untyped-def]
    """Cut, round and cast in one pass; False when something is not a number."""
    bad = 0
    for i in range(x.size):
        value = x[i]
        bad += value != value  # noqa: PLR0124 - only NaN differs from itself
        out[i] = min(max(value * top + np.float32(0.5), np.float32(0.0)), top)
    return bad == 0
