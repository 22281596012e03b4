"""The Real-ESRGAN x4 recipe by hand from numpy, OpenCV and simplejpeg: what a careful user without a compiler gets.

Same draws as the recipe, float32 throughout. The unsharp mask uses ``cv2.sepFilter2D``, an isotropic Gaussian blur
too, other kernels ``cv2.filter2D`` at their true size; Gaussian noise is ``cv2.randn``, Poisson noise numpy's.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import simplejpeg
from scipy.special import j1
from serve import LQ, SCALE, Call, Pool, serve

SHARES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
MODES = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
BORDER = cv2.BORDER_REFLECT_101
USM = cv2.getGaussianKernel(51, 8.0, cv2.CV_32F)
RNG = np.random.Generator(np.random.SFC64(0))


def sharpen(x: np.ndarray) -> np.ndarray:
    residual = x - cv2.sepFilter2D(x, -1, USM, USM, borderType=BORDER)
    mask = (np.abs(residual) > np.float32(10 / 255)).astype(np.float32)
    soft = cv2.sepFilter2D(mask, -1, USM, USM, borderType=BORDER)
    return x + soft * (np.clip(x + np.float32(0.5) * residual, 0, 1) - x)


def sinc(size: int, cutoff: float) -> np.ndarray:
    axis = np.arange(size) - size // 2
    radius = np.hypot(axis[:, None], axis[None, :])
    radius[size // 2, size // 2] = 1
    kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
    return (kernel / kernel.sum()).astype(np.float32)


def blur(x: np.ndarray, sigma: float) -> np.ndarray:
    size = 2 * int(RNG.integers(3, 11)) + 1
    if RNG.random() < 0.1:
        return filtered(x, sinc(size, RNG.uniform(math.pi / (3 if size < 13 else 5), math.pi)))
    kind = int(RNG.choice(6, p=SHARES))
    if kind == 0:
        taps = cv2.getGaussianKernel(size, RNG.uniform(0.2, sigma), cv2.CV_32F)
        return cv2.sepFilter2D(x, -1, taps, taps, borderType=BORDER)
    sx, sy, angle = RNG.uniform(0.2, sigma), RNG.uniform(0.2, sigma), RNG.uniform(-math.pi, math.pi)
    if kind in (2, 4):
        sy, angle = sx, 0.0
    beta = 1.0
    if kind in (2, 3):
        beta = RNG.uniform(0.5, 1) if RNG.random() < 0.5 else RNG.uniform(1, 4)
    elif kind in (4, 5) and RNG.random() < 0.5:
        beta = RNG.uniform(1, 2)
    axis = np.arange(size) - size // 2
    u = (axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)) / sx
    v = (axis[:, None] * math.cos(angle) - axis[None, :] * math.sin(angle)) / sy
    power = (u * u + v * v) ** beta
    kernel = 1 / (1 + power) if kind in (4, 5) else np.exp(-0.5 * power)
    return filtered(x, (kernel / kernel.sum()).astype(np.float32))


def filtered(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return cv2.filter2D(x, -1, kernel, borderType=BORDER)


def resize(x: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(x, (side, side), interpolation=MODES[int(RNG.integers(3))])


def noise(x: np.ndarray, sigma: float, scale: float) -> np.ndarray:
    grey = RNG.random() < 0.4
    if RNG.random() < 0.5:
        field = np.empty(x.shape[:2] if grey else x.shape, np.float32)
        cv2.randn(field, 0, RNG.uniform(1, sigma) / 255)
    else:
        picture = cv2.cvtColor(np.clip(x, 0, 1), cv2.COLOR_RGB2GRAY) if grey else np.clip(x, 0, 1)
        levels = np.rint(picture * 255)
        used = np.count_nonzero(np.bincount(levels.astype(np.uint8).ravel(), minlength=256))
        counts = 2 ** math.ceil(math.log2(used))
        rate = levels / np.float32(255)
        field = (RNG.poisson(rate * counts).astype(np.float32) / counts - rate) * np.float32(RNG.uniform(0.05, scale))
    return np.clip(x + (field[..., None] if grey else field), 0, 1)


def jpeg(x: np.ndarray) -> np.ndarray:
    pixels = cv2.convertScaleAbs(np.clip(x, 0, 1), alpha=255)
    data = simplejpeg.encode_jpeg(pixels, quality=int(RNG.integers(30, 96)), colorsubsampling="420")
    return simplejpeg.decode_jpeg(data).astype(np.float32) * np.float32(1 / 255)


def factor(shares: tuple[float, float, float], low: float, high: float) -> float:
    kind = int(RNG.choice(3, p=shares))
    return (RNG.uniform(1, high), RNG.uniform(low, 1), 1.0)[kind]


def row(pool: Pool, usm: bool) -> Call:
    def call(i: int) -> int:
        x = pool[i % len(pool)]
        x = np.ascontiguousarray(x[:, ::-1] if RNG.random() < 0.5 else x).astype(np.float32) * np.float32(1 / 255)
        side = len(x)
        if usm:
            x = sharpen(x)
        x = resize(blur(x, 3), int(side * factor((0.2, 0.7, 0.1), 0.15, 1.5)))
        x = jpeg(noise(x, 30, 3))
        if RNG.random() < 0.8:
            x = blur(x, 1.5)
        x = noise(resize(x, int(side // SCALE * factor((0.3, 0.4, 0.3), 0.3, 1.2))), 25, 2.5)
        shape_first = RNG.random() < 0.5
        if not shape_first:
            x = jpeg(x)
        x = resize(x, LQ)
        if RNG.random() < 0.8:
            x = filtered(x, sinc(2 * int(RNG.integers(3, 11)) + 1, RNG.uniform(math.pi / 3, math.pi)))
        if shape_first:
            x = jpeg(x)
        lq = cv2.convertScaleAbs(np.clip(x, 0, 1), alpha=255)
        assert lq.shape == (LQ, LQ, 3)
        return 1

    return call


def reseed(seed: int) -> None:
    cv2.setRNGSeed(seed)
    RNG.bit_generator.state = np.random.SFC64(seed).state


if __name__ == "__main__":
    serve(
        {"USM": lambda pool: row(pool, True), "no USM": lambda pool: row(pool, False)},
        reseed=reseed,
        packages=("simplejpeg", "opencv-python-headless", "numpy", "scipy"),
    )
