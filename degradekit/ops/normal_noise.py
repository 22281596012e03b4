"""Normal noise that is added to a clip or multiplied by it, with four relations between its colours.

===============  ====================================================================================================
``independent``  every channel has noise of its own
``grey``         one plane for red, green and blue: noise of the luma alone, the colour differences stay
``chroma``       noise of the two colour differences (BT.601 Cb and Cr, sigma each), the luma stays
``full``         channels mixed by a random covariance sigma^2 |U^T diag(d) U|, d uniform on [0, 1]^3, U a rotation
===============  ====================================================================================================

``chroma`` and ``full`` mix three independent normal numbers of a pixel by a lower triangular 3x3 matrix M, with
M M^T the covariance of the colours at sigma 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Self, TypeAlias

import numpy as np

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.fields import BLOCKS, CHUNK, FieldName, fill_normals, fma, split_field, unit
from degradekit.jit import inline, kernel
from degradekit.ops.base import Draw, Op, Parity, at_frame, close
from degradekit.ops.colour import LUMA
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CORRELATIONS", "NormalNoise", "NormalNoiseDraw", "add_noise", "draw_mix", "random_rotation"]

_EACH, _GREY, _MIXED = 0, 1, 2
_KINDS = {"independent": _EACH, "grey": _GREY, "chroma": _MIXED, "full": _MIXED}
CORRELATIONS: tuple[str, ...] = tuple(_KINDS)

Gain: TypeAlias = tuple[np.float32, np.float32]
"""(a, b): the noise of a sample x is multiplied by a + b x."""


@dataclass(frozen=True, slots=True)
class NormalNoiseDraw(Draw):
    """Noise of one determined strength; the noise itself is regenerated from ``field``.

    Args:
        sigma: Standard deviation in [0, 1], at white where it is multiplied; for the clip or for each frame.
        correlation: ``independent``, ``grey``, ``chroma`` or ``full``.
        mix: Matrix of a mixture of the channels; empty for the others.
        field: Name of the normal field.
    """

    unlisted: ClassVar[frozenset[str]] = frozenset({"field", "mix"})
    parity: ClassVar[Parity] = close(0.001)
    speckle: ClassVar[bool] = False

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
            speckle=self.speckle,
        )

    def apply_torch(self, x: Tensor) -> Tensor:
        """Add the same noise and clip to [0, 1]."""
        return self.apply_group([self], [x])[0]

    @classmethod
    def apply_group(cls, draws: Sequence[Self], xs: Sequence[Tensor]) -> list[Tensor]:
        """Make the fields of all clips at once."""
        from degradekit.ops.device.noise import Normal, add_normal

        for draw, x in zip(draws, xs, strict=True):
            need_colours(cls.name, draw.correlation, x.shape[1])
        return add_normal([Normal(d.sigma, d.correlation, d.mix, d.field, cls.speckle) for d in draws], xs)


class NormalNoise(Op):
    """Ranges that ``gaussian_noise`` and ``speckle_noise`` have in common."""

    draws: ClassVar[type[NormalNoiseDraw]]

    sigma_range: Annotated[Dist, Within(0, 1, hint="sigma is in [0, 1]: write 25/255")]
    correlation: Annotated[Pick, Words(*CORRELATIONS)] = Pick(("independent",))

    def draw(self, u: Draws, g: Geometry) -> NormalNoiseDraw:
        """Choose sigma, the correlation and, for ``full``, the covariance."""
        correlation = self.correlation.draw(u, "correlation")
        sigma = self.sigma_range.draw(u, "sigma", g.t)
        return self.draws(sigma, correlation, draw_mix(correlation, u), u.field("noise"))


def add_noise(
    x: FloatImage, op: str, *, sigma: Series, correlation: str, mix: tuple[float, ...], field: str, speckle: bool
) -> FloatImage:
    """Add noise and clip to [0, 1].

    Element of the field: ``independent`` ((t H + y) W + x) C + c; ``grey`` (t H + y) W + x; mixtures
    4 ((t H + y) W + x) + c, so that a pixel has a block of its own.

    Args:
        x: float32 ``[T, H, W, C]``.
        op: Name for errors.
        sigma: Standard deviation in [0, 1], for the clip or for each frame.
        correlation: One of ``CORRELATIONS``.
        mix: From :func:`draw_mix`.
        field: Name of the normal field.
        speckle: Multiply the noise of each sample by the sample.

    Raises:
        OpError: Anything but ``independent`` on a clip that has not three channels.
    """
    t, h, w, c = x.shape
    kind = _KINDS[correlation]
    need_colours(op, correlation, c)
    frames = np.ascontiguousarray(x, np.float32).reshape(t, -1)
    out = np.empty(x.shape, np.float32)
    name = split_field(field)
    elements = h * w * (c, 1, 4)[kind]
    gain = (np.float32(0), np.float32(1)) if speckle else (np.float32(1), np.float32(0))
    for i in range(t):
        matrix = (np.asarray(mix or (1.0,), np.float64) * at_frame(sigma, i)).astype(np.float32)
        _add(name, i * elements, elements, kind, matrix, gain, frames[i], out[i].reshape(-1))
    return out


def need_colours(op: str, correlation: str, channels: int) -> None:
    """Refuse noise that relates three colours on a clip that has not three channels.

    Raises:
        OpError: It has not.
    """
    if channels != 3 and correlation != "independent":
        raise OpError(
            f"{op}: correlation {correlation} needs RGB, the clip has {channels} channels; "
            "write correlation: independent"
        )


def draw_mix(correlation: str, u: Draws) -> tuple[float, ...]:
    """The matrix M of a mixture, row by row; empty for the others."""
    if correlation == "chroma":
        return _chroma_mix()
    return random_mix(u) if correlation == "full" else ()


def _chroma_mix() -> tuple[float, ...]:
    """Red, green and blue of one unit of Cr and of Cb."""
    red, green, blue = LUMA["bt601"]
    cr, cb = 2 - 2 * red, 2 - 2 * blue
    return (cr, 0.0, 0.0, -cr * red / green, -cb * blue / green, 0.0, 0.0, cb, 0.0)


def random_mix(u: Draws) -> tuple[float, ...]:
    """Lower triangular M with M M^T = |U^T diag(d) U|, rounded to 7 digits.

    The absolute value of a 3x3 covariance is a covariance again: it raises the determinant and keeps the minors.
    """
    d = [u.uniform("variance", i) for i in range(3)]
    r = random_rotation(*(u.uniform("rotation", i) for i in range(3)))
    s = [[abs(sum(r[k][i] * d[k] * r[k][j] for k in range(3))) for j in range(3)] for i in range(3)]
    m = [[0.0] * 3 for _ in range(3)]
    for i in range(3):
        for j in range(i + 1):
            rest = s[i][j] - sum(m[i][k] * m[j][k] for k in range(j))
            m[i][j] = math.sqrt(max(rest, 0.0)) if i == j else (rest / m[j][j] if m[j][j] else 0.0)
    return tuple(float(f"{value:.7g}") for row in m for value in row)


def random_rotation(a: float, b: float, c: float) -> list[list[float]]:
    """Uniformly distributed rotation from three uniform numbers.

    Source: K. Shoemake, "Uniform random rotations", Graphics Gems III, 1992.
    """
    long, short = math.sqrt(a), math.sqrt(1 - a)
    x, y = short * math.sin(2 * math.pi * b), short * math.cos(2 * math.pi * b)
    z, w = long * math.sin(2 * math.pi * c), long * math.cos(2 * math.pi * c)
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]


@kernel
def _add(
    name: FieldName, first: int, count: int, kind: int, mix: Array, gain: Gain, x: FloatImage, out: FloatImage
) -> None:
    """Add ``count`` elements of the field from ``first`` on; ``mix`` is sigma, or sigma M for a mixture."""
    words = np.empty((4, BLOCKS), np.uint32)
    normals = np.empty(CHUNK, np.float32)
    for start in range(-(first % 4), count, CHUNK):
        fill_normals(name, (first + start) // 4, words, normals)
        low, high = max(start, 0), min(start + CHUNK, count)
        z = normals[low - start : high - start]
        if kind == _EACH:
            _add_independent(z, mix[0], gain, x[low:high], out[low:high])
        elif kind == _GREY:
            _add_grey(z, mix[0], gain, x[3 * low : 3 * high], out[3 * low : 3 * high])
        else:
            at, end = low // 4 * 3, high // 4 * 3
            _add_mixed(z, mix, gain, x[at:end], out[at:end])


@inline
def _add_independent(z: FloatImage, sigma: np.float32, gain: Gain, x: FloatImage, out: FloatImage) -> None:
    for i in range(x.size):
        out[i] = unit(fma(sigma * fma(gain[1], x[i], gain[0]), z[i], x[i]))


@inline
def _add_grey(z: FloatImage, sigma: np.float32, gain: Gain, x: FloatImage, out: FloatImage) -> None:
    for i in range(z.size):
        for c in range(3):
            value = x[3 * i + c]
            out[3 * i + c] = unit(fma(sigma * fma(gain[1], value, gain[0]), z[i], value))


@inline
def _add_mixed(z: FloatImage, mix: FloatImage, gain: Gain, x: FloatImage, out: FloatImage) -> None:
    m00, m10, m11, m20, m21, m22 = mix[0], mix[3], mix[4], mix[6], mix[7], mix[8]
    for i in range(z.size // 4):
        r, g, b = z[4 * i], z[4 * i + 1], z[4 * i + 2]
        red, green, blue = x[3 * i], x[3 * i + 1], x[3 * i + 2]
        here = fma(gain[1], red, gain[0])
        out[3 * i] = unit(fma(here * m00, r, red))
        here = fma(gain[1], green, gain[0])
        out[3 * i + 1] = unit(fma(here * m10, r, fma(here * m11, g, green)))
        here = fma(gain[1], blue, gain[0])
        out[3 * i + 2] = unit(fma(here * m20, r, fma(here * m21, g, fma(here * m22, b, blue))))
