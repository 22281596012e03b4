"""Applying determined steps to pixels: the only place where stored integers become floats and floats integers."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from degradekit.errors import DegradekitError, OpError
from degradekit.fields import fma
from degradekit.graph import Step
from degradekit.jit import kernel
from degradekit.types import Array, FloatImage

__all__ = ["quantise", "run", "to_float"]


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
        if x.dtype.kind == "u" and not step.draw.moves_only:
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
    for step in steps:
        start = time.process_time()
        x = take(step, x)
        if seconds is not None:
            stage = f"apply.{step.draw.name}"
            seconds[stage] = seconds.get(stage, 0.0) + time.process_time() - start
    start = time.process_time()
    stored = np.ascontiguousarray(x) if x.dtype.kind == "u" else quantise(x, image.dtype)
    if seconds is not None and steps:
        seconds[stage] += time.process_time() - start
    return stored


@kernel
def _divide(levels, top, out):  # type: ignore[no-untyped-def]
    """levels / top, correctly rounded: a product and one Newton step, half the time of a division."""
    inverse = np.float32(1.0) / top
    for i in range(levels.size):
        level = np.float32(levels[i])
        near = level * inverse
        out[i] = fma(fma(-near, top, level), inverse, near)


@kernel
def _quantise(x, out, top):  # type: ignore[no-untyped-def]
    """Cut, round and cast in one pass; False when something is not a number."""
    bad = 0
    for i in range(x.size):
        value = x[i]
        bad += value != value  # noqa: PLR0124 - only NaN differs from itself
        out[i] = min(max(value * top + np.float32(0.5), np.float32(0.0)), top)
    return bad == 0
