from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.errors import OpError
from degradekit.ops.resample import resize
from degradekit.ops.subsample import Subsample, SubsampleDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry


def test_step_one_keeps_all() -> None:
    x = np.random.default_rng(0).random((2, 7, 9, 3), np.float32)
    np.testing.assert_array_equal(SubsampleDraw(1, 0).apply(x), x)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7), st.data())
def test_pixels_come_from_where_the_grid_says(h: int, w: int, step: int, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, min(step, h, w) - 1))
    x = np.arange(h * w, dtype=np.int64).reshape(1, h, w, 1)
    g = Geometry(1, h, w, 1)
    draw = SubsampleDraw(step, offset)
    y = draw.apply(x)  # type: ignore[arg-type]
    assert y.shape == draw.out_geometry(g).shape
    a, _, c, _, e, f = draw.grid(g)
    rows, columns = (e * np.arange(y.shape[1]) + f).astype(int), (a * np.arange(y.shape[2]) + c).astype(int)
    np.testing.assert_array_equal(y[0, ..., 0], x[0][rows][:, columns, 0])


def test_the_middle_of_odd_blocks_is_nearest() -> None:
    x = np.random.default_rng(0).random((1, 21, 30, 3), np.float32)
    np.testing.assert_array_equal(SubsampleDraw(3, 1).apply(x), resize(x, 7, 10, mode="nearest"))


def test_an_offset_outside_is_refused() -> None:
    op = Subsample.model_validate({"step_range": 8, "offset_range": 5})
    with pytest.raises(OpError, match="offset 5 lies outside a clip of 4x40 px"):
        op.draw(Draws(sample_key(0, "a", 0), "down"), Geometry(1, 4, 40))


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"step_range": 0}, "below 1"),
        ({"step_range": [2, 4]}, "whole numbers"),
        ({"step_range": {"integer": [2, 4]}, "offset_range": 2}, "reaches a whole step"),
        ({"step_range": {"integer": [2, 4], "over_time": "iid"}}, "one for the whole clip"),
    ],
)
def test_what_a_recipe_may_not_say(ranges: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Subsample.model_validate(ranges)
