"""LQs as they were: a change of pixels that nobody meant shows here before a dataset no longer replays.

``golden/recipes.npz`` holds, for each recipe whose steps need no codec library, the LQs of one picture for two keys, as
this project made them in November 2026. The blur-and-decimation recipes are also compared with their definition. After
an intended change (which raises a version), write the file anew: ``python tests/degradekit/test_golden.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degradekit.recipe import load_recipe
from degradekit.types import Array

GOLDEN = Path(__file__).parents[1] / "golden" / "recipes.npz"
DETERMINED = ("bicubic", "bd_matlab", "bd_duf")
DRAWN = (
    "bsrgan",
    "bsrgan_plus",
    "classical",
    "codeformer",
    "downscale_nearest_aligned",
    "gfpgan",
    "gfpgan_no_colour",
    "mmagic_real_esrgan",
    "photo_heavy",
    "photo_light",
    "photo_medium",
    "real_esrgan",
    "real_esrgan_compat",
    "real_esrgan_x2",
    "stablesr",
)
KEYS = ("first.png", "second.png")


def picture() -> Array:
    """Slopes, edges, lines and texture in whole numbers, the same on every machine."""
    y, x = np.mgrid[0:64, 0:64]
    planes = [
        (3 * x + y) % 256,
        np.where((x // 9 + y // 7) % 2, 40, 210) + (x * y) % 17,
        (x * x + 2 * y * y) // 29 % 256,
    ]
    return np.stack(planes, axis=-1).astype(np.uint8)


def made(name: str) -> Array:
    """``[K, h, w, 3]``: one LQ a key, of which determined recipes need one only."""
    keys = KEYS[: 1 if name in DETERMINED else 2]
    return np.stack([load_recipe(name).degrade(picture(), key=key).lq for key in keys])


@pytest.mark.parametrize("name", DETERMINED + DRAWN)
def test_lqs_are_what_they_were(name: str) -> None:
    with np.load(GOLDEN) as golden:
        want = golden[name]
    lq = made(name)
    assert lq.shape == want.shape
    # Exponentials of another CPU's vector code may differ in the last bit, and then a value on a tie rounds otherwise.
    assert np.abs(lq.astype(int) - want).mean() <= 0.02


def blurred(x: Array, taps: Array, left: int, mode: str) -> Array:
    """Correlate both axes with taps of which the first stands ``left`` px before the pixel."""
    right = len(taps) - 1 - left
    wide = np.pad(x, ((left, right), (left, right), (0, 0)), mode=mode)  # type: ignore[call-overload]
    rows = sum(tap * wide[k : k + len(x)] for k, tap in enumerate(taps))
    out: Array = sum(tap * rows[:, k : k + x.shape[1]] for k, tap in enumerate(taps))
    return out


@pytest.mark.parametrize(
    ("name", "size", "left", "mode", "first"), [("bd_matlab", 12, 5, "edge", 1), ("bd_duf", 13, 6, "reflect", 0)]
)
def test_blur_and_decimation_is_its_definition(name: str, size: int, left: int, mode: str, first: int) -> None:
    at = np.arange(size) - (size - 1) / 2
    taps = np.exp(-(at**2) / (2 * 1.6**2))
    want = blurred(picture().astype(float), taps / taps.sum(), left, mode)[first::4, first::4]
    assert np.abs(made(name)[0] - want).max() <= 0.5 + 0.25 + 1e-3  # rounding, and the bound of the convolution


if __name__ == "__main__":
    arrays: dict[str, Any] = {name: made(name) for name in DETERMINED + DRAWN}
    np.savez_compressed(GOLDEN, **arrays)
