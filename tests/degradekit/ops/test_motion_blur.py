from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.ops.convolve import ERROR
from degradekit.ops.motion_blur import MotionBlur, MotionBlurDraw, line


def test_no_way_changes_nothing() -> None:
    x = np.random.default_rng(0).random((1, 20, 30, 3), np.float32)
    assert MotionBlurDraw(0.0, 1.0).apply(x) is x


def test_along_an_axis_it_is_a_box_seen_through_bilinear_interpolation() -> None:
    for length in (1.0, 2.5, 7.0, 13.2):
        kernel = line(length, 0.0)[0]
        fine = np.linspace(-length / 2, length / 2, 20001)
        pixels = np.arange(len(kernel)) - len(kernel) // 2
        tents = np.maximum(1 - np.abs(fine[:, None] - pixels), 0).mean(axis=0)
        np.testing.assert_allclose(kernel, tents, atol=5e-4)
        np.testing.assert_allclose(line(length, math.pi / 2)[:, line(length, math.pi / 2).shape[1] // 2], kernel)


def test_an_impulse_becomes_the_line() -> None:
    x = np.zeros((1, 31, 41, 3), np.float32)
    x[0, 15, 20] = 1
    kernel = line(9.3, 0.5)
    ry, rx = (side // 2 for side in kernel.shape)
    found = MotionBlurDraw(9.3, 0.5).apply(x)[0, 15 - ry : 16 + ry, 20 - rx : 21 + rx, 0]
    np.testing.assert_allclose(found, kernel, atol=ERROR)
    down_right = kernel[ry + 1 :, rx + 1 :].sum()
    assert down_right > 0.35  # a positive angle turns the line clockwise as displayed
    assert kernel[: ry - 1, rx + 1 :].sum() == 0


@given(st.floats(0, 60), st.floats(-math.pi, math.pi))
def test_lines_are_symmetric_and_as_long_as_they_say(length: float, angle: float) -> None:
    kernel = line(length, angle)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)
    y, x = (np.arange(side) - side // 2 for side in kernel.shape)
    along = math.cos(angle) * x[None, :] + math.sin(angle) * y[:, None]
    assert -4e-4 <= (kernel * along**2).sum() - length**2 / 12 <= 0.35  # the steps, and the pixels' own width


def test_half_a_turn_is_the_same_line() -> None:
    np.testing.assert_allclose(line(9, 0.7), line(9, 0.7 + math.pi), atol=1e-9)


def test_degrees_are_refused() -> None:
    with pytest.raises(ValidationError, match="angles are in radians"):
        MotionBlur.model_validate({"length_range": 5, "angle_range": [0, 180]})
