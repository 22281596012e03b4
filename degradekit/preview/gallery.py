"""Galleries: the kernels and the noise of sampled plans, found by what steps do rather than by their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from itertools import islice

import numpy as np

from degradekit.describe import caption
from degradekit.graph import place
from degradekit.ops.base import Draw
from degradekit.ops.kernels import effective_sigma
from degradekit.page import Group, Picture, Section
from degradekit.plan import Plan
from degradekit.recipe import Recipe, probe_geometry
from degradekit.steps import BlendDraw, Step, unfold
from degradekit.types import Array, Geometry

__all__ = ["kernel_of", "kernels_section", "noise_section", "residual"]

SIDE = 97
"""Side of the dark picture with one bright pixel: longer than any kernel that is usual."""
KERNELS, PLANS, EACH = 40, 200, 4
RAMP = (64, 256)
CONTRAST = 4


def kernels_section(recipe: Recipe) -> Section | None:
    """The kernels of sampled plans with the width that they really have; None where no step is a convolution."""
    found: list[tuple[str, Step, Array]] = []
    refused: set[str] = set()
    for key, step in _steps(recipe):
        if len(found) == KERNELS:
            break
        if step.draw.name in refused:
            continue
        kernel = kernel_of(step.draw)
        if kernel is None:
            refused.add(step.draw.name)
        elif np.count_nonzero(np.abs(kernel) > 1e-5 * np.abs(kernel).max()) > 1:
            found.append((key, step, kernel))
    if not found:
        return None
    side = max(_reach(kernel) for _, _, kernel in found) * 2 + 1
    pictures = [_kernel_picture(step, kernel, side) for _, step, kernel in found]
    return Section(
        "kernels",
        "Kernels",
        "What a single bright pixel becomes in sampled plans, all at one scale. Brighter is more; negative weights, "
        "which ring, are orange, and their sum is named. The effective width is the standard deviation of what is "
        "left after the kernel was cut to its size.",
        [Group(f"{len(pictures)} kernels of {side}x{side} px", pictures)],
    )


def kernel_of(draw: Draw) -> Array | None:
    """The convolution kernel of a step, or None where the step is no convolution.

    It is one when a pixel half as bright at another place makes the same spot half as bright there, in all channels.

    Returns:
        float64 ``[97, 97]`` with unit sum.

    Example:
        >>> from degradekit.ops.gaussian_blur import GaussianBlurDraw
        >>> kernel = kernel_of(GaussianBlurDraw(7, 3.0, 3.0, 0.0))
        >>> round(effective_sigma(kernel), 2)
        1.84
    """
    g = Geometry(1, SIDE, SIDE)
    if isinstance(draw, BlendDraw) or draw.moves_only or draw.out_geometry(g).size != g.size:
        return None
    middle = SIDE // 2
    spot, shifted = _response(draw, middle, middle, 1.0), _response(draw, middle + 3, middle - 2, 0.5)
    # A kernel ends before the border; what changes pixels there, as contrast does, looks at the whole picture.
    if spot[0].any() or not np.allclose(spot, spot[..., :1], atol=1e-6):
        return None
    moved = np.roll(spot, (3, -2), axis=(0, 1)) / 2
    inner = slice(5, -5)
    if not np.allclose(moved[inner, inner], shifted[inner, inner], atol=1e-5):
        return None
    kernel = spot[..., 0].astype(np.float64)
    total = float(kernel.sum())
    return kernel / total if abs(total - 1) < 0.05 else None


def noise_section(recipe: Recipe) -> Section | None:
    """What the random steps of sampled plans add to a grey ramp; None where none adds anything."""
    found: dict[str, list[Picture]] = {}
    for _, step in _steps(recipe):
        title = f"{place(step.at)}: {step.draw.name}"
        if len(found.get(title, ())) < EACH:
            added = residual(step.draw)
            if added is not None:
                found.setdefault(title, []).append(_noise_picture(step, added))
    note = (
        f"What is added to a ramp from black at the left to white at the right, {CONTRAST} times as strong. "
        "Sigma is in levels of 255, in the dark, the middle and the light third."
    )
    groups = [Group(title, pictures) for title, pictures in found.items()]
    return Section("noise", "Noise", note, groups) if groups else None


def residual(draw: Draw) -> Array | None:
    """What a step with a random field adds to a ramp of all 256 greys.

    Returns:
        float32 ``[64, 256, 3]``, or None where the step has no field, or adds no noise.
    """
    names = (getattr(draw, f.name) for f in fields(draw))
    if isinstance(draw, BlendDraw) or not any(isinstance(name, str) and len(name) == 32 for name in names):
        return None
    g = Geometry(1, *RAMP)
    if draw.out_geometry(g).size != g.size:
        return None
    levels = np.linspace(0, 1, RAMP[1], dtype=np.float32)[:, None]
    ramp = np.ascontiguousarray(np.broadcast_to(levels, (1, *RAMP, 3)))
    added = draw.apply(ramp)[0] - ramp[0]
    # Blurs leave the middle of a ramp as it is; what changes there in one row otherwise than in another is noise.
    middle = added[:, RAMP[1] // 3 : 2 * RAMP[1] // 3]
    return added if float(middle.std(axis=0).max()) > 0.25 / 255 else None


def _steps(recipe: Recipe) -> Iterator[tuple[str, Step]]:
    geometry = probe_geometry(recipe)
    plans: Iterator[Plan] = (recipe.draw(key=f"gallery#{i}", geometry=geometry) for i in range(PLANS))
    return ((plan.key, step) for plan in plans for step in unfold(plan.target + plan.degrade))


def _response(draw: Draw, y: int, x: int, level: float) -> Array:
    picture = np.zeros((1, SIDE, SIDE, 3), np.float32)
    picture[0, y, x] = level
    spot: Array = draw.apply(picture)[0]
    return spot


def _reach(kernel: Array) -> int:
    y, x = np.nonzero(np.abs(kernel) > 1e-3 * np.abs(kernel).max())
    return int(max(abs(y - SIDE // 2).max(), abs(x - SIDE // 2).max()))


def _kernel_picture(step: Step, kernel: Array, side: int) -> Picture:
    first = SIDE // 2 - side // 2
    part = kernel[first : first + side, first : first + side]
    share = np.sqrt(np.abs(part) / np.abs(part).max())[..., None]
    dark = np.array((16, 18, 22))
    ink = np.where(part[..., None] < 0, np.array((240, 140, 60)), np.array((255, 255, 255)))
    pixels = np.rint(dark + (ink - dark) * share).astype(np.uint8)[None]
    negative = -float(part[part < 0].sum())
    width = effective_sigma(kernel)
    lines = [f"effective {width:.2f} px" if width else "no width: it rings"]
    if negative > 0.0005:
        lines.append(f"negative {negative:.1%}")
    where, words = caption(step)
    lines += words
    return Picture(pixels, f"Kernel of {where}: {', '.join(lines)}", where, tuple(lines), 112)


def _noise_picture(step: Step, added: Array) -> Picture:
    pixels = np.clip(128 + 255 * CONTRAST * added, 0, 255).astype(np.uint8)[None]
    thirds = np.array_split(added, 3, axis=1)
    sigmas = " / ".join(f"{255 * float(third.std(axis=0).mean()):.1f}" for third in thirds)
    words = list(islice(caption(step)[1], 5))
    line = f"sigma {sigmas}"
    alt = f"{step.draw.name} on dark, middle and light grey, {line} levels: {', '.join(words)}"
    return Picture(pixels, alt, line, tuple(words), RAMP[1])
