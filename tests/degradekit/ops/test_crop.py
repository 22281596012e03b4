"""The crop op: windows inside the picture, all equally likely."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import OpError
from degradekit.ops.crop import Crop, CropDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

X = np.random.default_rng(0).integers(0, 256, (2, 10, 12, 3), np.uint8)
G = Geometry(2, 10, 12)


def drawn(i: int = 0, g: Geometry = G, **ranges: Any) -> CropDraw:
    return Crop.model_validate(ranges).draw(Draws(sample_key(0, f"{i}.png", 0), "crop"), g)


def test_the_whole_picture_stays() -> None:
    np.testing.assert_array_equal(drawn(size=(10, 12)).apply(X), X)


def test_the_window_is_the_slice_and_the_grid_its_offset() -> None:
    draw = CropDraw(3, 5, 4, 6)
    y = draw.apply(X)
    np.testing.assert_array_equal(y, X[:, 3:7, 5:11])
    assert y.flags.c_contiguous and y.dtype == np.uint8
    assert draw.grid(G) == (1, 0, 5, 0, 1, 3)
    assert draw.out_geometry(G).size == (4, 6)


def test_positions() -> None:
    assert drawn(size=4, position="centre") == CropDraw(3, 4, 4, 4)
    assert drawn(size=(3, 5), position="centre") == CropDraw(3, 3, 3, 5)
    assert drawn(size=4, position=(6, 8)) == CropDraw(6, 8, 4, 4)
    counts = Counter((draw.y, draw.x) for draw in (drawn(i, size=(8, 10)) for i in range(1800)))
    assert set(counts) == {(y, x) for y in range(3) for x in range(3)}
    assert all(140 < count < 260 for count in counts.values())


@given(st.integers(1, 10), st.integers(1, 12), st.integers(0, 99))
def test_random_windows_fit(h: int, w: int, i: int) -> None:
    draw = drawn(i, size=(h, w))
    assert draw.apply(X).shape == (2, h, w, 3)


def test_windows_that_do_not_fit_are_refused() -> None:
    for ranges in ({"size": 11}, {"size": 13, "position": "centre"}, {"size": 4, "position": (7, 0)}):
        with pytest.raises(OpError, match="does not fit into 10x12 px"):
            drawn(**ranges)
    with pytest.raises(OpError, match="reaches outside a clip of 10x12 px"):
        CropDraw(0, 9, 4, 4).apply(X)
