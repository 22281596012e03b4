"""The vocabulary: every op, one file each, in one explicit tuple."""

from __future__ import annotations

from degradekit.ops.base import Draw, Op
from degradekit.ops.brightness import Brightness
from degradekit.ops.channel_shift import ChannelShift
from degradekit.ops.contrast import Contrast
from degradekit.ops.gamma import Gamma
from degradekit.ops.gaussian_blur import GaussianBlur
from degradekit.ops.gaussian_noise import GaussianNoise
from degradekit.ops.generalized_blur import GeneralizedGaussianBlur
from degradekit.ops.grey import Grey
from degradekit.ops.hue import Hue
from degradekit.ops.levels import Levels
from degradekit.ops.plateau_blur import PlateauBlur
from degradekit.ops.poisson_noise import PoissonNoise
from degradekit.ops.quantise import Quantise
from degradekit.ops.saturation import Saturation
from degradekit.ops.sinc import Sinc

__all__ = ["DRAWS", "OPS", "Draw", "Op"]

OPS: tuple[type[Op], ...] = (
    Brightness,
    ChannelShift,
    Contrast,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    GeneralizedGaussianBlur,
    Grey,
    Hue,
    Levels,
    PlateauBlur,
    PoissonNoise,
    Quantise,
    Saturation,
    Sinc,
)
"""Every op that a recipe can name."""

DRAWS: dict[str, type[Draw]] = {op.name: op.draws for op in OPS}
"""Every determined operation that a plan can hold, by its op's name."""
