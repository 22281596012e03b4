"""The nearest to the Real-ESRGAN x4 recipe that albumentations 2.0.8 can compose, uint8 in and out, one image a call.

Differences from the recipe: every step rounds to 8 bit; the sharpening has a soft threshold mask of its own kind; one
``AdvancedBlur`` stands for the five anisotropic and generalised kernels (there is no plateau); shot noise works in
linear light and is never grey, its strength set so that a full-scale pixel gets the recipe's variance; noise is
Gaussian with the same share of grey.
"""

from __future__ import annotations

import math
import random
from typing import Any

import albumentations as A
import cv2
import numpy as np
from serve import LQ, Call, Pool, serve

MODES = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
LEVELS = 256


def blur(sigma: float) -> A.OneOf:
    sizes = (7, 21)
    return A.OneOf(
        [
            A.GaussianBlur(blur_limit=sizes, sigma_limit=(0.2, sigma), p=0.405),
            A.AdvancedBlur(
                blur_limit=sizes, sigma_x_limit=(0.2, sigma), sigma_y_limit=(0.2, sigma), rotate_limit=(-180, 180),
                beta_limit=(0.5, 4), noise_limit=(1, 1), p=0.495,
            ),
            A.RingingOvershoot(blur_limit=sizes, cutoff=(math.pi / 4, math.pi), p=0.1),
        ],
        p=1,
    )  # fmt: skip


def noise(sigma: float, scale: float) -> A.OneOf:
    spread = (1 / 255, sigma / 255)
    return A.OneOf(
        [
            A.GaussNoise(std_range=spread, per_channel=True, p=0.3),
            A.GaussNoise(std_range=spread, per_channel=False, p=0.2),
            A.ShotNoise(scale_range=(0.05**2 / LEVELS, scale**2 / LEVELS), p=0.5),
        ],
        p=1,
    )


def first_resize() -> A.OneOf:
    changes = ((0.0, 0.5, 0.2), (-0.85, 0.0, 0.7))
    resizes = [
        A.RandomScale((low, high), interpolation=mode, p=p / len(MODES)) for low, high, p in changes for mode in MODES
    ]
    return A.OneOf([*resizes, A.NoOp(p=0.1)], p=1)


def second_resize() -> A.OneOf:
    """Every size that the recipe can draw, with its probability: a resize relative to the target does not exist."""
    draws = [(range(30, 100), 0.4), (range(100, 101), 0.3), (range(100, 120), 0.3)]
    resizes = [
        A.Resize(side, side, interpolation=mode, p=share / len(sides) / len(MODES))
        for sides, share in draws
        for side in sides
        for mode in MODES
    ]
    return A.OneOf(resizes, p=1)


def last_resize() -> A.OneOf:
    return A.OneOf([A.Resize(LQ, LQ, interpolation=mode, p=1) for mode in MODES], p=1)


def composition(usm: bool) -> A.Compose:
    jpeg = A.ImageCompression(quality_range=(30, 95), p=1)
    sinc = A.RingingOvershoot(blur_limit=(7, 21), cutoff=(math.pi / 3, math.pi), p=0.8)
    sharpen = A.UnsharpMask(blur_limit=(51, 51), sigma_limit=(8, 8), alpha=(0.5, 0.5), threshold=10, p=1)
    second_blur = blur(1.5)
    second_blur.p = 0.8
    return A.Compose(
        [
            A.HorizontalFlip(p=0.5),
            *([sharpen] if usm else []),
            blur(3), first_resize(), noise(30, 3), jpeg,
            second_blur, second_resize(), noise(25, 2.5),
            A.OneOf([A.Sequential([last_resize(), sinc, jpeg]), A.Sequential([jpeg, last_resize(), sinc])], p=1),
        ]
    )  # fmt: skip


def row(pool: Pool, usm: bool) -> Call:
    compose = composition(usm)
    COMPOSITIONS.append(compose)

    def call(i: int) -> int:
        lq = compose(image=pool[i % len(pool)])["image"]
        assert lq.shape == (LQ, LQ, 3)
        return 1

    return call


COMPOSITIONS: list[Any] = []


def reseed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    for compose in COMPOSITIONS:
        compose.set_random_seed(seed)


if __name__ == "__main__":
    serve(
        {"USM": lambda pool: row(pool, True), "no USM": lambda pool: row(pool, False)},
        reseed=reseed,
        packages=("albumentations", "albucore", "numpy", "opencv-python-headless"),
    )
