from __future__ import annotations

import cmath
import math
from dataclasses import replace

import numpy as np
import pytest

from degradekit.fields import normal_field, uniform_field
from degradekit.ops.convolve import ERROR
from degradekit.ops.motion_blur import MotionBlurDraw
from degradekit.ops.trace import trace
from degradekit.ops.trajectory_blur import TrajectoryBlur, TrajectoryBlurDraw, shake_path
from degradekit.rng import Draws, sample_key
from degradekit.types import Array, Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "blur").field("path")
SHAKY = TrajectoryBlurDraw(30.0, 0.005, 0.5, 0.1, 8.0, 0.7, "hold", FIELD)


def defined(draw: TrajectoryBlurDraw) -> Array:
    """Algorithm 1 of DeblurGAN in complex numbers."""
    n, length, anxiety = 2000, float(draw.length), float(draw.anxiety)  # type: ignore[arg-type]
    z, u = normal_field(FIELD, 2 * n), uniform_field(FIELD, 2 * n, first=1 << 40)
    step = length / (n - 1)
    v = step * cmath.exp(1j * draw.angle)
    x = np.zeros(n, np.complex128)
    for t in range(n - 1):
        dv = anxiety * (draw.tremor * complex(z[2 * t], z[2 * t + 1]) - draw.inertia * x[t]) * step
        if u[2 * t] < draw.jerk * anxiety:
            dv += 2 * v * cmath.exp(1j * (math.pi + (float(u[2 * t + 1]) - 0.5)))
        v += dv
        v *= step / abs(v)
        x[t + 1] = x[t] + v
    return x


@pytest.mark.parametrize("draw", [SHAKY, replace(SHAKY, jerk=1.0, anxiety=0.02), replace(SHAKY, length=90.0)])
def test_the_path_is_that_of_the_paper(draw: TrajectoryBlurDraw) -> None:
    x, y = shake_path(draw, draw.length, draw.anxiety)  # type: ignore[arg-type]
    np.testing.assert_allclose(x + 1j * y, defined(draw), atol=1e-6)


def test_steps_are_equal_and_sum_to_the_length() -> None:
    x, y = shake_path(SHAKY, 30.0, 0.005)
    np.testing.assert_allclose(np.hypot(np.diff(x), np.diff(y)), 30 / 1999, rtol=1e-9)


def test_no_way_changes_nothing() -> None:
    x = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    np.testing.assert_array_equal(replace(SHAKY, length=0.0).apply(x), x)


def test_without_anxiety_it_is_a_straight_motion() -> None:
    x = np.random.default_rng(0).random((1, 50, 60, 3), np.float32)
    straight = replace(SHAKY, length=9.0, anxiety=0.0).apply(x)
    np.testing.assert_allclose(straight, MotionBlurDraw(9.0, SHAKY.angle).apply(x), atol=3 * ERROR)


def test_an_impulse_becomes_the_path_around_its_centre_of_gravity() -> None:
    image = np.zeros((1, 61, 61, 3), np.float32)
    image[0, 30, 30] = 1
    x, y = shake_path(SHAKY, 30.0, 0.005)
    kernel = trace(x - x.mean(), y - y.mean())
    ry, rx = (side // 2 for side in kernel.shape)
    blurred = SHAKY.apply(image)[0, ..., 0]
    np.testing.assert_allclose(blurred[30 - ry : 31 + ry, 30 - rx : 31 + rx], kernel, atol=ERROR)
    assert np.abs(blurred.sum(axis=0) @ (np.arange(61) - 30)) < 0.05


def test_frames_share_a_path_or_have_their_own() -> None:
    x = np.repeat(np.random.default_rng(0).random((1, 30, 40, 3), np.float32), 3, axis=0)
    held, own = SHAKY.apply(x), replace(SHAKY, over_time="iid").apply(x)
    np.testing.assert_array_equal(held[0], held[2])
    np.testing.assert_array_equal(own[0], held[0])
    assert np.abs(own[1] - own[2]).max() > 0.01


def test_the_draw_stores_numbers_and_the_name_of_the_field() -> None:
    op = TrajectoryBlur.model_validate({"length_range": [5, 30], "anxiety_range": 0.005})
    draws = [op.draw(Draws(sample_key(0, f"{i}.png", 0), "blur"), Geometry(1, 64, 64)) for i in range(300)]
    assert all(len(str(draw.to_json())) < 300 for draw in draws)
    assert max(draw.inertia for draw in draws) <= 0.7
    assert max(draw.jerk for draw in draws) <= 0.2
    angles = np.array([draw.angle for draw in draws])
    assert np.abs(np.exp(1j * angles).mean()) < 0.2
    assert len({draw.field for draw in draws}) == 300
