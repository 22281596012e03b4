"""Gaussian noise: independent in each channel, of luma or chroma alone, or with a random colour covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from degradekit.ops.normal_noise import NormalNoise, NormalNoiseDraw

__all__ = ["GaussianNoise", "GaussianNoiseDraw"]


@dataclass(frozen=True, slots=True)
class GaussianNoiseDraw(NormalNoiseDraw):
    """Noise of one determined strength at every level; see ``NormalNoiseDraw``."""

    name: ClassVar[str] = "gaussian_noise"


class GaussianNoise(NormalNoise):
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
        >>> from degradekit.types import Geometry
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
    draws: ClassVar[type[NormalNoiseDraw]] = GaussianNoiseDraw
