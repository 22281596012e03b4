"""Speckle: Gaussian noise in proportion to the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from degradekit.ops.normal_noise import NormalNoise, NormalNoiseDraw

__all__ = ["SpeckleNoise", "SpeckleNoiseDraw"]


@dataclass(frozen=True, slots=True)
class SpeckleNoiseDraw(NormalNoiseDraw):
    """Noise in proportion to the signal, of one determined strength at white; see ``NormalNoiseDraw``."""

    name: ClassVar[str] = "speckle_noise"
    speckle: ClassVar[bool] = True


class SpeckleNoise(NormalNoise):
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
        >>> from degradekit.types import Geometry
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
    draws: ClassVar[type[NormalNoiseDraw]] = SpeckleNoiseDraw
