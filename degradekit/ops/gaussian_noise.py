"""Gaussian noise: independent in each channel, of luma or chroma alone, or with a random colour covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.ops.base import Draw, Op
from degradekit.ops.normal_noise import CORRELATIONS, add_noise, draw_mix
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

__all__ = ["GaussianNoise", "GaussianNoiseDraw"]


@dataclass(frozen=True, slots=True)
class GaussianNoiseDraw(Draw):
    """Noise of one determined strength; the noise itself is regenerated from ``field``.

    Args:
        sigma: Standard deviation in [0, 1], for the clip or for each frame.
        correlation: ``independent``, ``grey``, ``chroma`` or ``full``.
        mix: Matrix of a mixture of the channels, see :mod:`degradekit.ops.normal_noise`; empty for the others.
        field: Name of the normal field.
    """

    name: ClassVar[str] = "gaussian_noise"
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
            speckle=False,
        )


class GaussianNoise(Op):
    """Adds white Gaussian noise, as the read-out noise of a sensor, and clips to [0, 1].

    ``independent`` draws every channel of every pixel anew. ``grey`` draws one plane and adds it to red, green and
    blue alike, which is noise of the luma alone. ``chroma`` is noise of the two colour differences alone, as cameras
    leave it that smooth the luma. ``full`` mixes the channels by a random covariance |sigma^2 U^T diag(d) U| with d
    uniform on [0, 1]^3 and U a random rotation, as demosaicking leaves it: a variance of half sigma^2 on average, and
    correlations between channels of 0.24 on average.

    Args:
        sigma_range: Standard deviation in [0, 1] (recipes may write 25/255); larger is noisier, 0 leaves the image. For
            ``chroma`` it is that of Cb and of Cr: red has 1.40 sigma, green 0.79 and blue 1.77.
        correlation: Between the channels: one of ``independent``, ``grey``, ``chroma``, ``full``, or a choice among
            them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; every frame has noise of its own. All but ``independent`` need C = 3.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: Zhang, Liang, Van Gool, Timofte, "Designing a practical degradation model for deep blind image
    super-resolution", 2021, arXiv:2103.14006, section 3.3 (all but ``chroma``); Real-ESRGAN, arXiv:2107.10833
    (``independent``, ``grey``). Differs from BSRGAN in U, which there is the left singular basis of a uniform(0, 1)
    matrix and so leans to grey.

    Example:
        >>> import numpy as np
        >>> from degradekit.rng import Draws, sample_key
        >>> op = GaussianNoise.model_validate({"sigma_range": "10/255", "correlation": "grey"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.5, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.std() - 10 / 255) < 0.001 and (y[..., 0] == y[..., 2]).all())
        True
        >>> bool((GaussianNoiseDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "gaussian_noise"
    draws: ClassVar[type[Draw]] = GaussianNoiseDraw

    sigma_range: Annotated[Dist, Within(0, 1, hint="sigma is in [0, 1]: write 25/255")]
    correlation: Annotated[Pick, Words(*CORRELATIONS)] = Pick(("independent",))

    def draw(self, u: Draws, g: Geometry) -> GaussianNoiseDraw:
        """Choose sigma, the correlation and, for ``full``, the covariance."""
        correlation = self.correlation.draw(u, "correlation")
        return GaussianNoiseDraw(
            self.sigma_range.draw(u, "sigma", g.t), correlation, draw_mix(correlation, u), u.field("noise")
        )
