"""The nearest to the Real-ESRGAN x4 recipe that kornia 0.9.0 can compose, float32 ``[N, 3, H, W]``.

Less work than the recipe: the blurs are separable Gaussians of one size, the unsharp mask has no threshold and no soft
mask (one large Gaussian instead of two), and there is no Poisson noise: all noise is Gaussian, of the recipe's mean
sigma. Resizing is ``torch.nn.functional.interpolate``; a batch shares its resize factors and modes.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import kornia
import kornia.augmentation as K
import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import j1
from serve import LQ, SCALE, Call, Pool, serve

Stage = Callable[[torch.Tensor], torch.Tensor]
MODES = ("area", "bilinear", "bicubic")


def sinc_kernel(size: int, cutoff: float) -> torch.Tensor:
    """Circular low-pass kernel ``[1, size, size]`` of sum 1."""
    axis = np.arange(size) - size // 2
    radius = np.hypot(axis[:, None], axis[None, :])
    radius[size // 2, size // 2] = 1
    kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)
    return torch.from_numpy((kernel / kernel.sum()).astype(np.float32))[None]


def final_sinc(x: torch.Tensor) -> torch.Tensor:
    if random.random() >= 0.8:
        return x
    return kornia.filters.filter2d(x, sinc_kernel(random.randrange(7, 22, 2), random.uniform(np.pi / 3, np.pi)))


def resize(x: torch.Tensor, side: int) -> torch.Tensor:
    return F.interpolate(x, size=(side, side), mode=random.choice(MODES)).clamp(0, 1)


def factor(shares: tuple[float, float, float], low: float, high: float) -> float:
    kind = random.choices(("up", "down", "keep"), shares)[0]
    return {"up": random.uniform(1, high), "down": random.uniform(low, 1), "keep": 1.0}[kind]


def row(pool: Pool, batch: int, usm: bool) -> Call:
    flip = K.RandomHorizontalFlip(p=0.5)
    sharpen = kornia.filters.UnsharpMask((51, 51), (8.0, 8.0))
    blur1 = K.RandomGaussianBlur((21, 21), (0.2, 3.0), p=1.0)
    blur2 = K.RandomGaussianBlur((21, 21), (0.2, 1.5), p=0.8)
    noise1 = K.RandomGaussianNoise(std=15.5 / 255, p=1.0)
    noise2 = K.RandomGaussianNoise(std=13 / 255, p=1.0)
    jpeg = K.RandomJPEG((30.0, 95.0), p=1.0)

    def compress(x: torch.Tensor) -> torch.Tensor:
        """kornia's JPEG takes sides that are multiples of 16: pad and cut, as a user of it has to."""
        h, w = x.shape[-2:]
        padded = F.pad(x, (0, -w % 16, 0, -h % 16), mode="replicate")
        return jpeg(padded)[..., :h, :w]

    def call(i: int) -> int:
        crops = pool[[(i * batch + j) % len(pool) for j in range(batch)]]
        x = flip(torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous().float() / 255)
        if usm:
            x = sharpen(x).clamp(0, 1)
        side = x.shape[-1]
        x = resize(blur1(x), int(side * factor((0.2, 0.7, 0.1), 0.15, 1.5)))
        x = compress(noise1(x).clamp(0, 1))
        x = resize(blur2(x), int(side // SCALE * factor((0.3, 0.4, 0.3), 0.3, 1.2)))
        x = noise2(x).clamp(0, 1)
        steps: list[Stage] = [lambda x: final_sinc(resize(x, LQ)).clamp(0, 1), compress]
        for step in steps if random.random() < 0.5 else reversed(steps):
            x = step(x)
        lq = (x * 255).round().clamp(0, 255).to(torch.uint8)
        assert lq.shape == (batch, 3, LQ, LQ)
        return batch

    return call


def reseed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    serve(
        {
            "batch 1": lambda pool: row(pool, 1, True),
            "batch 1, no USM": lambda pool: row(pool, 1, False),
            "batch 12": lambda pool: row(pool, 12, True),
            "batch 12, no USM": lambda pool: row(pool, 12, False),
        },
        reseed=reseed,
        packages=("kornia", "torch", "numpy"),
    )
