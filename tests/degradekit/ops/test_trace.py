from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.trace import trace

POSITIONS = st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=30)


@given(POSITIONS)
def test_the_centre_of_gravity_is_the_mean_position(positions: list[tuple[float, float]]) -> None:
    x, y = np.array(positions).T
    kernel = trace(x, y)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1)
    rows, columns = (np.arange(side) - side // 2 for side in kernel.shape)
    assert kernel.sum(axis=0) @ columns == pytest.approx(x.mean(), abs=1e-9)
    assert kernel.sum(axis=1) @ rows == pytest.approx(y.mean(), abs=1e-9)


def test_whole_positions_are_counted() -> None:
    kernel = trace(np.array([-1.0, 0, 0, 2]), np.array([0.0, 1, 1, 0]))
    expected = np.zeros((3, 5))
    expected[1, 1] = expected[1, 4] = 0.25
    expected[2, 2] = 0.5
    assert kernel.tolist() == expected.tolist()


def test_a_place_between_four_pixels_counts_for_each() -> None:
    kernel = trace(np.array([0.25]), np.array([-0.5]))
    assert kernel.tolist() == [[0, 0.375, 0.125], [0, 0.375, 0.125], [0, 0, 0]]
