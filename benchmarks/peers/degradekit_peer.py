"""This engine, run like any peer: draw a plan, make the GT, make the LQ; and the machine's yardstick."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from serve import GT, LQ, Call, Pool, serve

from degradekit import Recipe, load_recipe
from degradekit.graph import Chain
from degradekit.types import Geometry

SEED = [0]


def recipe(usm: bool) -> Recipe:
    whole = load_recipe("real_esrgan")
    if usm:
        return whole
    return replace(whole, to_lq=Chain(tuple((name, node) for name, node in whole.to_lq.children if name != "sharpen")))


def row(pool: Pool, usm: bool) -> Call:
    ours, geometry = recipe(usm), Geometry(1, GT, GT)

    def call(i: int) -> int:
        plan = ours.draw(key=f"{SEED[0]}/{i}", geometry=geometry)
        lq = plan.make_lq(plan.make_gt(pool[i % len(pool)][None]))
        assert lq.shape == (1, LQ, LQ, 3)
        return 1

    return call


def whole(pool: Pool, name: str) -> Call:
    """A recipe as it stands, on pictures or clips of its own size made from the crops."""
    ours = load_recipe(name)
    clips = {"bsrgan": pictures, "gfpgan": faces, "realbasicvsr": pans}[name](pool)

    def call(i: int) -> int:
        hr = clips[i % len(clips)]
        plan = ours.draw(key=f"{SEED[0]}/{i}", geometry=Geometry(*hr.shape))
        lq = plan.make_lq(plan.make_gt(hr))
        assert lq.shape[1] * ours.scale == hr.shape[1]
        return 1

    return call


def pictures(pool: Pool) -> np.ndarray:
    return pool[:, None]


def faces(pool: Pool) -> np.ndarray:
    """512 px: the crops, continued by reflection."""
    border = 512 - pool.shape[1]
    return np.pad(pool, ((0, 0), (0, border), (0, border), (0, 0)), mode="reflect")[:, None]


def pans(pool: Pool) -> np.ndarray:
    """15 frames of 256 px: a window that moves over the crop."""
    starts = [(6 * t, 9 * t) for t in range(15)]
    return np.stack([np.stack([crop[y : y + 256, x : x + 256] for y, x in starts]) for crop in pool])


def yardstick(pool: Pool) -> Call:
    """One dense 21x21 ``cv2.filter2D`` on 400x400x3 float32: the unit of time that goes with the machine."""
    x = pool[0].astype(np.float32) / 255
    kernel = np.random.default_rng(0).random((21, 21), np.float32)
    kernel /= kernel.sum()

    def call(i: int) -> int:
        cv2.filter2D(x, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        return 1

    return call


def reseed(seed: int) -> None:
    SEED[0] = seed


if __name__ == "__main__":
    serve(
        {
            "USM": lambda pool: row(pool, True),
            "no USM": lambda pool: row(pool, False),
            "yardstick": yardstick,
            **{name: partial(whole, name=name) for name in ("bsrgan", "gfpgan", "realbasicvsr")},
        },
        reseed=reseed,
        packages=("degradekit", "numpy", "opencv-python-headless", "numba"),
    )
