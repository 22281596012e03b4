"""Measures of pictures on 8-bit levels, the border cut off: PSNR and SSIM as papers report them, GMSD, sharpness."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np

from degradekit_models.errors import ModelError

__all__ = ["gmsd", "gradient_energy", "high_frequency_power", "luma", "psnr", "ssim"]

Array: TypeAlias = np.ndarray[Any, Any]

TOP = 255.0
GMSD_C = 170.0


def psnr(a: Array, b: Array, *, crop: int = 0, y: bool = False) -> float:
    """Peak signal-to-noise ratio in decibels; larger is closer, infinite for equal pictures.

    Args:
        a: uint8 ``[H,W,3]`` RGB or ``[H,W]`` grey.
        b: the same.
        crop: pixels cut off all four borders, usually the scale.
        y: compare the luma alone; see `luma`.

    Raises:
        ModelError: sizes differ, samples are not uint8, or nothing remains.

    Example:
        >>> a = np.zeros((8, 8, 3), np.uint8)
        >>> round(psnr(a, a + 1), 4)
        48.1308
    """
    x, z = _prepared(a, b, crop, y)
    error = float(np.mean((x - z) ** 2))
    return float(10 * np.log10(TOP**2 / error)) if error else float("inf")


def ssim(a: Array, b: Array, *, crop: int = 0, y: bool = False) -> float:
    """Structural similarity; 1 for equal pictures.

    Args: as `psnr`; at least 11 pixels must remain on each side.

    Raises: as `psnr`.

    Source:
        Wang et al., "Image quality assessment: from error visibility to structural similarity", TIP 2004: a Gaussian
        window of 11 x 11 with a sigma of 1.5 pixels, without windows that reach over the border; mean over channels.

    Example:
        >>> a = np.arange(256, dtype=np.uint8).reshape(16, 16)
        >>> ssim(a, a)
        1.0
    """
    x, z = _prepared(a, b, crop, y)
    if min(x.shape[:2]) < 11:
        raise ModelError(f"SSIM needs 11 x 11 pixels; {x.shape[0]} x {x.shape[1]} remain.")
    channels = [(x[..., c], z[..., c]) for c in range(x.shape[2])] if x.ndim == 3 else [(x, z)]
    return float(np.mean([_ssim(p, q) for p, q in channels]))


def gmsd(a: Array, b: Array, *, crop: int = 0) -> float:
    """Gradient magnitude similarity deviation of the grey pictures; 0 for equal ones, larger is worse.

    How unevenly edges are kept: the standard deviation, over the picture, of the similarity of gradient magnitudes.

    Args:
        a: uint8 ``[H,W,3]`` RGB or ``[H,W]`` grey.
        b: the same.
        crop: pixels cut off all four borders.

    Raises: as `psnr`.

    Source:
        Xue et al., "Gradient magnitude similarity deviation", TIP 2014: Prewitt filters after halving, c = 170.

    Example:
        >>> a = np.arange(256, dtype=np.uint8).reshape(16, 16)
        >>> gmsd(a, a)
        0.0
    """
    x, z = (_gradient(_halved(_grey(side))) for side in _prepared(a, b, crop, y=False))
    similarity = (2 * x * z + GMSD_C) / (x**2 + z**2 + GMSD_C)
    return float(similarity.std())


def gradient_energy(a: Array, *, crop: int = 0) -> float:
    """Mean squared gradient magnitude of the grey picture in levels per pixel: sharp edges and noise raise it.

    Args:
        a: uint8 ``[H,W,3]`` RGB or ``[H,W]`` grey.
        crop: pixels cut off all four borders.

    Example:
        >>> ramp = np.tile(np.arange(0, 64, 2, dtype=np.uint8), (32, 1))
        >>> round(gradient_energy(ramp, crop=1), 6)
        4.0
    """
    x, _ = _prepared(a, a, 0, y=False)
    inside = slice(crop, -crop or None)
    return float(((_gradient(_grey(x))[inside, inside] / 2) ** 2).mean())


def high_frequency_power(a: Array, *, above: float = 0.125, crop: int = 0) -> float:
    """Power of the grey picture's spectrum beyond a frequency, in squared levels.

    Args:
        a: uint8 ``[H,W,3]`` RGB or ``[H,W]`` grey.
        above: in cycles per pixel along either axis; 1/8 is where a picture that was four times smaller ends.
        crop: pixels cut off all four borders.

    Example:
        >>> stripes = np.tile(np.array([100, 150], np.uint8), (32, 16))
        >>> round(high_frequency_power(stripes), 2)
        625.0
    """
    x, _ = _prepared(a, a, crop, y=False)
    grey = _grey(x)
    window = np.outer(*(np.hanning(side) for side in grey.shape))
    spectrum = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    far = np.maximum(*(np.abs(axis) for axis in np.meshgrid(*map(np.fft.fftfreq, grey.shape), indexing="ij"))) > above
    return float(spectrum[far].sum() / (grey.size * (window**2).sum()))


def luma(rgb: Array) -> Array:
    """Luma of BT.601 in studio range, 16..235, not rounded: the Y that papers mean.

    Args:
        rgb: uint8 ``[H,W,3]``.

    Example:
        >>> luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).round(6).tolist()
        [[16.0, 235.0]]
    """
    weights = np.array((65.481, 128.553, 24.966)) / TOP
    out: Array = rgb.astype(np.float64) @ weights + 16.0
    return out


def _prepared(a: Array, b: Array, crop: int, y: bool) -> tuple[Array, Array]:
    if a.shape != b.shape:
        raise ModelError(f"the pictures differ in size: {_size(a)} and {_size(b)}.")
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ModelError(f"metrics take uint8; these are {a.dtype} and {b.dtype}.")
    if crop < 0 or min(a.shape[:2]) <= 2 * crop:
        raise ModelError(f"a border of {crop} leaves nothing of {_size(a)}.")
    inside = (slice(crop, a.shape[0] - crop), slice(crop, a.shape[1] - crop))
    if y and a.ndim == 3:
        return luma(a[inside]), luma(b[inside])
    return a[inside].astype(np.float64), b[inside].astype(np.float64)


def _size(a: Array) -> str:
    return " x ".join(map(str, a.shape))


def _grey(x: Array) -> Array:
    """BT.601 grey in 0..255 of float levels."""
    out: Array = x @ np.array((0.299, 0.587, 0.114)) if x.ndim == 3 else x
    return out


def _halved(x: Array) -> Array:
    """Means of 2 x 2 pixels."""
    h, w = (side - side % 2 for side in x.shape)
    out: Array = x[:h, :w].reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))
    return out


def _gradient(x: Array) -> Array:
    """Gradient magnitude by Prewitt's filters, in levels per two pixels."""
    column, row = np.array((1.0, 0.0, -1.0)), np.full(3, 1 / 3)
    out: Array = np.hypot(*(cv2.sepFilter2D(x, cv2.CV_64F, *pair) for pair in ((column, row), (row, column))))
    return out


def _ssim(x: Array, z: Array) -> float:
    c1, c2 = (0.01 * TOP) ** 2, (0.03 * TOP) ** 2
    mx, mz = _window(x), _window(z)
    vx, vz, vxz = _window(x * x) - mx**2, _window(z * z) - mz**2, _window(x * z) - mx * mz
    values = (2 * mx * mz + c1) * (2 * vxz + c2) / ((mx**2 + mz**2 + c1) * (vx + vz + c2))
    return float(values.mean())


def _window(values: Array) -> Array:
    kernel = cv2.getGaussianKernel(11, 1.5)
    out: Array = cv2.sepFilter2D(values, cv2.CV_64F, kernel, kernel)[5:-5, 5:-5]
    return out
