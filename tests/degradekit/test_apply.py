"""The border between stored integers and floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.apply import quantise, run, to_float
from degradekit.errors import OpError
from degradekit.graph import Step
from degradekit.ops.base import Draw
from degradekit.types import FloatImage


@dataclass(frozen=True, slots=True)
class AddDraw(Draw):
    name: ClassVar[str] = "add"
    value: float

    def apply(self, x: FloatImage) -> FloatImage:
        if self.value > 100:
            raise ValueError("too much")
        return x + np.float32(self.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_survive_the_round_trip(dtype: type) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(1, -1, 16, 1)
    np.testing.assert_array_equal(quantise(to_float(levels), levels.dtype), levels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_levels_become_the_nearest_float(dtype: type) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    exact = (levels.astype(np.float64) / np.iinfo(dtype).max).astype(np.float32)
    np.testing.assert_array_equal(to_float(levels), exact)


@given(st.floats(-2, 3, width=32))
def test_rounding_is_to_the_nearest_level(value: float) -> None:
    level = int(quantise(np.full((1, 1, 1, 1), value, np.float32), np.dtype(np.uint8)).item())
    assert abs(level - 255 * min(max(value, 0), 1)) <= 0.5 + 1e-4


def test_no_cast_ever_wraps() -> None:
    x = np.array([-3.2, 255.5 / 255, 1.9, -0.001], np.float32).reshape(1, 2, 2, 1)
    assert quantise(x, np.dtype(np.uint8)).ravel().tolist() == [0, 255, 255, 0]


def test_not_a_number_is_refused() -> None:
    with pytest.raises(OpError, match="not numbers"):
        quantise(np.array([[[[np.nan]]]], np.float32), np.dtype(np.uint8))
    with pytest.raises(OpError, match="not numbers"):
        run([Step("x", AddDraw(float("nan")))], np.zeros((1, 2, 2, 3), np.uint8))


def test_a_failing_step_is_named() -> None:
    steps = [Step("fine", AddDraw(0.1)), Step("stage/bad", AddDraw(200))]
    with pytest.raises(OpError, match=r"step stage/bad \(add\) failed on a clip of shape \(1, 2, 2, 3\): too much"):
        run(steps, np.zeros((1, 2, 2, 3), np.uint8))


def test_times_are_kept_by_op() -> None:
    seconds: dict[str, float] = {}
    run([Step("a", AddDraw(0.1)), Step("b", AddDraw(0.1))], np.zeros((1, 2, 2, 3), np.uint8), seconds)
    assert list(seconds) == ["apply.add"]
    assert seconds["apply.add"] >= 0


def test_rounding_happens_once() -> None:
    """Two steps of a third of a level each add up to a level after rounding once, to none after rounding twice."""
    x = np.zeros((1, 2, 2, 3), np.uint8)
    third = AddDraw(1 / 3 / 255)
    assert run([Step("a", third), Step("b", third)], x).max() == 1
    assert run([Step("b", third)], run([Step("a", third)], x)).max() == 0
