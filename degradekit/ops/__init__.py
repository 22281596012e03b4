"""The vocabulary: every op, one file each, in one explicit tuple."""

from __future__ import annotations

from degradekit.ops.avif import Avif
from degradekit.ops.base import Draw, Op
from degradekit.ops.box_blur import BoxBlur
from degradekit.ops.brightness import Brightness
from degradekit.ops.camera_noise import CameraNoise
from degradekit.ops.channel_shift import ChannelShift
from degradekit.ops.chroma_subsampling import ChromaSubsampling
from degradekit.ops.chromatic_aberration import ChromaticAberration
from degradekit.ops.contrast import Contrast
from degradekit.ops.crop import Crop
from degradekit.ops.diffjpeg import DiffJpeg
from degradekit.ops.disc_blur import DiscBlur
from degradekit.ops.dither import Dither
from degradekit.ops.double_jpeg import DoubleJpeg
from degradekit.ops.film_grain import FilmGrain
from degradekit.ops.flip import Flip
from degradekit.ops.gamma import Gamma
from degradekit.ops.gaussian_blur import GaussianBlur
from degradekit.ops.gaussian_noise import GaussianNoise
from degradekit.ops.generalized_blur import GeneralizedGaussianBlur
from degradekit.ops.grey import Grey
from degradekit.ops.halftone import Halftone
from degradekit.ops.halo import Halo
from degradekit.ops.haze import Haze
from degradekit.ops.heif import Heif
from degradekit.ops.hue import Hue
from degradekit.ops.interlace import Interlace
from degradekit.ops.jpeg import Jpeg
from degradekit.ops.jpeg2000 import Jpeg2000
from degradekit.ops.jpeg_tables import JpegTables
from degradekit.ops.jpegxl import JpegXl
from degradekit.ops.kernel_pool import KernelPool
from degradekit.ops.levels import Levels
from degradekit.ops.matrix_error import MatrixError
from degradekit.ops.median_blur import MedianBlur
from degradekit.ops.moire import Moire
from degradekit.ops.motion_blur import MotionBlur
from degradekit.ops.noise_patches import NoisePatches
from degradekit.ops.oversharpen import Oversharpen
from degradekit.ops.palette import Palette
from degradekit.ops.perlin_noise import PerlinNoise
from degradekit.ops.pixelate import Pixelate
from degradekit.ops.plateau_blur import PlateauBlur
from degradekit.ops.poisson_noise import PoissonNoise
from degradekit.ops.quantise import Quantise
from degradekit.ops.rain import Rain
from degradekit.ops.range_error import RangeError
from degradekit.ops.resize import Resize
from degradekit.ops.salt_pepper import SaltPepper
from degradekit.ops.saturation import Saturation
from degradekit.ops.shifted_gaussian import ShiftedGaussian
from degradekit.ops.sinc import Sinc
from degradekit.ops.skew_blur import SkewBlur
from degradekit.ops.speckle_noise import SpeckleNoise
from degradekit.ops.subsample import Subsample
from degradekit.ops.telecine import Telecine
from degradekit.ops.trajectory_blur import TrajectoryBlur
from degradekit.ops.uniform_noise import UniformNoise
from degradekit.ops.unsharp_mask import UnsharpMask
from degradekit.ops.variable_blur import VariableBlur
from degradekit.ops.video import Video
from degradekit.ops.vignette import Vignette
from degradekit.ops.webp import Webp

__all__ = ["DRAWS", "OPS", "Draw", "Op"]

OPS: tuple[type[Op], ...] = (
    Avif,
    BoxBlur,
    Brightness,
    CameraNoise,
    ChannelShift,
    ChromaSubsampling,
    ChromaticAberration,
    Contrast,
    Crop,
    DiffJpeg,
    DiscBlur,
    Dither,
    DoubleJpeg,
    FilmGrain,
    Flip,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    GeneralizedGaussianBlur,
    Grey,
    Halftone,
    Halo,
    Haze,
    Heif,
    Hue,
    Interlace,
    Jpeg,
    Jpeg2000,
    JpegTables,
    JpegXl,
    KernelPool,
    Levels,
    MatrixError,
    MedianBlur,
    Moire,
    MotionBlur,
    NoisePatches,
    Oversharpen,
    Palette,
    PerlinNoise,
    Pixelate,
    PlateauBlur,
    PoissonNoise,
    Quantise,
    Rain,
    RangeError,
    Resize,
    SaltPepper,
    Saturation,
    ShiftedGaussian,
    Sinc,
    SkewBlur,
    SpeckleNoise,
    Subsample,
    Telecine,
    TrajectoryBlur,
    UniformNoise,
    UnsharpMask,
    VariableBlur,
    Video,
    Vignette,
    Webp,
)
"""Every op that a recipe can name."""

DRAWS: dict[str, type[Draw]] = {op.name: op.draws for op in OPS}
"""Every determined operation that a plan can hold, by its op's name."""
