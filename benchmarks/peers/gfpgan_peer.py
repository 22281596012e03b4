"""GFPGAN's degradation of one 512 px picture from the functions of basicsr 1.4.2 that its dataset calls.

Kernels, noise and JPEG are basicsr's, blur and resizes OpenCV's, as published; the order and the numbers are those of
its training options. JPEG quality is cut to a whole number, because OpenCV refuses another; the colour jitter, which
torchvision does, is written from torchvision's definitions. Not timed: conversion to tensors and normalisation.
"""

from __future__ import annotations

import math
import random
from typing import Any

import cv2
import numpy as np
import torch
from bare import rgb_to_grayscale, stub_torchvision, without_init
from serve import Call, Pool, serve

SIDE = 512


def hue_turned(x: torch.Tensor, turn: float) -> torch.Tensor:
    """To HSV, the hue turned, and back."""
    r, g, b = x.unbind(0)
    top, bottom = x.max(0).values, x.min(0).values
    span = top - bottom
    safe = torch.where(span == 0, torch.ones_like(span), span)
    rc, gc, bc = (top - r) / safe, (top - g) / safe, (top - b) / safe
    is_r, is_g = top == r, (top == g) & (top != r)
    h = torch.where(is_r, bc - gc, torch.where(is_g, 2 + rc - bc, 4 + gc - rc))
    h = (torch.fmod(h / 6 + 1, 1) + turn) % 1
    s = span / torch.where(top == 0, torch.ones_like(top), top)
    i = torch.floor(h * 6)
    f = h * 6 - i
    p, q, t = top * (1 - s), top * (1 - s * f), top * (1 - s * (1 - f))
    sector = i.to(torch.int64) % 6
    planes = torch.stack([
        torch.stack([top, q, p, p, t, top]), torch.stack([t, top, top, q, p, p]), torch.stack([p, p, t, top, top, q]),
    ])  # fmt: skip
    return planes.gather(1, sector.expand(3, 1, *sector.shape)).squeeze(1)


def jittered(x: np.ndarray) -> np.ndarray:
    image = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))
    for kind in torch.randperm(4).tolist():
        factor = random.uniform(0.5, 1.5)
        if kind == 0:
            image = (image * factor).clamp(0, 1)
        elif kind == 1:
            mean = rgb_to_grayscale(image).mean()
            image = (factor * image + (1 - factor) * mean).clamp(0, 1)
        elif kind == 2:
            factor = random.uniform(0, 1.5)
            image = (factor * image + (1 - factor) * rgb_to_grayscale(image)).clamp(0, 1)
        else:
            image = hue_turned(image, random.uniform(-0.1, 0.1))
    return image.numpy().transpose(1, 2, 0)


def row(pool: Pool) -> Call:
    border = SIDE - pool.shape[1]
    crops = np.pad(pool, ((0, 0), (0, border), (0, border), (0, 0)), mode="reflect")

    def call(i: int) -> int:
        crop = crops[i % len(crops)]
        x = np.ascontiguousarray(crop[:, ::-1] if random.random() < 0.5 else crop).astype(np.float32) / 255.0
        kernel = DEGRADATIONS.random_mixed_kernels(
            ["iso", "aniso"], [0.5, 0.5], 41, [0.1, 10], [0.1, 10], [-math.pi, math.pi], noise_range=None
        )
        x = cv2.filter2D(x, -1, kernel)
        side = int(SIDE // np.random.uniform(0.8, 8))
        x = cv2.resize(x, (side, side), interpolation=cv2.INTER_LINEAR)
        x = DEGRADATIONS.random_add_gaussian_noise(x, [0, 20])
        x = DEGRADATIONS.add_jpg_compression(x, int(np.random.uniform(60, 100)))
        x = cv2.resize(x, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        if np.random.uniform() < 0.3:
            x = np.clip(x + np.random.uniform(-20 / 255, 20 / 255, 3).astype(np.float32), 0, 1)
        if np.random.uniform() < 0.01:
            x = np.tile(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None], (1, 1, 3))
        if np.random.uniform() < 0.3:
            x = jittered(x)
        lq = np.clip((x * 255.0).round(), 0, 255).astype(np.uint8)
        assert lq.shape == (SIDE, SIDE, 3)
        return 1

    return call


def reseed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def load() -> Any:
    stub_torchvision()
    without_init("basicsr", "basicsr.data")
    from basicsr.data import degradations

    return degradations


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    DEGRADATIONS = load()
    serve(
        {"GFPGAN": row},
        reseed=reseed,
        packages=("basicsr", "torch", "numpy", "opencv-python-headless"),
    )
