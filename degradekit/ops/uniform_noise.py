"""Uniform noise: every value within bounds is equally likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.fields import uniform_field
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.colour import clip01
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["UniformNoise", "UniformNoiseDraw"]


@dataclass(frozen=True, slots=True)
class UniformNoiseDraw(Draw):
    """Noise of one determined strength; the noise itself is regenerated from ``field``.

    Args:
        amplitude: Largest deviation in [0, 1], for the clip or for each frame.
        correlation: ``independent`` or ``grey``.
        field: Name of the uniform field.
    """

    name: ClassVar[str] = "uniform_noise"

    amplitude: Series
    correlation: str
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add the noise and clip to [0, 1].

        Element of the field: ((t H + y) W + x) C + c, or (t H + y) W + x when grey.
        """
        t, h, w, c = x.shape
        shape = (h, w, c) if self.correlation == "independent" else (h, w, 1)
        count = int(np.prod(shape))
        out = np.empty(x.shape, np.float32)
        for i in range(t):
            noise = uniform_field(self.field, count, first=i * count).reshape(shape)
            amplitude = float32(at_frame(self.amplitude, i))
            noise *= float32(2) * amplitude
            noise -= amplitude
            np.add(x[i], noise, out=out[i])
        return clip01(out)


class UniformNoise(Op):
    """Adds noise that is uniform on [-a, a], as rounding and cheap dithering leave it, and clips to [0, 1].

    Args:
        amplitude_range: a in [0, 1] (recipes may write 8/255); larger is noisier, 0 leaves the image. The standard
            deviation is a / sqrt(3).
        correlation: ``independent`` draws every channel of every pixel anew, ``grey`` one plane for all channels.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; every frame has noise of its own.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: W. R. Bennett, "Spectra of quantized signals", Bell System Technical Journal 27, 1948 (rounding).

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = UniformNoise.model_validate({"amplitude_range": "8/255"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y - x).max() <= 8 / 255 and abs(y.std() - 8 / 255 / 3**0.5) < 0.001)
        True
        >>> bool((UniformNoiseDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "uniform_noise"
    draws: ClassVar[type[Draw]] = UniformNoiseDraw

    amplitude_range: Annotated[Dist, Within(0, 1, hint="the amplitude is in [0, 1]: write 8/255")]
    correlation: Annotated[Pick, Words("independent", "grey")] = Pick(("independent",))

    def draw(self, u: Draws, g: Geometry) -> UniformNoiseDraw:
        """Choose the amplitude and the correlation."""
        amplitude = self.amplitude_range.draw(u, "amplitude", g.t)
        return UniformNoiseDraw(amplitude, self.correlation.draw(u, "correlation"), u.field("noise"))
