"""Film grain: noise with a size, strongest in the midtones, that lives on from frame to frame if asked to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.fields import normal_field
from degradekit.ops.base import HELD, Draw, Op, at_frame
from degradekit.ops.colour import clip01, luma
from degradekit.ops.convolve import convolve
from degradekit.ops.kernels import gaussian_taps
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["FilmGrain", "FilmGrainDraw"]


@dataclass(frozen=True, slots=True)
class FilmGrainDraw(Draw):
    """Grain of one determined strength and size; the grain itself is regenerated from ``field``.

    Args:
        sigma: Standard deviation at mid grey in [0, 1], for the clip or for each frame.
        size: Sigma in px of the Gaussian that gives the grain its size.
        persistence: Correlation of the grain of a frame with that of the frame before.
        correlation: ``grey`` or ``independent``.
        field: Name of the normal field.
    """

    name: ClassVar[str] = "film_grain"

    sigma: Series
    size: float
    persistence: float
    correlation: str
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add the grain and clip to [0, 1].

        Element of the field: ((t H + y) W + x) G + g with G planes of grain, 1 or C.
        """
        t, h, w, c = x.shape
        planes = self._grain(t, (h, w, 1 if self.correlation == "grey" else c))
        out = np.empty(x.shape, np.float32)
        for i, grain in enumerate(planes):
            noise = grain * _strength(x[i : i + 1], at_frame(self.sigma, i))[0]
            np.add(x[i], noise, out=out[i])
        return clip01(out)

    def _grain(self, t: int, shape: tuple[int, int, int]) -> Iterator[FloatImage]:
        """The grain of every frame, of variance 1."""
        taps = gaussian_taps(2 * math.ceil(4 * self.size) + 1, self.size)
        kernel = np.outer(taps, taps)
        count, rest = int(np.prod(shape)), float32(math.sqrt(1 - self.persistence**2))
        state: FloatImage | None = None
        for i in range(t):
            white = normal_field(self.field, count, first=i * count).reshape(1, *shape)
            fresh = convolve(white, kernel / math.sqrt((kernel * kernel).sum()))[0]
            state = fresh if state is None else float32(self.persistence) * state + rest * fresh
            yield state


class FilmGrain(Op):
    """Adds the grain of photographic film and clips to [0, 1].

    Grains are clumps of silver or dye: the noise is smooth at the scale of a grain instead of white. How many of them
    a spot holds is a matter of chance that is largest where half of them are developed, so with Y the luma the
    standard deviation is sigma 2 sqrt(Y (1 - Y)): none in black and in white, sigma at mid grey.

    Args:
        sigma_range: Standard deviation at mid grey in [0, 1] (recipes may write 12/255); larger is grainier, 0 leaves
            the image.
        size_range: Sigma in px, at this step's resolution, of the Gaussian that smooths white noise into grain, 0.05 to
            8; larger is coarser, up to 0.2 it stays white.
        persistence_range: Correlation of the grain of a frame with that of the frame before, 0 to 1: 0 is film, whose
            every frame has its own; between is what encoders and denoisers leave; 1 is dirt on the lens.
        correlation: ``grey`` adds one plane to all channels, as black-and-white film and luma grain do;
            ``independent`` gives each layer of a colour film its own.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; the luma needs C = 3, another C uses its mean.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: A. Newson, J. Delon, B. Galerne, "A stochastic film grain model for resolution-independent rendering",
    Computer Graphics Forum 36(8), 2017 (variance u (1 - u) of covered area u); smoothed Gaussian noise in its place, as
    in the grain synthesis of video codecs (A. Norkin, N. Birkbeck, "Film grain synthesis for AV1 video codec", 2018).

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = FilmGrain.model_validate({"sigma_range": "12/255", "size_range": 0.8})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "grain"), Geometry(1, 200, 200))
        >>> x = np.full((1, 200, 200, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> noise = (y - x)[0, :, :, 1]
        >>> bool(abs(noise.std() - 12 / 255) < 0.003 and (noise[:, 1:] * noise[:, :-1]).mean() > 0.5 * noise.var())
        True
        >>> bool((FilmGrainDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "film_grain"
    draws: ClassVar[type[Draw]] = FilmGrainDraw

    sigma_range: Annotated[Dist, Within(0, 1, hint="sigma is in [0, 1]: write 12/255")]
    size_range: Annotated[Dist, Within(0.05, 8, hint="the size of grains is in px"), HELD]
    persistence_range: Annotated[Dist, Within(0, 1), HELD] = Const(0.0)
    correlation: Annotated[Pick, Words("grey", "independent")] = Pick(("grey",))

    def draw(self, u: Draws, g: Geometry) -> FilmGrainDraw:
        """Choose the strength, the size and how long the grain lives."""
        return FilmGrainDraw(
            sigma=self.sigma_range.draw(u, "sigma", g.t),
            size=self.size_range.sample(u, "size"),
            persistence=self.persistence_range.sample(u, "persistence"),
            correlation=self.correlation.draw(u, "correlation"),
            field=u.field("grain"),
        )


def _strength(x: FloatImage, sigma: float) -> FloatImage:
    """2 sigma sqrt(Y (1 - Y)) of one frame, float32 ``[1, H, W, 1]``."""
    light = clip01(luma(x) if x.shape[-1] == 3 else x.mean(axis=-1))
    light *= float32(1) - light
    np.sqrt(light, out=light)
    light *= float32(2 * sigma)
    return light[..., None]
