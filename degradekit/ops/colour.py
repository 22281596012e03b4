"""Pixel maths that the colour ops share: numbers per frame, luma, and Y'CbCr.

Plain float32 arithmetic in a fixed order, one rounding an operation; nothing here depends on the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from degradekit.errors import OpError
from degradekit.ops.base import at_frame
from degradekit.types import Array, FloatImage, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LUMA", "by_frame", "clip01", "from_ycbcr", "luma", "need_rgb", "to_ycbcr"]

LUMA: dict[str, tuple[float, float, float]] = {
    "bt601": (0.299, 0.587, 0.114),
    "bt709": (0.2126, 0.7152, 0.0722),
    "bt2020": (0.2627, 0.6780, 0.0593),
}
"""Weights of red, green and blue in luma: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (non-constant luminance)."""


def by_frame(value: Series, t: int) -> FloatImage:
    """A drawn number as float32 [t, 1, 1, 1], ready to meet a clip.

    Example:
        >>> by_frame((0.5, 2.0), 2).ravel().tolist()
        [0.5, 2.0]
    """
    return np.array([at_frame(value, i) for i in range(t)], np.float32).reshape(t, 1, 1, 1)


def clip01(x: FloatImage) -> FloatImage:
    """Cut to [0, 1] in place."""
    return np.clip(x, np.float32(0), np.float32(1), out=x)


def need_rgb(x: Array | Tensor, name: str, axis: int = -1) -> None:
    """Refuse a clip that has not three channels, which lie along ``axis``.

    Raises:
        OpError: It has not.
    """
    if x.shape[axis] != 3:
        raise OpError(f"{name} works on RGB, the clip has {x.shape[axis]} channels; leave the op out for such data")


def luma(x: FloatImage, weights: tuple[float, float, float] = LUMA["bt601"]) -> FloatImage:
    """Weighted sum of red, green and blue of sRGB-encoded samples, float32 ``[T, H, W]``.

    Example:
        >>> round(luma(np.float32([[[[1, 0, 0]]]])).item(), 6)
        0.299
    """
    red, green, blue = (np.float32(weight) for weight in weights)
    out = x[..., 0] * red
    out += x[..., 1] * green
    out += x[..., 2] * blue
    return out


def to_ycbcr(x: FloatImage, matrix: str) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Luma in [0, 1] and the two colour differences in [-1/2, 1/2], each ``[T, H, W]``.

    Args:
        x: RGB.
        matrix: Name in :data:`LUMA`.

    Source: ITU-R BT.601-7, section 2.5: Cb = (B - Y) / (2 - 2 K_B), Cr = (R - Y) / (2 - 2 K_R).
    """
    k_red, _, k_blue = LUMA[matrix]
    y = luma(x, LUMA[matrix])
    cb, cr = x[..., 2] - y, x[..., 0] - y
    cb *= np.float32(0.5 / (1 - k_blue))
    cr *= np.float32(0.5 / (1 - k_red))
    return y, cb, cr


def from_ycbcr(y: FloatImage, cb: FloatImage, cr: FloatImage, matrix: str) -> FloatImage:
    """The RGB clip of :func:`to_ycbcr`'s planes, not clipped.

    Example:
        >>> x = np.float32([[[[0.2, 0.9, 0.4], [1, 0, 0]]]])
        >>> bool(np.allclose(from_ycbcr(*to_ycbcr(x, "bt709"), "bt709"), x, atol=1e-6))
        True
    """
    k_red, k_green, k_blue = LUMA[matrix]
    out = np.empty((*y.shape, 3), np.float32)
    np.add(y, cr * np.float32(2 - 2 * k_red), out=out[..., 0])
    np.add(y, cb * np.float32(2 - 2 * k_blue), out=out[..., 2])
    green = cb * np.float32(-2 * k_blue * (1 - k_blue) / k_green)
    green += cr * np.float32(-2 * k_red * (1 - k_red) / k_green)
    np.add(y, green, out=out[..., 1])
    return out
