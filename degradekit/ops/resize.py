"""Resize: to a factor of the current, the source or the target size, or to a size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op, Parity, close
from degradekit.ops.light import encoded, linear
from degradekit.ops.resample import MODES, Mode, axis_weights, resize
from degradekit.rng import Draws
from degradekit.types import Affine, FloatImage, Geometry

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Resize", "ResizeDraw"]

_Side = Annotated[int, Field(ge=1, le=65535)]


@dataclass(frozen=True, slots=True)
class ResizeDraw(Draw):
    """A resize to one size.

    Args:
        h: New height in px.
        w: New width in px.
        mode: Weights, see :mod:`degradekit.ops.resample`.
        antialias: Whether they widen when shrinking.
        linear_light: Whether light is averaged, or encoded samples.
        step: Input pixels from one output pixel to the next where that is not what fits the sizes, else 0.
    """

    name: ClassVar[str] = "resize"
    parity: ClassVar[Parity] = close(0.01)
    unlisted: ClassVar[frozenset[str]] = frozenset({"step"})

    h: int
    w: int
    mode: str
    antialias: bool
    linear_light: bool = False
    step: float = 0.0

    def apply(self, x: FloatImage) -> FloatImage:
        """Resample every frame; ``x`` itself when it has the size already."""
        mode, step = cast(Mode, self.mode), self.step or None
        if not self.linear_light or (x.shape[1:3] == (self.h, self.w) and step is None):
            return resize(x, self.h, self.w, mode=mode, antialias=self.antialias, step=step)
        return encoded(resize(linear(x), self.h, self.w, mode=mode, antialias=self.antialias, step=step))

    def apply_torch(self, x: Tensor) -> Tensor:
        """Resample every frame by the same weights."""
        from degradekit.ops.device import light
        from degradekit.ops.device.filters import resample

        (h, w), step, mode = x.shape[-2:], self.step or None, cast(Mode, self.mode)
        if (self.h, self.w) == (h, w) and step is None:
            return x
        rows = axis_weights(h, self.h, mode, antialias=self.antialias, step=step)
        columns = axis_weights(w, self.w, mode, antialias=self.antialias, step=step)
        if not self.linear_light:
            return resample(x, rows, columns)
        return light.encoded(resample(light.linear(x), rows, columns))

    def out_geometry(self, g: Geometry) -> Geometry:
        """The new size."""
        return g.resized(self.h, self.w)

    def grid(self, g: Geometry) -> Affine:
        """Pixel centres: x_in = (x + 1/2) W / w - 1/2, and likewise y; with a step, that instead of W / w."""
        across, down = (self.step, self.step) if self.step else (g.w / self.w, g.h / self.h)
        return (across, 0.0, (across - 1) / 2, 0.0, down, (down - 1) / 2)


class Resize(Op):
    """Shrinks or enlarges, as every picture is on its way through cameras, editors and web sites.

    The new size is explicit and both pictures cover the same rectangle, so nothing shifts. Without antialiasing a
    strong reduction by ``bilinear`` or ``bicubic`` aliases, which belongs to the look of Real-ESRGAN's data.

    Args:
        mode: ``nearest``, ``area``, ``box``, ``bilinear``, ``hermite``, ``bicubic``, ``catmull_rom``, ``mitchell``,
            ``b_spline``, ``gaussian``, ``lanczos2``, ``lanczos``, ``matlab_bicubic``, or a choice among them;
            :mod:`degradekit.ops.resample` defines them.
        relative_to: What the factor multiplies: the ``current`` size, the ``source`` (the GT) or the ``target`` (the
            LQ, GT / scale).
        factor_range: Factor for both sides, above 0 and up to 64, any fraction; larger is a larger picture. Sides are
            rounded down, to 1 px at least.
        size: Explicit (height, width) in px, or one number for both, in place of a factor.
        antialias: Widen the weights by the factor of shrinking; blurs instead of aliasing. ``nearest`` and ``area``
            have nothing to widen, ``matlab_bicubic`` always widens.
        linear_light: Average light instead of encoded samples, as lenses and careful software do: fine bright detail
            on a dark ground stays brighter when it shrinks.
        compat: Faults of other software to reproduce. ``drift: true`` samples at multiples of 1 / factor instead of
            what fits the rounded sizes, as torch's ``interpolate`` does that is given the factor: the picture moves
            away from its place, more so towards the bottom right. ``nearest``, ``area`` and ``matlab_bicubic`` have no
            such fault.

    Shape: ``[T, H, W, C] -> [T, h, w, C]``; a clip has one size.

    Range: float32, sRGB; weights that can be negative overshoot at edges by some percent and are not clipped here.

    Down and up again, or any number of sizes on the way, are a chain: ``relative_to: current`` counts from the step
    before, ``repeat`` runs a resize several times with new numbers, and the last step goes to the target.
    ``relative_to: source`` with any factor makes an LQ of arbitrary scale and gives it back its size in a later step::

        down: {op: resize, relative_to: source, factor_range: [0.2, 0.8], mode: [area, bicubic]}
        steps: {repeat: {integer: [0, 3]}, op: resize, factor_range: [0.7, 1.3], mode: [bilinear, b_spline, lanczos]}
        up: {op: resize, relative_to: target, factor_range: 1, mode: bicubic}

    Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29, 1981; the factors of
    Real-ESRGAN (arXiv:2107.10833). Differs from its code, which passes the factor instead of the size, so that a
    picture drifts by up to 6 px towards a corner.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Resize.model_validate({"relative_to": "target", "factor_range": 1, "mode": ["area", "bicubic"]})
        >>> g = Geometry(1, 30, 40, target=(10, 12))
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "resize"), g)
        >>> x = np.full(g.shape, 0.25, np.float32)
        >>> y = draw.apply(x)
        >>> y.shape, bool(abs(y - 0.25).max() < 1e-6)
        ((1, 10, 12, 3), True)
        >>> bool((ResizeDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "resize"
    draws: ClassVar[type[Draw]] = ResizeDraw

    mode: Annotated[Pick, Words(*MODES)]
    relative_to: Literal["current", "source", "target"] = "current"
    factor_range: Annotated[Dist, Within(1e-3, 64)] | None = None
    size: _Side | tuple[_Side, _Side] | None = None
    antialias: bool = False
    linear_light: bool = False
    compat: dict[Literal["drift"], bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.factor_range is None) == (self.size is None):
            raise ValueError("a resize needs either factor_range or size")
        if self.factor_range is not None and self.factor_range.over_time != "hold":
            raise ValueError("factor_range: a clip has one size; remove over_time")
        if self.compat.get("drift") and self.factor_range is None:
            raise ValueError("compat: drift comes from a factor; write factor_range instead of size")
        return self

    def draw(self, u: Draws, g: Geometry) -> ResizeDraw:
        """Choose the size and the mode."""
        mode, step = self.mode.draw(u, "mode"), 0.0
        if self.factor_range is None:
            h, w = self.size if isinstance(self.size, tuple) else (cast(int, self.size),) * 2
        else:
            factor = self.factor_range.sample(u, "factor")
            sides = {"current": g.size, "source": g.source, "target": g.target}[self.relative_to]
            h, w = (max(1, int(side * factor + 1e-6)) for side in sides)
            if self.compat.get("drift") and mode not in ("nearest", "area", "matlab_bicubic"):
                step = g.h / (factor * sides[0])
                step *= (step * h, step * w) != g.size  # where the sizes come out whole there is no drift
        return ResizeDraw(h, w, mode, self.antialias, self.linear_light, step)
