"""The flip op: eight orientations, exact, each at its chance."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from degradekit.ops.flip import Flip, FlipDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

G = Geometry(2, 5, 7)
EIGHT = [FlipDraw(*flags) for flags in product((False, True), repeat=3)]


def picture(dtype: type = np.uint8, c: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 5, 7, c)).astype(dtype)


def test_no_flip_is_the_identity() -> None:
    x = picture()
    assert FlipDraw(False, False, False).apply(x) is x


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("draw", EIGHT)
def test_moves_pixels_as_numpy_does(draw: FlipDraw, dtype: type) -> None:
    for c in (1, 3):
        x = picture(dtype, c)
        expected = x[:, :: -1 if draw.vertical else 1, :: -1 if draw.horizontal else 1]
        expected = expected.swapaxes(1, 2) if draw.transpose else expected
        y = draw.apply(x)
        np.testing.assert_array_equal(y, expected)
        assert y.dtype == dtype and y.flags.c_contiguous and y.shape == draw.out_geometry(Geometry(2, 5, 7, c)).shape


@pytest.mark.parametrize("draw", EIGHT)
def test_the_grid_finds_every_pixel(draw: FlipDraw) -> None:
    x = picture()
    y = draw.apply(x)
    a, b, c, d, e, f = draw.grid(G)
    oy, ox = np.mgrid[0 : y.shape[1], 0 : y.shape[2]]
    np.testing.assert_array_equal(y, x[:, (d * ox + e * oy + f).astype(int), (a * ox + b * oy + c).astype(int)])


def test_all_eight_orientations_are_equally_likely_at_one_half() -> None:
    op = Flip(horizontal=0.5, vertical=0.5, transpose=0.5)
    counts = Counter(op.draw(Draws(sample_key(0, f"{i}.png", 0), "flip"), G) for i in range(1600))
    assert set(counts) == set(EIGHT)
    assert all(150 < count < 250 for count in counts.values())
    square = np.arange(4).reshape(1, 2, 2, 1).astype(np.uint8)
    assert len({draw.apply(square).tobytes() for draw in counts}) == 8


def test_certain_and_impossible_flips() -> None:
    op = Flip(horizontal=1)
    assert {op.draw(Draws(sample_key(0, f"{i}.png", 0), "flip"), G) for i in range(50)} == {
        FlipDraw(True, False, False)
    }
