"""Chromatic aberration: ramps show where red and blue come from."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.chromatic_aberration import ChromaticAberrationDraw

X = np.random.default_rng(0).random((2, 21, 31, 3), np.float32)
YS, XS = np.mgrid[0:21, 0:31].astype(np.float32)
INSIDE = np.s_[4:-4, 4:-4]


def test_nothing_is_the_identity() -> None:
    np.testing.assert_array_equal(ChromaticAberrationDraw(0, 0, 0, 0, 0, 0).apply(X), X)


def test_green_stays_and_whole_shifts_are_exact() -> None:
    y = ChromaticAberrationDraw(0, 0, 2, -1, 0, 3).apply(X)
    np.testing.assert_array_equal(y[..., 1], X[..., 1])
    np.testing.assert_array_equal(y[:, :-1, 2:, 0], X[:, 1:, :-2, 0])
    np.testing.assert_array_equal(y[:, 3:, :, 2], X[:, :-3, :, 2])
    np.testing.assert_array_equal(y[:, :3, :, 2], np.broadcast_to(X[:, :1, :, 2], (2, 3, 31)))


@settings(deadline=None)  # the first example compiles
@given(st.floats(-0.1, 0.1), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))
def test_ramps_show_scale_and_shift(scale: float, dx: float, dy: float) -> None:
    """Content that was at p is found at middle + (1 + scale) (p - middle) + shift."""
    for ramp, middle, shift in ((XS, 15, dx), (YS, 10, dy)):
        x = np.repeat(ramp[None, ..., None], 3, axis=3)
        y = ChromaticAberrationDraw(0, scale, 0, 0, dx, dy).apply(x)
        want = (ramp - middle - shift) / (1 + scale) + middle
        np.testing.assert_allclose(y[0, ..., 2][INSIDE], want[INSIDE], atol=1e-4)
        np.testing.assert_array_equal(y[..., :2], x[..., :2])


def test_a_half_pixel_is_the_mean_of_two() -> None:
    y = ChromaticAberrationDraw(0, 0, 0.5, 0, 0, 0).apply(X)
    np.testing.assert_allclose(y[:, :, 1:, 0], (X[:, :, 1:, 0] + X[:, :, :-1, 0]) / 2, atol=1e-6)


def test_frames_have_their_own_places() -> None:
    y = ChromaticAberrationDraw((0.0, 0.05), 0, 0, 0, (1.0, 0.0), 0).apply(X)
    np.testing.assert_array_equal(y[0, ..., 0], X[0, ..., 0])
    np.testing.assert_array_equal(y[1, ..., 2], X[1, ..., 2])
    np.testing.assert_array_equal(y[0, :, 1:, 2], X[0, :, :-1, 2])
