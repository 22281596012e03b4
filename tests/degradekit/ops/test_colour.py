"""The matrices of BT.601, BT.709 and BT.2020."""

from __future__ import annotations

import numpy as np
import pytest

from degradekit.ops.colour import LUMA, from_ycbcr, to_ycbcr

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)


@pytest.mark.parametrize("matrix", LUMA)
def test_there_and_back(matrix: str) -> None:
    assert sum(LUMA[matrix]) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(from_ycbcr(*to_ycbcr(X, matrix), matrix), X, atol=1e-6)


@pytest.mark.parametrize("matrix", LUMA)
def test_primaries_reach_the_ends_of_the_colour_differences(matrix: str) -> None:
    primaries = np.float32([[[[1, 0, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 1, 1]]]])
    y, cb, cr = (plane.ravel() for plane in to_ycbcr(primaries, matrix))
    red, _, blue = LUMA[matrix]
    np.testing.assert_allclose(y, [red, blue, 1 - blue, 1 - red, 1], atol=1e-6)
    assert cr[0] == pytest.approx(0.5, abs=1e-6)
    assert cb[1] == pytest.approx(0.5, abs=1e-6)
    assert cb[2] == pytest.approx(-0.5, abs=1e-6)
    assert cr[3] == pytest.approx(-0.5, abs=1e-6)
    np.testing.assert_allclose([cb[4], cr[4]], 0, atol=1e-6)


def test_the_published_coefficients_of_bt_601() -> None:
    """ITU-R BT.601-7, section 2.5.3: Cb = -0.169 R - 0.331 G + 0.5 B, Cr = 0.5 R - 0.419 G - 0.081 B."""
    units = np.eye(3, dtype=np.float32)[None, None]
    _, cb, cr = (plane.ravel() for plane in to_ycbcr(units, "bt601"))
    np.testing.assert_allclose(cb, [-0.169, -0.331, 0.5], atol=1e-3)
    np.testing.assert_allclose(cr, [0.5, -0.419, -0.081], atol=1e-3)
