"""Blur kernels by formula, float64, unit sum on the odd lattice on which they are cut off.

With p = (x, y), x to the right and y down, both -r..r, r = (size - 1) / 2, and c, s the cosine and sine of the
rotation, every family but the sinc is a profile of

    m(p) = A x^2 + 2 B x y + C y^2
    A = c^2 / sx^2 + s^2 / sy^2      B = s c (1 / sx^2 - 1 / sy^2)      C = s^2 / sx^2 + c^2 / sy^2

the squared distance from the centre in units of the two sigmas, the first of which lies along the direction
(c, s): a positive rotation turns it from the x axis towards the y axis, clockwise as displayed.

Source: X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
Data", arXiv:2107.10833 (families, sinc filter); Y.-Q. Liu, X. Du, H.-L. Shen, S.-J. Chen, "Estimating Generalized
Gaussian Blur Kernels for Out-of-Focus Image Deblurring", IEEE Trans. Circuits Syst. Video Technol. 31(3), 2021.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.special import j1

from degradekit.types import Array

__all__ = [
    "effective_sigma",
    "gaussian",
    "gaussian_taps",
    "generalized_gaussian",
    "opencv_sigma",
    "plateau",
    "sinc",
]


def gaussian_taps(size: int, sigma: float) -> Array:
    """One-dimensional Gaussian, whose outer product with itself is :func:`gaussian` with both sigmas equal.

    Args:
        size: Odd number of taps.
        sigma: Standard deviation in px before the cut, > 0.

    Returns:
        float64 ``[size]``.

    Example:
        >>> gaussian_taps(3, 0.5).round(4).tolist()
        [0.1065, 0.787, 0.1065]
    """
    offsets = np.arange(size) - size // 2
    return _unit_sum(np.exp(-0.5 / (sigma * sigma) * (offsets * offsets)))


def opencv_sigma(size: int) -> float:
    """The sigma in px that OpenCV takes for a Gaussian of ``size`` taps when it is asked for sigma 0.

    Example:
        >>> round(opencv_sigma(51), 6)
        8.0
    """
    return 0.3 * ((size - 1) * 0.5 - 1) + 0.8


def gaussian(size: int, sigma_x: float, sigma_y: float, rotation: float = 0.0) -> Array:
    """Gaussian exp(-m / 2): defocus and motion of many small causes.

    Args:
        size: Odd side in px.
        sigma_x: Standard deviation in px along the rotated x axis, > 0; larger blurs more.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.

    Returns:
        float64 ``[size, size]``.

    Example:
        >>> taps = gaussian_taps(7, 1.2)
        >>> bool(np.allclose(gaussian(7, 1.2, 1.2), np.outer(taps, taps)))
        True
    """
    if sigma_x == sigma_y:
        taps = gaussian_taps(size, sigma_x)
        return np.outer(taps, taps)
    weights = np.exp(-0.5 * _distance(size, sigma_x, sigma_y, rotation))
    return _unit_sum(weights)


def generalized_gaussian(size: int, sigma_x: float, sigma_y: float, rotation: float, beta: float) -> Array:
    """Generalized Gaussian exp(-m^beta / 2): flatter and steeper than a Gaussian for beta above 1, peaked below.

    Args:
        size: Odd side in px.
        sigma_x: Scale in px along the rotated x axis, > 0. It is the standard deviation only for beta = 1: on the
            whole plane that is 3.46 times as large for beta 0.5, and 0.63 and 0.54 times for beta 2 and 4.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.
        beta: Shape, > 0; larger comes closer to a flat disc.

    Returns:
        float64 ``[size, size]``.
    """
    if sigma_x == sigma_y:
        squared, where = _radii(size)
        return _unit_sum(np.exp(-0.5 * (squared / (sigma_x * sigma_x)) ** beta)[where])
    return _unit_sum(np.exp(-0.5 * _distance(size, sigma_x, sigma_y, rotation) ** beta))


def plateau(size: int, sigma_x: float, sigma_y: float, rotation: float, beta: float) -> Array:
    """Plateau 1 / (1 + m^beta): a flat top with long tails, which the side of the kernel cuts off.

    Args:
        size: Odd side in px.
        sigma_x: Distance in px along the rotated x axis at which the weight is half of the centre's, > 0.
        sigma_y: The same across it.
        rotation: Radians from the x axis towards the y axis.
        beta: Shape, > 0; larger has a flatter top and steeper flanks. The tail falls as r^(-2 beta): at beta = 1 the
            kernel is a Lorentzian, and its width is set by ``size`` as much as by the sigmas.

    Returns:
        float64 ``[size, size]``.
    """
    if sigma_x == sigma_y:
        squared, where = _radii(size)
        return _unit_sum((1 / (1 + (squared / (sigma_x * sigma_x)) ** beta))[where])
    return _unit_sum(1 / (1 + _distance(size, sigma_x, sigma_y, rotation) ** beta))


def sinc(size: int, cutoff: float) -> Array:
    """Ideal circular low-pass filter, cut off by a square window without taper: it leaves ringing around edges.

    The inverse Fourier transform of the disc of radius ``cutoff``: w J1(w r) / (2 pi r), w^2 / (4 pi) at the
    centre. The first negative lobe begins at r = 3.83 / w: a kernel that ends before it blurs without ringing.

    Args:
        size: Odd side in px.
        cutoff: w in radians per px, in (0, pi]; smaller removes more. Even pi is no identity, because it removes the
            corners of the spectrum.

    Returns:
        float64 ``[size, size]``, with negative weights in general.
    """
    squared, where = _radii(size)
    radius = np.sqrt(squared)
    radius[0] = 1.0
    profile = cutoff * j1(cutoff * radius) / (2 * math.pi * radius)
    profile[0] = cutoff * cutoff / (4 * math.pi)
    return _unit_sum(profile[where])


def effective_sigma(kernel: Array) -> float:
    """Width in px that a kernel has after it was cut off: the square root of its second moment, averaged over x and y.

    What a nominal sigma promises and a small lattice keeps differ: size 7 and sigma 3 make 1.84 px.

    Args:
        kernel: ``[ky, kx]``, odd sides, unit sum.

    Returns:
        Standard deviation around the centre of the lattice; 0 where negative lobes make the second moment negative.

    Example:
        >>> round(effective_sigma(gaussian(41, 2.0, 2.0)), 3), round(effective_sigma(gaussian(7, 3.0, 3.0)), 2)
        (2.0, 1.84)
    """
    y, x = (np.arange(side) - side // 2 for side in kernel.shape)
    moment = float(kernel.sum(axis=1) @ (y * y) + kernel.sum(axis=0) @ (x * x))
    return math.sqrt(max(moment, 0.0) / 2)


def _unit_sum(weights: Array) -> Array:
    weights /= weights.sum()
    return weights


def _distance(size: int, sigma_x: float, sigma_y: float, rotation: float) -> Array:
    """m(p) of the module's docstring."""
    xx, xy, yy = _products(size)
    c, s = math.cos(rotation), math.sin(rotation)
    p, q = 1 / (sigma_x * sigma_x), 1 / (sigma_y * sigma_y)
    return (c * c * p + s * s * q) * xx + (2 * s * c * (p - q)) * xy + (s * s * p + c * c * q) * yy


@lru_cache(maxsize=64)
def _products(size: int) -> tuple[Array, Array, Array]:
    # Cached because it is half of the 20 us that a kernel takes, and sizes are few; read-only.
    x = np.arange(size, dtype=np.float64) - size // 2
    grids = np.tile(x * x, (size, 1)), np.outer(x, x), np.repeat(x * x, size).reshape(size, size)
    for grid in grids:
        grid.flags.writeable = False
    return grids


@lru_cache(maxsize=64)
def _radii(size: int) -> tuple[Array, Array]:
    """Distinct squared distances of the lattice from its centre, rising, and which of them each point has."""
    # Cached for the same reason; a 21x21 lattice has 52 distances, so a profile is computed 52 times and not 441.
    xx, _, yy = _products(size)
    squared, where = np.unique(xx + yy, return_inverse=True)
    grids = squared, where.reshape(size, size)
    for grid in grids:
        grid.flags.writeable = False
    return grids
