"""Steps, which a plan is a list of, and the one that holds others: a blend, which acts on a part of the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from degradekit.dist import Const, Dist, Expression, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.ops import DRAWS
from degradekit.ops.base import HELD, Draw, Op, at_frame, is_held
from degradekit.ops.mask import Spot, clouds, ellipse, gradient, rectangle, text
from degradekit.ops.mask_pool import pack_mask, read_masks, resized, shrunk, unpack_mask
from degradekit.ops.plugin import is_plugin, plugin_op
from degradekit.ops.pool import Pool, PoolOf
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["BlendDraw", "Mask", "Step", "step_from_json", "step_to_json", "unfold"]

_SHAPES = ("ellipse", "rectangle", "gradient", "clouds", "text", "file")


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a plan.

    Args:
        at: Path of the node that it came from.
        draw: The determined operation.
    """

    at: str
    draw: Draw


@dataclass(frozen=True, slots=True)
class BlendDraw(Draw):
    """Steps that act where a mask lets them: m steps(x) + (1 - m) x.

    No mask but one from a file is stored as pixels: :meth:`mask` makes it again.

    Args:
        shape: ``ellipse``, ``rectangle``, ``gradient``, ``clouds``, ``text`` or ``file``.
        x: Centre in widths, for the clip or for each frame.
        y: Centre in heights.
        width: Full width in widths, or the size of ``clouds`` in longer sides.
        height: Full height in heights.
        angle: Radians, clockwise as displayed.
        feather: Width of the edge in shorter sides.
        strength: Largest weight.
        coverage: Share of the picture that ``clouds`` cover.
        lines: Lines of ``text``.
        inverted: The steps act outside.
        field: Name of the field of ``clouds`` and ``text``.
        steps: What acts; no step changes the size or moves pixels.
        index: Place of a mask from a file in its pool; -1 for the other shapes.
        file_h: Its height in px, at most that of the picture.
        file_w: Its width in px.
        file_bits: Of one of its pixels, see :func:`degradekit.ops.mask_pool.pack_mask`.
        file_mask: Its pixels.
    """

    name: ClassVar[str] = "blend"
    unlisted: ClassVar[frozenset[str]] = frozenset({"field", "file_h", "file_w", "file_bits", "file_mask"})

    shape: str
    x: Series
    y: Series
    width: Series
    height: Series
    angle: Series
    feather: Series
    strength: Series
    coverage: float
    lines: int
    inverted: bool
    field: str
    steps: tuple[Step, ...] = ()
    index: int = -1
    file_h: int = 0
    file_w: int = 0
    file_bits: int = 0
    file_mask: str = ""

    def apply(self, x: FloatImage) -> FloatImage:
        """Run the steps on the whole picture and keep them where the mask is; not clipped."""
        y = x
        for step in self.steps:
            y = step.draw.apply(y)
        out = np.subtract(y, x)
        out *= self.mask(Geometry(*x.shape))
        out += x
        return out

    def mask(self, g: Geometry) -> FloatImage:
        """The weight of the steps at every pixel, made again from its numbers.

        Args:
            g: Geometry of the clip at this step.

        Returns:
            float32 ``[T, H, W, 1]`` in [0, 1]; T = 1 where all frames share it.
        """
        numbers = (self.x, self.y, self.width, self.height, self.angle, self.feather, self.strength)
        frames = range(1 if is_held(*numbers) else g.t)
        return np.stack([self._frame(g.h, g.w, t) for t in frames])[..., None]

    def _frame(self, h: int, w: int, t: int) -> FloatImage:
        *place, strength = (
            at_frame(value, t)
            for value in (self.x, self.y, self.width, self.height, self.angle, self.feather, self.strength)
        )
        spot = Spot(*place)
        match self.shape:
            case "ellipse":
                mask = ellipse(h, w, spot)
            case "rectangle":
                mask = rectangle(h, w, spot)
            case "gradient":
                mask = gradient(h, w, spot)
            case "clouds":
                mask = clouds(h, w, spot, coverage=self.coverage, field=self.field)
            case "text":
                mask = text(h, w, spot, lines=self.lines, field=self.field)
            case "file":
                mask = resized(unpack_mask(self.file_mask, self.file_bits, (self.file_h, self.file_w)), h, w)
            case other:
                raise OpError(f"a mask of the shape {other!r} is unknown; this build has {', '.join(_SHAPES)}")
        return (np.float32(1) - mask if self.inverted else mask) * np.float32(strength)

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON values, the steps as a plan writes them."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**plain, "steps": [step_to_json(step) for step in self.steps]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Rebuild a blend from :meth:`to_json`.

        Raises:
            OpError: A parameter is missing or unknown, or an inner step is of an op or version that this build lacks.
        """
        steps = tuple(step_from_json(step) for step in values.get("steps", ()))
        return super(BlendDraw, cls).from_json({**values, "steps": steps} if "steps" in values else values)


class Mask(Op):
    """Lets steps act on a part of the picture only: one face, one corner, everything but the subtitles.

    Args:
        shape: One or a choice of ``ellipse``, ``rectangle``, ``gradient`` (one side of a line through the centre),
            ``clouds`` (patches of a smooth random field), ``text`` (lines of words, a rectangle each, as subtitles),
            ``file`` (one of ``masks``, for which place, size, angle and feather do not count).
        x_range: Centre in widths from the left, -1 to 2. Over time, the mask moves.
        y_range: Centre in heights from the top, -1 to 2.
        width_range: Full width in widths, 0 to 4; the size of ``clouds`` in longer sides.
        height_range: Full height in heights, 0 to 4.
        angle_range: Radians by which it is turned, clockwise as displayed; a ``gradient`` rises along it.
        feather_range: Width of the edge in shorter sides, 0 (1 px) to 2; larger is softer.
        strength_range: Largest weight of the steps, 0 to 1.
        coverage_range: Share of the picture that ``clouds`` cover on average, 0.01 to 0.99; held over a clip.
        lines_range: Lines of ``text``, whole numbers 1 to 20, which share the height; held over a clip.
        invert: Probability that the steps act outside instead: 1 with ``text`` spares it.
        masks: Of the shape ``file``: path relative to the recipe's folder, or ``{path: ..., digest: ...}`` to pin the
            content: a grey picture, white where the steps act; a ``.npy`` or ``.npz`` file with arrays ``[h, w]`` or
            ``[n, h, w]``, bool, float in [0, 1], uint8 or uint16; or a folder of these. Every mask is equally likely,
            and held over a clip. Workers read the same path and keep all masks in memory, a byte for each pixel.
        fit: What becomes of a mask of another size than the picture has at this step. ``exact`` refuses it; where
            ``extract.size`` says the size of the windows, when the recipe is loaded. ``resize`` stretches it over the
            picture: by area means where it is larger, bilinearly where it is smaller.

    The plan holds a mask from a file itself, so a replay needs no pool: a bit for each pixel of a hard mask (27 kB for
    400x400 px), a byte for each pixel of a soft one (213 kB), never more pixels than the picture has. Parquet shards
    compress plans, LMDB shards do not.

    Shape: ``[T, H, W, 1]``; frames share one mask unless a range moves over time.

    Range: float32 in [0, 1].

    Source: Linear interpolation, m steps(x) + (1 - m) x, as encoded.

    Example:
        >>> mask = Mask.model_validate({"shape": ["ellipse", "text"], "x_range": [0.3, 0.7], "invert": 0.5})
        >>> draw = mask.draw(Draws(7, "part"), Geometry(1, 48, 64))
        >>> weights = draw.mask(Geometry(1, 48, 64))
        >>> weights.shape, bool(weights.min() >= 0 and weights.max() <= 1)
        ((1, 48, 64, 1), True)
        >>> bool((BlendDraw.from_json(draw.to_json()).mask(Geometry(1, 48, 64)) == weights).all())
        True
    """

    name: ClassVar[str] = "blend"
    draws: ClassVar[type[Draw]] = BlendDraw

    shape: Annotated[Pick, Words(*_SHAPES)] = Pick(("ellipse",))
    x_range: Annotated[Dist, Within(-1, 2)] = Const(0.5)
    y_range: Annotated[Dist, Within(-1, 2)] = Const(0.5)
    width_range: Annotated[Dist, Within(0, 4)] = Const(0.5)
    height_range: Annotated[Dist, Within(0, 4)] = Const(0.5)
    angle_range: Annotated[Dist, Within(-2 * math.pi, 2 * math.pi, hint="angles are radians: write pi/4")] = Const(0.0)
    feather_range: Annotated[Dist, Within(0, 2)] = Const(0.1)
    strength_range: Annotated[Dist, Within(0, 1)] = Const(1.0)
    coverage_range: Annotated[Dist, Within(0.01, 0.99), HELD] = Const(0.5)
    lines_range: Annotated[Dist, Within(1, 20, integer=True), HELD] = Const(2)
    invert: Annotated[Expression, Field(ge=0, le=1)] = 0.0
    masks: Annotated[Pool, PoolOf(read_masks)] | None = None
    fit: Literal["exact", "resize"] = "exact"

    @model_validator(mode="after")
    def _has_files(self) -> Self:
        if ("file" in self.shape.words) != (self.masks is not None):
            raise ValueError("shape file and masks belong together: give both or neither")
        return self

    def draw(self, u: Draws, g: Geometry) -> BlendDraw:
        """Choose the mask; the steps are put in by the graph.

        Raises:
            OpError: The mask is a file of another size than the picture, and ``fit`` is ``exact``.
        """
        moving = ("x", "y", "width", "height", "angle", "feather", "strength")
        numbers = {name: getattr(self, f"{name}_range").draw(u, name, g.t) for name in moving}
        shape = self.shape.draw(u, "shape")
        return BlendDraw(
            shape=shape,
            **numbers,
            coverage=self.coverage_range.sample(u, "coverage"),
            lines=int(self.lines_range.sample(u, "lines")),
            inverted=u.uniform("invert") < self.invert,
            field=u.field("mask"),
            **(self._file(u, g) if shape == "file" else {}),
        )

    def _file(self, u: Draws, g: Geometry) -> dict[str, Any]:
        """One of the masks as the plan holds it."""
        assert self.masks is not None  # ``_has_files``
        index = u.integer("index", len(self.masks.members))
        levels = self.masks.members[index]
        if self.fit == "exact" and levels.shape != g.size:
            raise OpError(
                f"blend {u.path}: mask of another size: {self.masks.names[index]} in {self.masks.path} has "
                f"{levels.shape[0]}x{levels.shape[1]} px, the picture at this step {g.h}x{g.w}; give masks of that "
                "size, or write fit: resize"
            )
        levels = shrunk(levels, *g.size)
        bits, text = pack_mask(levels)
        h, w = levels.shape
        return {"index": index, "file_h": h, "file_w": w, "file_bits": bits, "file_mask": text}


def unfold(steps: Iterable[Step]) -> Iterator[Step]:
    """Every step, and after a blend the steps that it holds."""
    for step in steps:
        yield step
        if isinstance(step.draw, BlendDraw):
            yield from unfold(step.draw.steps)


def step_to_json(step: Step) -> dict[str, Any]:
    """A step as a plan writes it."""
    return {"at": step.at, "op": step.draw.name, "version": step.draw.version, "draw": step.draw.to_json()}


def step_from_json(raw: Mapping[str, Any]) -> Step:
    """Read a step back.

    Raises:
        OpError: This build does not have the op, or not in that version.
    """
    draw = _draw_class(raw["op"])
    if draw is None:
        raise OpError(
            f"step {raw['at']}: this build has no op {raw['op']!r}; install the version that made the dataset"
        )
    if raw["version"] != draw.version:
        package = "version of its package" if is_plugin(raw["op"]) else "degradekit version"
        raise OpError(
            f"step {raw['at']}: the plan needs version {raw['version']} of {raw['op']}, this build has {draw.version}; "
            f"install the {package} that the dataset was made with"
        )
    return Step(raw["at"], draw.from_json(raw["draw"]))


def _draw_class(op: str) -> type[Draw] | None:
    if is_plugin(op):
        return plugin_op(op).draws
    return BlendDraw if op == BlendDraw.name else DRAWS.get(op)
