"""Gaussian blur that also shifts, so that taking every s-th pixel afterwards samples the middle of its block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from degradekit.dist import Dist, Within
from degradekit.ops.base import HELD, Draw, Op
from degradekit.ops.filter import FilterDraw, Kernels
from degradekit.ops.kernels import gaussian_taps
from degradekit.rng import Draws
from degradekit.types import Affine, Array, FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ShiftedGaussian", "ShiftedGaussianDraw", "shifted_taps"]


def shifted_taps(size: int, sigma: float, shift: float) -> Array:
    """A Gaussian of which every tap is shared by the two pixels next to its shifted place.

    Linear shares keep the centre of gravity exactly at ``shift``; half a pixel widens the Gaussian by 1/4 px^2. An even
    number of taps lies half a pixel off by itself, so that half-pixel shifts share nothing and widen nothing.

    Args:
        size: Number of taps before the shift.
        sigma: Standard deviation in px.
        shift: In px, to the right.

    Returns:
        float64, an odd number, ``size + 2 ceil(|shift|)`` or one more, unit sum.

    Example:
        >>> shifted_taps(1, 1.0, 0.5).tolist(), shifted_taps(1, 1.0, -2).tolist()
        ([0.0, 0.5, 0.5], [1.0, 0.0, 0.0, 0.0, 0.0])
        >>> shifted_taps(2, 1.0, 0.5).tolist()
        [0.0, 0.0, 0.5, 0.5, 0.0]
    """
    even = size % 2 == 0
    room = math.ceil(abs(shift))
    rest = shift - 0.5 * even
    whole = math.floor(rest)
    taps = np.zeros(size + even + 2 * room + 1)
    first = room + whole + even
    taps[first : first + size] = (1 - (rest - whole)) * gaussian_taps(size, sigma)
    taps[first + 1 : first + 1 + size] += (rest - whole) * gaussian_taps(size, sigma)
    return taps[:-1]


def _kernel(size: int, shift: float, sigma: float) -> Array:
    taps = shifted_taps(size, sigma, shift)
    return np.outer(taps, taps)


@dataclass(frozen=True, slots=True)
class ShiftedGaussianDraw(FilterDraw):
    """A convolution with one shifted Gaussian, or one for each frame.

    Args:
        size: Side of the kernel in px before the shift.
        sigma: Standard deviation in px.
        shift: Pixel (x, y) shows what was at (x + shift, y + shift), in px.
        border: ``reflect`` or ``repeat``.
    """

    name: ClassVar[str] = "shifted_gaussian"
    unlisted: ClassVar[frozenset[str]] = frozenset({"border"})

    size: int
    sigma: Series
    shift: float
    border: str = "reflect"

    def kernels(self) -> Kernels:
        """One shifted Gaussian."""
        return Kernels(partial(_kernel, self.size, self.shift), (self.sigma,))

    def apply(self, x: FloatImage) -> FloatImage:
        """Convolve every channel."""
        if self.border == "reflect":
            return super(ShiftedGaussianDraw, self).apply(x)
        reach = self._reach
        wide = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
        y = super(ShiftedGaussianDraw, self).apply(wide)
        return np.ascontiguousarray(y[:, reach:-reach, reach:-reach]) if reach else y

    def apply_torch(self, x: Tensor) -> Tensor:
        """Convolve every channel."""
        from torch.nn.functional import pad

        if self.border == "reflect":
            return super(ShiftedGaussianDraw, self).apply_torch(x)
        reach, (h, w) = self._reach, x.shape[-2:]
        wide = super(ShiftedGaussianDraw, self).apply_torch(pad(x, (reach,) * 4, mode="replicate"))
        return wide[..., reach : reach + h, reach : reach + w]

    @property
    def _reach(self) -> int:
        return self.size // 2 + math.ceil(abs(self.shift))

    def grid(self, g: Geometry) -> Affine:
        """The shift."""
        return (1.0, 0.0, float(self.shift), 0.0, 1.0, float(self.shift))


class ShiftedGaussian(Op):
    """Blurs with a Gaussian and moves the picture by a fraction of a pixel at the same time.

    Before a :class:`~degradekit.ops.subsample.Subsample` with step s and offset 0, a shift of (s - 1) / 2 makes each
    kept pixel show the middle of its s x s block, as every other way of shrinking does: "nearest" without its shift.

    Args:
        size_range: Side of the kernel in px before the shift, whole numbers 1 to 51. What lies outside is cut off.
            An even side lies half a pixel off by itself: with a shift of 0.5 it is MATLAB's ``fspecial`` of that side.
        sigma_range: Standard deviation in px at this step's resolution; larger blurs more.
        shift_range: In px, right and down alike, -25 to 25: pixel (x, y) shows what was at (x + shift, y + shift).
        border: How the picture continues outside: ``reflect``, without repeating the outermost pixels, or ``repeat``,
            with nothing but them.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``; the alignment records the shift.

    Range: float32, as encoded (not in linear light); a mean of the input, so it stays in the input's range within the
    0.25/255 that :mod:`degradekit.ops.convolve` may be off.

    Source: K. Zhang, J. Liang, L. Van Gool, R. Timofte, "Designing a practical degradation model for deep blind image
    super-resolution", 2021, arXiv:2103.14006, section 3.2 (D_nearest). Differs in keeping the part of the kernel that
    its code pushes over the edge of the lattice.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = ShiftedGaussian.model_validate({"size_range": 25, "sigma_range": [0.1, 2.4], "shift_range": 1.5})
        >>> draw = op.draw(Draws(sample_key(0, "cat.png", 0), "blur"), Geometry(1, 64, 64))
        >>> x = np.zeros((1, 64, 64, 3), np.float32) + np.linspace(0, 1, 64, dtype=np.float32)[:, None]
        >>> y = draw.apply(x)
        >>> bool(abs((y - x)[0, 32, 32, 0] - 1.5 / 63) < 1e-3)
        True
        >>> bool((ShiftedGaussianDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "shifted_gaussian"
    draws: ClassVar[type[Draw]] = ShiftedGaussianDraw

    size_range: Annotated[Dist, Within(1, 51, integer=True), HELD]
    sigma_range: Annotated[Dist, Within(0.01, 50, hint="sigma is in px")]
    shift_range: Annotated[Dist, Within(-25, 25, hint="the shift is in px"), HELD]
    border: Literal["reflect", "repeat"] = "reflect"

    def draw(self, u: Draws, g: Geometry) -> ShiftedGaussianDraw:
        """Choose the size, the sigma and the shift."""
        size, sigma = int(self.size_range.sample(u, "size")), self.sigma_range.draw(u, "sigma", g.t)
        return ShiftedGaussianDraw(size, sigma, self.shift_range.sample(u, "shift"), self.border)
