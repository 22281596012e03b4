"""Range error: levels where the standard has them."""

from __future__ import annotations

import numpy as np

from degradekit.ops.colour import to_ycbcr
from degradekit.ops.range_error import RangeErrorDraw

X = np.random.default_rng(0).uniform(0.3, 0.6, (2, 9, 7, 3)).astype(np.float32)


def test_black_and_white_go_to_the_levels_of_the_standard() -> None:
    ends = np.float32([0, 1]).reshape(1, 1, 2, 1).repeat(3, axis=3)
    np.testing.assert_allclose(RangeErrorDraw("limited_as_full").apply(ends)[0, 0, :, 0] * 255, [16, 235], atol=1e-4)
    levels = (np.float32([16, 235, 10, 245]) / 255).reshape(1, 1, 4, 1).repeat(3, axis=3)
    y = RangeErrorDraw("full_as_limited").apply(levels)
    np.testing.assert_allclose(y[0, 0, :, 0], [0, 1, 0, 1], atol=1e-6)


def test_it_scales_luma_by_219_and_colour_by_224_of_255() -> None:
    y, cb, cr = to_ycbcr(X, "bt601")
    after = to_ycbcr(RangeErrorDraw("limited_as_full").apply(X), "bt601")
    for plane, want in zip(after, (y * 219 / 255 + 16 / 255, cb * 224 / 255, cr * 224 / 255), strict=True):
        np.testing.assert_allclose(plane, want, atol=1e-6)


def test_the_two_mistakes_undo_each_other_where_nothing_is_cut() -> None:
    both = RangeErrorDraw("full_as_limited").apply(RangeErrorDraw("limited_as_full").apply(X))
    np.testing.assert_allclose(both, X, atol=1e-6)
