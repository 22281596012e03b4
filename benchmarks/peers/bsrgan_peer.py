"""BSRGAN's degradation of one picture, written anew from its paper and its published definition: a yardstick.

The published code needs functions that SciPy removed in 1.14 and is no package, so it cannot be installed here. These
are its steps at its cost: dense ``scipy.ndimage.convolve`` of float32 with mirrored borders, anisotropic kernels from
one ``multivariate_normal.pdf`` call a pixel, numpy's normal numbers, OpenCV's resizes and JPEG, and row by row products
for the MATLAB-like halving. Not part of it: the random crop of 72 px at the end.
"""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
from scipy import ndimage, stats
from serve import LQ, SCALE, Call, Pool, serve

MODES = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)


def round_gaussian(size: int, sigma: float) -> np.ndarray:
    axis = np.arange(size) - (size - 1) / 2
    kernel = np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * max(sigma, 1e-3) ** 2))
    return kernel / kernel.sum()


def oval_gaussian(size: int, first: float, second: float, angle: float) -> np.ndarray:
    """Variances ``first`` along ``angle`` and ``second`` across it, one density a call."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    covariance = turn @ np.diag([max(first, 1e-3), max(second, 1e-3)]) @ turn.T
    kernel, middle = np.zeros((size, size)), (size - 1) / 2
    for y in range(size):
        for x in range(size):
            kernel[y, x] = stats.multivariate_normal.pdf([x - middle, y - middle], mean=[0, 0], cov=covariance)
    return kernel / kernel.sum()


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return ndimage.convolve(x, kernel[..., None], mode="mirror")


def blur(x: np.ndarray, scale: int) -> np.ndarray:
    size = 2 * random.randint(2, 11) + 3
    if random.random() < 0.5:
        wide = 4 + scale
        return convolved(
            x, oval_gaussian(size, wide * random.random(), wide * random.random(), random.random() * math.pi)
        )
    return convolved(x, round_gaussian(size, (2 + 0.2 * scale) * random.random()))


def resized(x: np.ndarray, h: int, w: int) -> np.ndarray:
    return np.clip(cv2.resize(x, (w, h), interpolation=random.choice(MODES)), 0, 1)


def shifted(kernel: np.ndarray, by: float) -> np.ndarray:
    moved = ndimage.shift(kernel, by, order=1)
    return moved / moved.sum()


def first_downscale(x: np.ndarray, scale: int) -> np.ndarray:
    if random.random() < 0.75:
        factor = random.uniform(1, 2 * scale)
        return resized(x, int(x.shape[0] / factor), int(x.shape[1] / factor))
    kernel = shifted(round_gaussian(25, random.uniform(0.1, 0.6 * scale)), (scale - 1) / 2)
    return np.clip(convolved(x, kernel)[::scale, ::scale], 0, 1)


def noise(x: np.ndarray) -> np.ndarray:
    level, kind = random.randint(2, 25) / 255, random.random()
    if kind > 0.6:
        field = np.random.normal(0, level, x.shape)
    elif kind < 0.4:
        field = np.random.normal(0, level, (*x.shape[:2], 1))
    else:
        basis = np.linalg.qr(np.random.rand(3, 3))[0]
        covariance = np.abs((25 / 255) ** 2 * basis.T @ np.diag(np.random.rand(3)) @ basis)
        field = np.random.multivariate_normal([0, 0, 0], covariance, x.shape[:2], check_valid="ignore")
    return np.clip(x + field.astype(np.float32), 0, 1)


def jpeg(x: np.ndarray) -> np.ndarray:
    pixels = cv2.cvtColor((np.clip(x, 0, 1) * 255).round().astype(np.uint8), cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, random.randint(30, 95)])[1]
    return cv2.cvtColor(cv2.imdecode(data, 1), cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)


def cubic(x: np.ndarray) -> np.ndarray:
    a = np.abs(x)
    return (1.5 * a**3 - 2.5 * a**2 + 1) * (a <= 1) + (-0.5 * a**3 + 2.5 * a**2 - 4 * a + 2) * ((a > 1) & (a <= 2))


def halved_rows(x: np.ndarray) -> np.ndarray:
    """Half as many rows by the antialiased cubic, a product for every row and channel."""
    taps = np.arange(-3, 5)
    weights = cubic((taps - 0.5) / 2)
    weights /= weights.sum()
    padded = np.pad(x, ((3, 5), (0, 0), (0, 0)), mode="symmetric")
    out = np.empty((len(x) // 2, *x.shape[1:]), x.dtype)
    for i in range(len(out)):
        for c in range(3):
            out[i, :, c] = padded[2 * i : 2 * i + 8, :, c].T.dot(weights)
    return out


def halved(x: np.ndarray) -> np.ndarray:
    if random.random() < 0.5:
        return resized(x, x.shape[0] // 2, x.shape[1] // 2)
    return np.clip(halved_rows(halved_rows(x).swapaxes(0, 1)).swapaxes(0, 1), 0, 1)


def degraded(x: np.ndarray) -> np.ndarray:
    scale = SCALE
    if random.random() < 0.25:
        x, scale = halved(x), SCALE // 2
    steps = random.sample(range(6), 6)
    first, second = steps.index(2), steps.index(3)
    if first > second:
        steps[first], steps[second] = steps[second], steps[first]
    for step in steps:
        match step:
            case 0 | 1:
                x = blur(x, scale)
            case 2:
                x = first_downscale(x, scale)
            case 3:
                x = resized(x, LQ, LQ)
            case 4:
                x = noise(x)
            case 5:
                x = jpeg(x) if random.random() < 0.9 else x
    return jpeg(x)


def row(pool: Pool) -> Call:
    def call(i: int) -> int:
        x = np.rot90(pool[i % len(pool)], random.randint(0, 3))
        x = np.ascontiguousarray(x[:, ::-1] if random.random() < 0.5 else x).astype(np.float32) / np.float32(255)
        assert degraded(x).shape == (LQ, LQ, 3)
        return 1

    return call


def reseed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)


if __name__ == "__main__":
    serve(
        {"BSRGAN": row},
        reseed=reseed,
        packages=("scipy", "numpy", "opencv-python-headless"),
    )
