"""The shift between LQ and reduced GT, and the error that it says it has."""

import cv2
import numpy as np
import pytest

from degradekit.audit.shift import measure_shift
from tests.degradekit.audit import catalogue as c

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def reduced(seed, side=256):
    fine = c.leaves(seed, side) @ LUMA
    return cv2.resize(fine.astype(np.float32), (side // 4, side // 4), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("width", [0.0, 2.5])
def test_the_error_is_that_of_white_noise_and_of_blotches(width):
    """What is measured without a shift spreads as the standard error says, whatever the noise looks like."""
    rng = np.random.default_rng(0)
    ratios = []
    for seed in range(6):
        r = reduced(seed)
        for _ in range(20):
            noise = rng.normal(0, 1, r.shape).astype(np.float32)
            noise = cv2.GaussianBlur(noise, (0, 0), width) if width else noise
            found = measure_shift(r, r + 12 * noise / noise.std())
            ratios += [found["x"] / found["sigma"], found["y"] / found["sigma"]]
    assert 0.6 < np.std(ratios) < 1.6
    assert np.abs(ratios).max() < 8


@pytest.mark.parametrize("shift", [(0.4, 0.0), (-1.3, 0.7)])
def test_a_shift_is_found_and_certain(shift):
    r = reduced(3)
    moved = cv2.warpAffine(
        r, np.float32([[1, 0, -shift[0]], [0, 1, -shift[1]]]), r.shape, borderMode=cv2.BORDER_REFLECT
    )
    found = measure_shift(r, moved)
    assert (found["x"], found["y"]) == pytest.approx(shift, abs=0.05)
    assert found["sigma"] < 0.05


def test_one_corner_does_not_know_the_shift_of_the_picture():
    rng = np.random.default_rng(1)
    flat = np.full((64, 64), 128, np.float32)
    flat[52:, 50:] = 30
    corner = measure_shift(flat, flat + rng.normal(0, 8, flat.shape).astype(np.float32))
    whole = measure_shift(reduced(2), reduced(2) + rng.normal(0, 8, flat.shape).astype(np.float32))
    assert corner["sigma"] > 4 * whole["sigma"]


def test_a_strong_blur_at_a_border_is_no_shift():
    """A bright band at the border, blurred by six px: its middle moves, the picture does not."""
    y = np.full((64, 64), 60, np.float32)
    y[50:] = 200
    y[38:50, :20] = 120
    blurred = cv2.GaussianBlur(y, (0, 0), 6)
    assert abs(measure_shift(y, blurred, 6.0)["y"]) < 0.1 < abs(measure_shift(y, blurred)["y"])


def test_nothing_to_align():
    flat = np.full((64, 64), 128, np.float32)
    assert measure_shift(flat, flat) == {}
