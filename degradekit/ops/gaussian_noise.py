"""Gaussian noise: independent in each channel, one plane for all, or with a random colour covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from degradekit.dist import Dist, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.fields import BLOCKS, CHUNK, FieldName, fill_normals, fma, split_field, unit
from degradekit.jit import inline, kernel
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry, Series

__all__ = ["GaussianNoise", "GaussianNoiseDraw"]

_INDEPENDENT, _GREY, _FULL = 0, 1, 2
_KINDS = {"independent": _INDEPENDENT, "grey": _GREY, "full": _FULL}


@dataclass(frozen=True, slots=True)
class GaussianNoiseDraw(Draw):
    """Noise of one determined strength; the noise itself is regenerated from ``field``.

    Args:
        sigma: Standard deviation in [0, 1], for the clip or for each frame.
        correlation: ``independent``, ``grey`` or ``full``.
        mix: Lower triangular 3x3 matrix M, row by row, with M M^T the colour covariance at sigma 1; empty unless
            ``full``.
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

        Element of the field: ``independent`` ((t H + y) W + x) C + c; ``grey`` (t H + y) W + x; ``full``
        4 ((t H + y) W + x) + c, so that a pixel has a block of its own.

        Raises:
            OpError: ``grey`` or ``full`` on a clip that has not three channels.
        """
        t, h, w, c = x.shape
        kind = _KINDS[self.correlation]
        if c != 3 and kind != _INDEPENDENT:
            raise OpError(
                f"gaussian_noise: correlation {self.correlation} needs RGB, the clip has {c} channels; "
                f"write correlation: independent"
            )
        frames = np.ascontiguousarray(x, np.float32).reshape(t, -1)
        out = np.empty(x.shape, np.float32)
        name = split_field(self.field)
        elements = h * w * (c, 1, 4)[kind]
        for i in range(t):
            sigma = at_frame(self.sigma, i)
            mix = np.asarray(self.mix or (1.0,), np.float64) * sigma
            _add(name, i * elements, elements, kind, mix.astype(np.float32), frames[i], out[i].reshape(-1))
        return out


class GaussianNoise(Op):
    """Adds white Gaussian noise, as the read-out noise of a sensor, and clips to [0, 1].

    ``independent`` draws every channel of every pixel anew. ``grey`` draws one plane and adds it to red, green and
    blue alike, as noise looks that was luma noise. ``full`` mixes the channels by a random covariance
    |sigma^2 U^T diag(d) U| with d uniform on [0, 1]^3 and U a random rotation, as demosaicking leaves it: a variance
    of half sigma^2 on average, and correlations between channels of 0.24 on average.

    Args:
        sigma_range: Standard deviation in [0, 1] (recipes may write 25/255); larger is noisier, 0 leaves the image.
        correlation: Between the channels: one of ``independent``, ``grey``, ``full``, or a choice among them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; every frame has noise of its own. ``grey`` and ``full`` need C = 3.

    Range: float32 sRGB in [0, 1]; saturates.

    Source: Zhang, Liang, Van Gool, Timofte, "Designing a practical degradation model for deep blind image
    super-resolution", 2021, arXiv:2103.14006, section 3.3 (all three); Real-ESRGAN, arXiv:2107.10833 (the first two).
    Differs from BSRGAN in U, which there is the left singular basis of a uniform(0, 1) matrix and so leans to grey.

    Example:
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
    correlation: Annotated[Pick, Words(*_KINDS)] = Pick(("independent",))

    def draw(self, u: Draws, g: Geometry) -> GaussianNoiseDraw:
        """Choose sigma, the correlation and, for ``full``, the covariance."""
        correlation = self.correlation.draw(u, "correlation")
        return GaussianNoiseDraw(
            sigma=self.sigma_range.draw(u, "sigma", g.t),
            correlation=correlation,
            mix=_random_mix(u) if correlation == "full" else (),
            field=u.field("noise"),
        )


def _random_mix(u: Draws) -> tuple[float, ...]:
    """Lower triangular M with M M^T = |U^T diag(d) U|, rounded to 7 digits.

    The absolute value of a 3x3 covariance is a covariance again: it raises the determinant and keeps the minors.
    """
    d = [u.uniform("variance", i) for i in range(3)]
    r = _random_rotation(*(u.uniform("rotation", i) for i in range(3)))
    s = [[abs(sum(r[k][i] * d[k] * r[k][j] for k in range(3))) for j in range(3)] for i in range(3)]
    m = [[0.0] * 3 for _ in range(3)]
    for i in range(3):
        for j in range(i + 1):
            rest = s[i][j] - sum(m[i][k] * m[j][k] for k in range(j))
            m[i][j] = math.sqrt(max(rest, 0.0)) if i == j else (rest / m[j][j] if m[j][j] else 0.0)
    return tuple(float(f"{value:.7g}") for row in m for value in row)


def _random_rotation(a: float, b: float, c: float) -> list[list[float]]:
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
def _add(name: FieldName, first: int, count: int, kind: int, mix: Array, x: FloatImage, out: FloatImage) -> None:
    """Add ``count`` elements of the field from ``first`` on; ``mix`` is sigma, or sigma M for ``full``."""
    words = np.empty((4, BLOCKS), np.uint32)
    normals = np.empty(CHUNK, np.float32)
    for start in range(-(first % 4), count, CHUNK):
        fill_normals(name, (first + start) // 4, words, normals)
        low, high = max(start, 0), min(start + CHUNK, count)
        z = normals[low - start : high - start]
        if kind == _INDEPENDENT:
            _add_independent(z, mix[0], x[low:high], out[low:high])
        elif kind == _GREY:
            _add_grey(z, mix[0], x[3 * low : 3 * high], out[3 * low : 3 * high])
        else:
            at, end = low // 4 * 3, high // 4 * 3
            _add_full(z, mix, x[at:end], out[at:end])


@inline
def _add_independent(z: FloatImage, sigma: np.float32, x: FloatImage, out: FloatImage) -> None:
    for i in range(x.size):
        out[i] = unit(fma(sigma, z[i], x[i]))


@inline
def _add_grey(z: FloatImage, sigma: np.float32, x: FloatImage, out: FloatImage) -> None:
    for i in range(z.size):
        for c in range(3):
            out[3 * i + c] = unit(fma(sigma, z[i], x[3 * i + c]))


@inline
def _add_full(z: FloatImage, mix: FloatImage, x: FloatImage, out: FloatImage) -> None:
    m00, m10, m11, m20, m21, m22 = mix[0], mix[3], mix[4], mix[6], mix[7], mix[8]
    for i in range(z.size // 4):
        r, g, b = z[4 * i], z[4 * i + 1], z[4 * i + 2]
        out[3 * i] = unit(fma(m00, r, x[3 * i]))
        out[3 * i + 1] = unit(fma(m10, r, fma(m11, g, x[3 * i + 1])))
        out[3 * i + 2] = unit(fma(m20, r, fma(m21, g, fma(m22, b, x[3 * i + 2]))))
