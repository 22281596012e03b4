"""Gamma: every sample to a power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.power import power
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["Gamma", "GammaDraw"]


@dataclass(frozen=True, slots=True)
class GammaDraw(Draw):
    """A power.

    Args:
        exponent: Exponent, for the clip or for each frame.
    """

    name: ClassVar[str] = "gamma"

    exponent: Series

    def apply(self, x: FloatImage) -> FloatImage:
        """Return max(x, 0)^exponent; an exponent of 1 returns ``x`` itself."""
        exponents = [at_frame(self.exponent, t) for t in range(len(x))]
        if all(exponent == 1 for exponent in exponents):
            return x
        if isinstance(self.exponent, tuple):
            return np.stack([power(x[t], exponent) for t, exponent in enumerate(exponents)])
        return power(x, self.exponent)


class Gamma(Op):
    """Bends the tone curve by a power, as a wrong transfer function or a screen's gamma control does.

    Black and white stay where they are.

    Args:
        exponent_range: Exponent, above 0; 1 leaves the image, larger darkens the middle, smaller brightens it. A wide
            range is fair as ``{log_uniform: [0.5, 2]}``.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``.

    Range: float32 sRGB as encoded; [0, 1] goes to [0, 1], below 0 becomes 0, overshoot above 1 stays overshoot.

    Source: The arithmetic of torchvision's ``adjust_gamma``, error below 2e-7.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Gamma.model_validate({"exponent_range": 2})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "gamma"), Geometry(1, 1, 1))
        >>> x = np.full((1, 1, 1, 3), 0.5, np.float32)
        >>> draw.apply(x).round(6).tolist()
        [[[[0.25, 0.25, 0.25]]]]
        >>> bool((GammaDraw.from_json(draw.to_json()).apply(x) == draw.apply(x)).all())
        True
    """

    name: ClassVar[str] = "gamma"
    draws: ClassVar[type[Draw]] = GammaDraw

    exponent_range: Annotated[Dist, Within(0.05, 20)]

    def draw(self, u: Draws, g: Geometry) -> GammaDraw:
        """Choose the exponent."""
        return GammaDraw(self.exponent_range.draw(u, "exponent", g.t))
