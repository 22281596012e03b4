"""Grey: luma in three channels."""

from __future__ import annotations

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops.colour import LUMA
from degradekit.ops.grey import GreyDraw

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)


@pytest.mark.parametrize("matrix", LUMA)
def test_greys_stay_and_colours_become_luma(matrix: str) -> None:
    grey = np.repeat(X[..., :1], 3, -1)
    np.testing.assert_allclose(GreyDraw(matrix).apply(grey), grey, atol=1e-6)
    np.testing.assert_allclose(GreyDraw(matrix).apply(X)[..., 1], X.astype(float) @ LUMA[matrix], atol=1e-6)


def test_channels_are_equal_and_a_second_time_changes_nothing() -> None:
    y = GreyDraw("bt601").apply(X)
    assert np.ptp(y, axis=-1).max() == 0
    np.testing.assert_allclose(GreyDraw("bt601").apply(y), y, atol=1e-7)


def test_it_needs_rgb() -> None:
    with pytest.raises(OpError, match="grey works on RGB"):
        GreyDraw("bt601").apply(X[..., :2])
