"""Speckle: Gaussian noise in proportion to the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op
from degradekit.ops.normal_noise import CORRELATIONS, add_noise, draw_mix
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["SpeckleNoise", "SpeckleNoiseDraw"]


@dataclass(frozen=True, slots=True)
class SpeckleNoiseDraw(Draw):
    """Noise of one determined strength; the noise itself is regenerated from ``field``.

    Args:
        sigma: Standard deviation at white in [0, 1], for the clip or for each frame.
        correlation: ``independent``, ``grey``, ``chroma`` or ``full``.
        mix: Matrix of a mixture of the channels, see :mod:`degradekit.ops.normal_noise`; empty for the others.
        field: Name of the normal field.
    """

    name: ClassVar[str] = "speckle_noise"
    unlisted: ClassVar[frozenset[str]] = frozenset({"field", "mix"})

    sigma: Series
    correlation: str
    mix: tuple[float, ...]
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add the noise and clip to [0, 1].

        Raises:
            OpError: Any correlation but ``independent`` on a clip that has not three channels.
        """
        return add_noise(
            x,
            self.name,
            sigma=self.sigma,
            correlation=self.correlation,
            mix=self.mix,
            field=self.field,
            speckle=True,
        )


class SpeckleNoise(Op):
    """Adds Gaussian noise in proportion to each sample, y = x + x n, and clips to [0, 1].

    Multiplicative noise is that of coherent light (radar, ultrasound, lasers), of uneven paper and of gain that
    flickers: nothing in the dark, most in the light. The channels relate as in ``gaussian_noise``.

    Args:
        sigma_range: Standard deviation of n in [0, 1] (recipes may write 25/255), which is the noise at white; larger
            is noisier, 0 leaves the image.
        correlation: Between the channels: one of ``independent``, ``grey``, ``chroma``, ``full``, or a choice among
            them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; every frame has noise of its own. All but ``independent`` need C = 3.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: Zhang, Liang, Van Gool, Timofte, 2021, arXiv:2103.14006, whose code (``degradation_bsrgan_plus``) has it
    with sigma 2/255 to 25/255.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = SpeckleNoise.model_validate({"sigma_range": 0.1})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.4, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.std() - 0.4 * 0.1) < 0.001)
        True
        >>> bool((SpeckleNoiseDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "speckle_noise"
    draws: ClassVar[type[Draw]] = SpeckleNoiseDraw

    sigma_range: Annotated[Dist, Within(0, 1, hint="sigma is in [0, 1]: write 25/255")]
    correlation: Annotated[Pick, Words(*CORRELATIONS)] = Pick(("independent",))

    def draw(self, u: Draws, g: Geometry) -> SpeckleNoiseDraw:
        """Choose sigma, the correlation and, for ``full``, the covariance."""
        correlation = self.correlation.draw(u, "correlation")
        return SpeckleNoiseDraw(
            self.sigma_range.draw(u, "sigma", g.t), correlation, draw_mix(correlation, u), u.field("noise")
        )
