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

Compiled, because a kernel is made between two images: 2 us on warm caches and 20 on cold ones, where numpy takes 10 to
15 and 50 to 65.
"""

from __future__ import annotations

import math

import numpy as np

from degradekit.jit import inline, kernel
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
        size: Number of taps; the middle of an even one lies between two of them.
        sigma: Standard deviation in px before the cut, > 0.

    Returns:
        float64 ``[size]``.

    Example:
        >>> gaussian_taps(3, 0.5).round(4).tolist()
        [0.1065, 0.787, 0.1065]
    """
    offsets = np.arange(size) - (size - 1) / 2
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
    return _elliptic(size, float(sigma_x), float(sigma_y), float(rotation), 1.0, False)


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
    return _elliptic(size, float(sigma_x), float(sigma_y), float(rotation), float(beta), False)


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
    return _elliptic(size, float(sigma_x), float(sigma_y), float(rotation), float(beta), True)


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
    return _jinc(size, float(cutoff))


def effective_sigma(weights: Array) -> float:
    """Width in px that a kernel has after it was cut off: the square root of its second moment, averaged over x and y.

    What a nominal sigma promises and a small lattice keeps differ: size 7 and sigma 3 make 1.84 px.

    Args:
        weights: ``[ky, kx]``, odd sides, unit sum.

    Returns:
        Standard deviation around the centre of the lattice; 0 where negative lobes make the second moment negative.

    Example:
        >>> round(effective_sigma(gaussian(41, 2.0, 2.0)), 3), round(effective_sigma(gaussian(7, 3.0, 3.0)), 2)
        (2.0, 1.84)
    """
    y, x = (np.arange(side) - side // 2 for side in weights.shape)
    moment = float(weights.sum(axis=1) @ (y * y) + weights.sum(axis=0) @ (x * x))
    return math.sqrt(max(moment, 0.0) / 2)


def _unit_sum(weights: Array) -> Array:
    weights /= weights.sum()
    return weights


@kernel
def _elliptic(size: int, sigma_x: float, sigma_y: float, rotation: float, beta: float, is_plateau: bool) -> Array:
    """Unit-sum profile of m(p)^beta: exp(-m^beta / 2) or 1 / (1 + m^beta)."""
    # Callers pass floats: an int would be a signature of its own, and compile again.
    c, s = math.cos(rotation), math.sin(rotation)
    p, q = 1.0 / (sigma_x * sigma_x), 1.0 / (sigma_y * sigma_y)
    xx, xy, yy = c * c * p + s * s * q, 2.0 * s * c * (p - q), s * s * p + c * c * q
    weights, last, reach = np.empty(size * size), size * size - 1, size // 2
    total = 0.0
    for k in range(last // 2 + 1):  # the other half mirrors it
        y, x = k // size - reach, k % size - reach
        m = max(xx * x * x + xy * x * y + yy * y * y, 0.0)
        if beta != 1.0:
            m **= beta
        weight = 1.0 / (1.0 + m) if is_plateau else math.exp(-0.5 * m)
        weights[k] = weights[last - k] = weight
        total += weight if 2 * k == last else 2.0 * weight
    return (weights / total).reshape(size, size)


@kernel
def _jinc(size: int, cutoff: float) -> Array:
    """Unit-sum circular low-pass filter: one value for each of the eight points at the same (|x|, |y|)."""
    weights, total, c = np.empty((size, size)), 0.0, size // 2
    for y in range(c + 1):
        for x in range(y + 1):
            radius = math.sqrt(x * x + y * y)
            if radius == 0.0:
                value = cutoff * cutoff / (4.0 * math.pi)
            else:
                value = cutoff * _bessel_j1(cutoff * radius) / (2.0 * math.pi * radius)
            for i, j in ((y, x), (x, y)):
                weights[c + i, c + j] = weights[c + i, c - j] = weights[c - i, c + j] = weights[c - i, c - j] = value
    for value in weights.flat:
        total += value
    for i in range(size):
        for j in range(size):
            weights[i, j] /= total
    return weights


@inline
def _bessel_j1(z: float) -> float:
    """J1(z) for z > 0, by downward recurrence J(n-1) = (2 n / z) J(n) - J(n+1) from an order where J is nothing.

    Source: J. C. P. Miller's algorithm, Abramowitz and Stegun, section 9.12; the sum J0 + 2 J2 + 2 J4 + ... is 1.
    """
    start = int(z + 9.0 * z ** (1.0 / 3.0)) // 2 * 2 + 26
    above, here, total = 0.0, 1e-300, 0.0
    for n in range(start, 1, -1):
        above, here = here, 2.0 * n / z * here - above
        if n % 2 == 1:  # here is J(n-1), of even order
            total += here
    return here / (2.0 * total + (2.0 / z * here - above))
