"""A Plan says what did happen: the flat, complete list of determined steps that made one pair.

Two lists: ``target`` makes the GT from the HR crop, ``degrade`` makes the LQ from the *stored* GT, so that a replay
needs nothing but the shard.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from degradekit.apply import run
from degradekit.canonical import canonical_json
from degradekit.errors import OpError
from degradekit.graph import Node, Step, leaves, place
from degradekit.ops.base import IDENTITY_GRID
from degradekit.source import Points, mirrored, move_points
from degradekit.steps import BlendDraw, step_from_json, step_to_json, unfold
from degradekit.types import Affine, Array, FloatImage, Geometry, Scalar

__all__ = ["Plan", "column_types"]

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What was drawn for one pair.

    Args:
        recipe: Digest of the recipe.
        seed: Seed of the build.
        key: Sample key.
        variant: Which LQ of this GT.
        hr: (T, H, W, C) of the HR crop.
        target: Steps from HR to GT.
        degrade: Steps from GT to LQ.
        cuts: Frames of a clip with which a new scene begins; numbers were drawn anew there.
    """

    recipe: str
    seed: int
    key: str
    variant: int
    hr: tuple[int, int, int, int]
    target: tuple[Step, ...]
    degrade: tuple[Step, ...]
    cuts: tuple[int, ...] = ()

    @property
    def gt_geometry(self) -> Geometry:
        """Geometry of the GT."""
        return _walk(self.target, Geometry(*self.hr))

    @property
    def lq_geometry(self) -> Geometry:
        """Geometry of the LQ."""
        gt = self.gt_geometry
        return _walk(self.degrade, Geometry(gt.t, gt.h, gt.w, gt.c))

    @property
    def alignment(self) -> Affine:
        """Where an LQ pixel looks in the GT, composed from the steps: (a, b, c, d, e, f), centres at integers.

        A recipe without shift has a = e = scale and c = f = (scale - 1) / 2.
        """
        g, total = self.gt_geometry, IDENTITY_GRID
        g = Geometry(g.t, g.h, g.w, g.c)
        for step in self.degrade:
            total = _compose(total, step.draw.grid(g))
            g = step.draw.out_geometry(g)
        return total

    def move(self, points: Points) -> tuple[Points, Points]:
        """Where landmarks of the HR crop lie in GT and in LQ.

        They go through every step that moves pixels, by its grid; where a step mirrors the picture, left and right
        landmarks change their names.

        Args:
            points: Five or 68 landmarks in px of the HR crop; see :mod:`degradekit.source.landmarks`.

        Returns:
            The landmarks in px of the GT and of the LQ, which may lie outside of them.
        """
        out: list[Points] = []
        g = Geometry(*self.hr)
        for steps in (self.target, self.degrade):
            g = Geometry(g.t, g.h, g.w, g.c)
            for step in steps:
                grid = step.draw.grid(g)
                points = move_points(points, grid)
                if grid[0] * grid[4] < grid[1] * grid[3]:
                    points = mirrored(points)
                g = step.draw.out_geometry(g)
            out.append(points)
        return out[0], out[1]

    def make_gt(self, hr: Array, seconds: dict[str, float] | None = None) -> Array:
        """Make the GT from the HR crop, both uint8 or uint16 ``[T, H, W, C]``; ``seconds`` collects time by op."""
        if hr.shape != self.hr:
            raise OpError(f"plan {self.key} was drawn for an HR crop of shape {self.hr}, not {hr.shape}")
        return run(self.target, hr, seconds)

    def make_lq(self, gt: Array, seconds: dict[str, float] | None = None) -> Array:
        """Make the LQ from the stored GT, both uint8 or uint16 ``[T, H, W, C]``; bit for bit what the build stored."""
        g = self.gt_geometry
        if gt.shape != g.shape:
            raise OpError(f"plan {self.key} makes a GT of shape {g.shape}, not {gt.shape}")
        return run(self.degrade, gt, seconds)

    def apply(self, image: Array) -> tuple[Array, Array]:
        """Make (GT, LQ) from one HR image.

        Args:
            image: The HR crop, ``[H, W, C]`` or ``[T, H, W, C]``, uint8 or uint16.

        Returns:
            GT and LQ with as many axes as ``image``.
        """
        clip = image[None] if image.ndim == 3 else image
        gt = self.make_gt(clip)
        lq = self.make_lq(gt)
        return (gt[0], lq[0]) if image.ndim == 3 else (gt, lq)

    def columns(self) -> dict[str, Scalar]:
        """The parameters as typed columns: ``deg.<place>.<parameter>`` and ``gt.<place>.<parameter>``.

        A per-frame series shows its mean; the JSON keeps every frame. Each place also has ``.op``, the op that ran.
        """
        out: dict[str, Scalar] = {}
        for prefix, steps in (("gt", self.target), ("deg", self.degrade)):
            for step in unfold(steps):
                base = f"{prefix}.{place(step.at)}"
                out[f"{base}.op"] = step.draw.name
                for name, kind in type(step.draw).columns().items():
                    value = getattr(step.draw, name)
                    if kind == "float":
                        value = float(np.mean(value)) if isinstance(value, tuple) else float(value)
                    out[f"{base}.{name}"] = value
        return out

    def masks(self) -> dict[str, FloatImage]:
        """The masks of all blends, made again from their numbers: where a part of the steps acted, and how much.

        Returns:
            ``deg.<place>`` or ``gt.<place>`` to float32 ``[T, H, W, 1]`` in [0, 1] at the step's own resolution; T = 1
            where all frames share it.
        """
        gt = self.gt_geometry
        out: dict[str, FloatImage] = {}
        for prefix, steps, start in (("gt", self.target, Geometry(*self.hr)), ("deg", self.degrade, gt)):
            g = start
            for step in steps:
                for inner in unfold((step,)):  # what is inside a blend has its size
                    if isinstance(inner.draw, BlendDraw):
                        out[f"{prefix}.{place(inner.at)}"] = inner.draw.mask(g)
                g = step.draw.out_geometry(g)
        return out

    def to_json(self) -> str:
        """Canonical JSON: the same plan always gives the same text, and floats survive exactly."""
        values = {
            "format": FORMAT,
            "recipe": self.recipe,
            "seed": self.seed,
            "key": self.key,
            "variant": self.variant,
            "hr": self.hr,
            "target": [step_to_json(step) for step in self.target],
            "degrade": [step_to_json(step) for step in self.degrade],
        }
        return canonical_json(values | ({"cuts": self.cuts} if self.cuts else {}))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan back.

        Raises:
            OpError: The text is no plan, or a step is of an op or version that this build does not have.
        """
        try:
            raw = json.loads(text)
            if raw["format"] != FORMAT:
                raise OpError(f"plan format {raw['format']} is unknown; this build reads format {FORMAT}")
            return cls(
                recipe=raw["recipe"],
                seed=raw["seed"],
                key=raw["key"],
                variant=raw["variant"],
                hr=tuple(raw["hr"]),
                target=tuple(step_from_json(step) for step in raw["target"]),
                degrade=tuple(step_from_json(step) for step in raw["degrade"]),
                cuts=tuple(raw.get("cuts", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise OpError(f"this text is no plan: {error}") from error


def column_types(prefix: str, node: Node) -> dict[str, str]:
    """Columns that the plans of a tree can have, with their types, known before anything is drawn.

    Two branches at one place may use one name with two types: whole and broken numbers meet as ``float``, anything
    else as ``str``.
    """
    out: dict[str, str] = {}
    for at, op in leaves(node):
        base = f"{prefix}.{place(at)}"
        for name, kind in {"op": "str", **op.draws.columns()}.items():
            column = f"{base}.{name}"
            before = out.setdefault(column, kind)
            if before != kind:
                out[column] = "float" if {before, kind} == {"int", "float"} else "str"
    return out


def _walk(steps: Sequence[Step], g: Geometry) -> Geometry:
    for step in steps:
        g = step.draw.out_geometry(g)
    return g


def _compose(outer: Affine, inner: Affine) -> Affine:
    """outer(inner(p)): where a pixel after the later step ``inner`` looks in the input of ``outer``."""
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f)
