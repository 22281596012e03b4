"""Matrix error: greys stay, colours go where the matrices say."""

from __future__ import annotations

import numpy as np
import pytest

from degradekit.ops.matrix_error import MatrixErrorDraw

X = np.random.default_rng(0).uniform(0.4, 0.6, (2, 9, 7, 3)).astype(np.float32)


def test_the_same_matrix_is_the_identity() -> None:
    assert MatrixErrorDraw("bt709", "bt709").apply(X) is X


@pytest.mark.parametrize(("written", "read"), [("bt601", "bt709"), ("bt709", "bt601"), ("bt601", "bt2020")])
def test_greys_stay_and_the_way_back_undoes_it(written: str, read: str) -> None:
    grey = np.repeat(X[..., :1], 3, -1)
    np.testing.assert_allclose(MatrixErrorDraw(written, read).apply(grey), grey, atol=1e-6)
    y = MatrixErrorDraw(written, read).apply(X)
    assert np.abs(y - X).max() > 0.005
    np.testing.assert_allclose(MatrixErrorDraw(read, written).apply(y), X, atol=1e-6)


def test_a_known_colour() -> None:
    """Green (0.2, 0.7, 0.2): Y = 0.4935, Cb = -0.165632, Cr = -0.209344 by BT.601; read by BT.709."""
    y = MatrixErrorDraw("bt601", "bt709").apply(np.float32([[[[0.2, 0.7, 0.2]]]]))
    np.testing.assert_allclose(y.ravel(), [0.163825, 0.622517, 0.186157], atol=2e-5)
