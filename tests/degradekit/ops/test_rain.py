from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from degradekit.ops.rain import RainDraw

RAIN = RainDraw(0.004, 9.0, math.pi / 2, 0.6, 0.9, "00112233445566778899aabbccddeeff")
DARK = np.full((2, 120, 160, 3), 0.2, np.float32)


def test_without_drops_or_opacity_nothing_changes() -> None:
    x = np.random.default_rng(0).random((2, 20, 30, 3), np.float32)
    for draw in (replace(RAIN, density=0.0), replace(RAIN, opacity=0.0)):
        np.testing.assert_array_equal(draw.apply(x), x)


def test_drops_are_as_many_and_as_opaque_as_asked_for() -> None:
    """Snow of length 0: each drop is one pixel; their sizes are even on (0, 1]."""
    cover = replace(RAIN, length=0.0).cover(0, 400, 400)
    drops = cover[cover > 0]
    assert drops.size == pytest.approx(0.004 * 160_000, rel=0.1)
    assert drops.mean() == pytest.approx(0.3, rel=0.1)
    assert 0.59 < drops.max() <= 0.6


def test_streaks_run_along_the_angle_and_keep_what_they_cover() -> None:
    for angle, along in ((math.pi / 2, 0), (0.0, 1)):
        cover = replace(RAIN, angle=angle, density=0.0005).cover(0, 300, 300).astype(np.float64)
        steps = [float(np.abs(np.diff(cover, axis=axis)).sum()) for axis in (along, 1 - along)]
        assert steps[0] < 0.3 * steps[1]
        snow = replace(RAIN, length=0.0, density=0.0005).cover(0, 300, 300)
        assert cover.sum() == pytest.approx(9 * snow.sum(), rel=0.1)


def test_the_scene_shows_through() -> None:
    y = RAIN.apply(DARK)
    cover = RAIN.cover(0, 120, 160)[..., None]
    np.testing.assert_allclose(y[0, ..., :1], (1 - cover) * 0.2 + cover * 0.9, atol=1e-6)
    assert (y <= 0.9).all()
    bright = RAIN.apply(np.ones_like(DARK))
    assert (bright <= 1).all() and bright.min() < 0.97


def test_every_frame_has_drops_and_numbers_of_its_own() -> None:
    y = replace(RAIN, density=(0.0, 0.004)).apply(DARK)
    np.testing.assert_array_equal(y[0], DARK[0])
    np.testing.assert_array_equal(y[1], RAIN.apply(DARK)[1])
    y = RAIN.apply(DARK)
    assert np.abs(y[0] - y[1]).max() > 0.1
