"""Poisson noise: the shot noise of light, with a physical photon count or with BasicSR's content-dependent one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from degradekit.dist import Const, Dist, Expression, LogUniform, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.fields import BLOCKS, CHUNK, FieldName, WordArray, fill_flat_words, fma, split_field, unit
from degradekit.jit import inline, kernel
from degradekit.ops.base import Draw, Op, Parity, at_frame, close
from degradekit.poisson import alias_table, fill_counts, fill_level_counts, level_table
from degradekit.rng import Draws
from degradekit.types import FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PoissonNoise", "PoissonNoiseDraw", "content_peak"]

FORMS = ("levels", "content", "photons")
LEVELS = 256
"""Distinct levels of an 8-bit photograph, and the mean count at white that goes with them."""


@dataclass(frozen=True, slots=True)
class PoissonNoiseDraw(Draw):
    """Noise of one determined strength; the noise itself is regenerated from ``field``.

    Args:
        form: ``levels``, ``content``, ``photons``, or ``content_bytes`` for ``content`` with its fault ``byte_range``.
        scale: Factor on the noise, for the clip or for each frame.
        photons: Mean count at white, for the clip or for each frame; 0 for the other forms.
        grey: One plane, made from the luma, is added to the three channels.
        field: Name of the Poisson field.
    """

    name: ClassVar[str] = "poisson_noise"
    parity: ClassVar[Parity] = close(0.001)

    form: str
    scale: Series
    photons: Series
    grey: bool
    field: str

    def apply(self, x: FloatImage) -> FloatImage:
        """Add the noise and clip to [0, 1].

        Element of the field: ((t H + y) W + x) C + c, or (t H + y) W + x when grey.

        Raises:
            OpError: Grey noise on a clip that has not three channels.
        """
        t, h, w, c = x.shape
        self._check(c)
        frames = np.ascontiguousarray(x, np.float32).reshape(t, -1)
        out = np.empty(x.shape, np.float32)
        name = split_field(self.field)
        spread = 3 if self.grey else 1
        elements = h * w * c // spread
        by_level = self.form in ("levels", "content")
        for i in range(t):
            peak = self._peak(frames[i], spread, i)
            table = level_table(int(peak)) if by_level else alias_table()
            strength = np.float32(peak), np.float32(at_frame(self.scale, i))
            _add(name, i * elements, by_level, strength, table, spread, frames[i], out[i].reshape(-1))
        return out

    def apply_torch(self, x: Tensor) -> Tensor:
        """Add the same noise and clip to [0, 1]."""
        return self.apply_group([self], [x])[0]

    @classmethod
    def apply_group(cls, draws: Sequence[Self], xs: Sequence[Tensor]) -> list[Tensor]:
        """Make the fields of all clips at once."""
        from degradekit.ops.device.noise import Shot, add_shot

        for draw, x in zip(draws, xs, strict=True):
            draw._check(x.shape[1])
        return add_shot([Shot(d.form, d.scale, d.photons, d.grey, d.field) for d in draws], xs)

    def _peak(self, frame: FloatImage, spread: int, t: int) -> float:
        """Mean count at white of frame ``t``."""
        match self.form:
            case "levels":
                return LEVELS
            case "content":
                return content_peak(frame, spread)
            case "content_bytes":
                return 255 * content_peak(frame, spread)
        return at_frame(self.photons, t)

    def _check(self, c: int) -> None:
        if self.form not in (*FORMS, "content_bytes"):
            raise OpError(f"poisson_noise: the form {self.form!r} is unknown; this build has {', '.join(FORMS)}")
        if self.grey and c != 3:
            raise OpError(f"poisson_noise: grey noise needs RGB, the clip has {c} channels; write grey_probability: 0")


class PoissonNoise(Op):
    """Adds signal-dependent shot noise, as few photons leave it, and clips to [0, 1].

    With v the picture cut to [0, 1] and N the mean count at white, the noise is Poisson(v N) / N - v: without bias
    before the clip, of standard deviation sqrt(v / N). ``photons`` draws N and uses v as it is: every pixel has a
    rate of its own, nothing is rounded. ``levels`` rounds v to 8 bit and takes N = 256, which is what BasicSR's noise
    is on photographs. ``content`` is what BasicSR's code does on any picture: N is 2^ceil(log2 K) for K distinct
    levels, so that a photograph gets 256, a drawing of 16 colours 16 times the variance, and a flat crop 256 times.

    Args:
        form: ``levels``, ``content``, ``photons`` or a choice among them.
        scale_range: Factor on the noise, 0 or more; 1 is Poisson, larger is noisier.
        photons_range: Mean count at white, 1 to 10^6, for ``photons``; larger is cleaner (10^4: 2.5 levels at white).
        grey_probability: Chance that one plane, made from the BT.601 luma, is added to all channels; needs RGB.
        compat: Faults of other software to reproduce. ``byte_range: true`` with form ``content``: N is 255 times as
            large, as in mmagic 1.x, whose pictures lie in 0..255 while N stayed, so that the noise is 16 times weaker.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; every frame has noise and, for ``content``, N of its own.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: Wang, Xie, Dong, Shan, "Real-ESRGAN", 2021, arXiv:2107.10833, appendix A, and BasicSR's
    ``generate_poisson_noise_pt`` (``levels``, ``content``); Zhang, Liang, Van Gool, Timofte, 2021, arXiv:2103.14006,
    section 3.3 (``photons``, drawn log-uniformly on [10^2, 10^4]; differs in not rounding the picture to 8 bit).

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = PoissonNoise.model_validate({"form": "photons", "photons_range": 1000})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "noise"), Geometry(1, 64, 64))
        >>> x = np.full((1, 64, 64, 3), 0.4, np.float32)
        >>> y = draw.apply(x)
        >>> bool(abs(y.std() - (0.4 / 1000) ** 0.5) < 0.0005)
        True
        >>> bool((PoissonNoiseDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "poisson_noise"
    draws: ClassVar[type[Draw]] = PoissonNoiseDraw

    form: Annotated[Pick, Words(*FORMS)] = Pick(("levels",))
    scale_range: Annotated[Dist, Within(0, hint="scale multiplies the noise: 0 or more")] = Const(1.0)
    photons_range: Annotated[Dist, Within(1, 1e6, hint="photons is the mean count at white")] = LogUniform(1e2, 1e4)
    grey_probability: Annotated[Expression, Field(ge=0, le=1)] = 0.0
    compat: dict[Literal["byte_range"], bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _faults_belong_to_content(self) -> Self:
        if self.compat.get("byte_range") and self.form.words != ("content",):
            raise ValueError("compat: byte_range is a fault of form content; write form: content")
        return self

    def draw(self, u: Draws, g: Geometry) -> PoissonNoiseDraw:
        """Choose the form, the strength and whether the noise is grey."""
        form = self.form.draw(u, "form")
        return PoissonNoiseDraw(
            form="content_bytes" if self.compat.get("byte_range") else form,
            scale=self.scale_range.draw(u, "scale", g.t),
            photons=self.photons_range.draw(u, "photons", g.t) if form == "photons" else 0.0,
            grey=u.uniform("grey") < self.grey_probability,
            field=u.field("noise"),
        )


@kernel
def content_peak(x: FloatImage, spread: int) -> int:
    """BasicSR's photon count of a picture: the number of its distinct 8-bit levels, rounded up to a power of two.

    Args:
        x: float32 [n], one frame.
        spread: 1 counts the levels of all channels together, 3 those of the luma.

    Returns:
        1, 2, 4, ..., 256.

    Example:
        >>> content_peak(np.array([0, 0.5, 0.5, 1], np.float32), 1)
        4
    """
    seen = np.zeros(256, np.bool_)
    levels = np.empty(CHUNK, np.float32)
    for start in range(0, x.size // spread, CHUNK):
        end = min(start + CHUNK, x.size // spread)
        _levels(x[spread * start : spread * end], spread, levels[: end - start])
        for level in levels[: end - start]:
            seen[np.uint8(np.int32(level))] = True
        distinct = seen.sum()
        if distinct > 128:  # a photograph gets here within a few thousand pixels
            return 256
    peak = 1
    while peak < distinct:
        peak *= 2
    return peak


@kernel
def _add(
    name: FieldName,
    first: int,
    by_level: bool,
    strength: tuple[np.float32, np.float32],
    table: WordArray,
    spread: int,
    x: FloatImage,
    out: FloatImage,
) -> None:
    """Add scale (Poisson(v peak) / peak - v) for ``strength`` (peak, scale); each count serves ``spread`` values."""
    peak, scale = strength
    step = np.float32(1 / 255) if by_level else np.float32(1)  # a unit of the signal
    words = np.empty((4, BLOCKS), np.uint32)
    flat = np.empty(CHUNK, np.uint32)
    entries = np.empty(CHUNK, np.uint32)
    signal = np.zeros(CHUNK, np.float32)
    rates = np.empty(CHUNK, np.float32)
    noise = np.empty(CHUNK, np.float32)
    for start in range(-(first % 4), x.size // spread, CHUNK):
        block = (first + start) // 4
        low, high = max(start, 0), min(start + CHUNK, x.size // spread)
        part = slice(low - start, high - start)
        if by_level:
            _levels(x[spread * low : spread * high], spread, signal[part])
            fill_flat_words(name, block, words, flat)
            fill_level_counts(flat, signal, peak, table, entries, noise)
        else:
            _light(x[spread * low : spread * high], spread, signal[part])
            for i in range(CHUNK):
                rates[i] = signal[i] * peak
            fill_counts(name, block, rates, table, words, entries, noise)
        for i in range(CHUNK):
            noise[i] = fma(noise[i], np.float32(1) / peak, -(signal[i] * step))
        if spread == 1:
            _add_each(noise[part], scale, x[low:high], out[low:high])
        else:
            _add_grey(noise[part], scale, x[3 * low : 3 * high], out[3 * low : 3 * high])


@inline
def _light(x: FloatImage, spread: int, out: FloatImage) -> None:
    """The picture (spread 1) or its BT.601 luma (spread 3), cut to [0, 1]."""
    if spread == 1:
        for i in range(out.size):
            out[i] = unit(x[i])
    else:
        for i in range(out.size):
            green_blue = fma(np.float32(0.587), x[3 * i + 1], np.float32(0.114) * x[3 * i + 2])
            out[i] = unit(fma(np.float32(0.299), x[3 * i], green_blue))


@inline
def _levels(x: FloatImage, spread: int, out: FloatImage) -> None:
    """The picture or its luma in whole levels 0…255, ties up."""
    _light(x, spread, out)
    for i in range(out.size):
        out[i] = np.floor(fma(out[i], np.float32(255), np.float32(0.5)))


@inline
def _add_each(noise: FloatImage, scale: np.float32, x: FloatImage, out: FloatImage) -> None:
    for i in range(x.size):
        out[i] = unit(fma(scale, noise[i], x[i]))


@inline
def _add_grey(noise: FloatImage, scale: np.float32, x: FloatImage, out: FloatImage) -> None:
    for i in range(noise.size):
        for c in range(3):
            out[3 * i + c] = unit(fma(scale, noise[i], x[3 * i + c]))
