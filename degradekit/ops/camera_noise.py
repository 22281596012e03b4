"""Camera noise: the noise of a sensor, as it looks after the camera has made a picture of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Annotated, ClassVar

import numpy as np
from numpy import float32

from degradekit.dist import Dist, LogUniform, Pick, Uniform, Within, Words
from degradekit.errors import OpError
from degradekit.fields import normal_field
from degradekit.ops.base import HELD, Draw, Op
from degradekit.ops.camera import develop, rgb_to_camera, to_camera
from degradekit.ops.colour import need_rgb
from degradekit.ops.demosaic import PATTERNS, demosaic
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry

__all__ = ["CameraNoise", "CameraNoiseDraw"]


@dataclass(frozen=True, slots=True)
class CameraNoiseDraw(Draw):
    """One camera and its noise; the noise itself is regenerated from ``field``.

    Args:
        shot: Variance of the raw noise for a signal of 1.
        read: Variance of the raw noise in the dark.
        red_gain: White balance of red, green being 1.
        blue_gain: White balance of blue.
        gain: Exposure, a factor on all three.
        pattern: Colours of the first two rows of the mosaic.
        demosaic: ``bilinear`` or ``malvar``.
        matrix: From RGB to the camera's colours, 3x3 row by row.
        field: Name of the normal field.
    """

    name: ClassVar[str] = "camera_noise"
    unlisted: ClassVar[frozenset[str]] = frozenset({"field", "matrix"})

    shot: float
    read: float
    red_gain: float
    blue_gain: float
    gain: float
    pattern: str
    demosaic: str
    matrix: tuple[float, ...]
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Unprocess, add the noise to the mosaic, and process again.

        Element of the field: (t H + y) W + x.

        Raises:
            OpError: The clip has not three channels, or no room for a mosaic.
        """
        need_rgb(x, self.name)
        t, h, w, _ = x.shape
        if min(h, w) < 2:
            raise OpError(f"camera_noise: a clip of {h}x{w} px has no room for a mosaic of 2x2")
        out = np.empty(x.shape, np.float32)
        for i in range(t):
            noise = normal_field(self.field, h * w, first=i * h * w).reshape(h, w)
            out[i] = self._picture(x[i], noise)
        return out

    def _picture(self, frame: FloatImage, noise: FloatImage) -> FloatImage:
        matrix = np.array(self.matrix).reshape(3, 3)
        gains = self.gain * np.array([self.red_gain, 1.0, self.blue_gain])
        raw, balance = _mosaic(to_camera(frame, matrix, gains), gains, self.pattern)
        noise *= np.sqrt(np.maximum(raw, 0) * float32(self.shot) + float32(self.read))
        raw += noise
        raw *= balance
        np.minimum(raw, 1, out=raw)
        rgb = demosaic(raw, self.pattern, corrected=self.demosaic == "malvar")
        return develop(rgb, np.linalg.inv(matrix))


class CameraNoise(Op):
    """Adds noise to the raw data that a camera would have made this picture from, and develops it again.

    The picture goes back through tone curve, gamma, colour matrix and white balance to a Bayer mosaic. There the noise
    is what physics says: independent, normal, of variance shot v + read for a signal v. On the way forwards white
    balance makes it stronger in red and blue, demosaicking gives it a size and a colour, the matrix mixes the channels,
    and the curves lift it in the shadows.

    Without noise the picture comes back: a smooth one of moderate colours within 0.5/255, and in the two outermost
    pixels, where the mirrored border bends the slopes, within three times the step between neighbours. Highlights
    above 0.99 may clip. Fine detail loses what the demosaicking cannot restore, and colours at the edge of the gamut
    are clipped as a sensor clips them.

    Args:
        shot_range: Variance of the raw noise for a signal of 1, 0 to 0.1; larger is noisier. The paper's range, the
            default, reaches from daylight to night.
        read_range: Variance of the raw noise in the dark, 0 to 0.1; omitted, it follows the shot noise as in cameras,
            log read = 2.18 log shot + 1.20, give or take 0.26 (normal).
        red_gain_range: White balance of red, green being 1; larger makes red noisier.
        blue_gain_range: The same for blue.
        gain_range: Exposure, 0.5 to 8: how much darker the raw data are than the picture; larger is noisier. Omitted,
            it is 1 / N(0.8, 0.1) as in the paper, cut to 1 / [0.5, 1.1].
        pattern: Colours of the first two rows of the mosaic: ``rggb``, ``grbg``, ``gbrg``, ``bggr``, or a choice.
        demosaic: ``bilinear``, ``malvar``, or a choice.

    Shape: ``[T, H, W, 3] -> [T, H, W, 3]``, 2 x 2 px at least; one camera for a clip, noise of its own for every frame.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: T. Brooks et al., "Unprocessing images for learned raw denoising", CVPR 2019, arXiv:1811.11127 (pipeline,
    noise and its ranges); H. S. Malvar, L. He, R. Cutler, ICASSP 2004 (demosaicking). Differs in keeping raw values
    below black, which the paper's code cuts off before it demosaics.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = CameraNoise.model_validate({"shot_range": 0.01, "demosaic": "malvar"})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.4, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.mean() - 0.4) < 0.02 and y.std() > 0.02)
        True
        >>> bool((CameraNoiseDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "camera_noise"
    draws: ClassVar[type[Draw]] = CameraNoiseDraw

    shot_range: Annotated[Dist, Within(0, 0.1, hint="shot is a variance: 0.0001 to 0.012"), HELD] = LogUniform(
        1e-4, 0.012
    )
    read_range: Annotated[Dist, Within(0, 0.1, hint="read is a variance"), HELD] | None = None
    red_gain_range: Annotated[Dist, Within(0.5, 8), HELD] = Uniform(1.9, 2.4)
    blue_gain_range: Annotated[Dist, Within(0.5, 8), HELD] = Uniform(1.5, 1.9)
    gain_range: Annotated[Dist, Within(0.5, 8), HELD] | None = None
    pattern: Annotated[Pick, Words(*PATTERNS)] = Pick(("rggb",))
    demosaic: Annotated[Pick, Words("bilinear", "malvar")] = Pick(("bilinear", "malvar"))

    def draw(self, u: Draws, g: Geometry) -> CameraNoiseDraw:
        """Choose the camera, its white balance and how noisy it is."""
        shot = self.shot_range.sample(u, "shot")
        if self.read_range is not None:
            read = self.read_range.sample(u, "read")
        else:
            read = math.exp(2.18 * math.log(shot) + 1.20 + 0.26 * _normal(u, "read")) if shot > 0 else 0.0
        brightness = min(max(0.8 + 0.1 * _normal(u, "gain"), 0.5), 1.1)
        return CameraNoiseDraw(
            shot=shot,
            read=read,
            red_gain=self.red_gain_range.sample(u, "red_gain"),
            blue_gain=self.blue_gain_range.sample(u, "blue_gain"),
            gain=self.gain_range.sample(u, "gain") if self.gain_range is not None else 1 / brightness,
            pattern=self.pattern.draw(u, "pattern"),
            demosaic=self.demosaic.draw(u, "demosaic"),
            matrix=rgb_to_camera(tuple(u.uniform("camera", i) + 1e-9 for i in range(4))),
            field=u.field("noise"),
        )


def _normal(u: Draws, name: str) -> float:
    return NormalDist().inv_cdf(min(max(u.uniform(name), 1e-12), 1 - 1e-12))


def _mosaic(camera: FloatImage, gains: Array, pattern: str) -> tuple[FloatImage, FloatImage]:
    """The mosaic of camera colours, and the white balance at each of its pixels."""
    h, w, _ = camera.shape
    raw, balance = np.empty((h, w), np.float32), np.empty((h, w), np.float32)
    red_y, red_x = PATTERNS[pattern]
    for dy in range(2):
        for dx in range(2):
            colour, at = dy + dx, np.s_[(red_y + dy) % 2 :: 2, (red_x + dx) % 2 :: 2]
            raw[at], balance[at] = camera[at][..., colour], gains[colour]
    return raw, balance
