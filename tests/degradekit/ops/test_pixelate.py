from __future__ import annotations

import numpy as np
import pytest

from degradekit.ops.pixelate import Pixelate, PixelateDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry


def drawn(block: float, h: int = 24, w: int = 36) -> PixelateDraw:
    op = Pixelate.model_validate({"block_range": block})
    return op.draw(Draws(sample_key(0, "a", 0), "pixels"), Geometry(1, h, w))


def test_blocks_of_one_pixel_change_nothing() -> None:
    x = np.random.default_rng(0).random((1, 24, 36, 3), np.float32)
    assert drawn(1).apply(x) is x


@pytest.mark.parametrize("block", [2, 3, 4, 12])
def test_blocks_are_means(block: int) -> None:
    x = np.random.default_rng(0).random((1, 24, 36, 3), np.float32)
    means = x.reshape(1, 24 // block, block, 36 // block, block, 3).mean(axis=(2, 4))
    expected = means.repeat(block, axis=1).repeat(block, axis=2)
    np.testing.assert_allclose(drawn(block).apply(x), expected, atol=1e-6)


def test_twice_is_once_and_the_mean_stays() -> None:
    x = np.random.default_rng(0).random((1, 24, 36, 3), np.float32)
    once = drawn(4).apply(x)
    np.testing.assert_allclose(drawn(4).apply(once), once, atol=1e-6)
    assert once.mean() == pytest.approx(float(x.mean()), abs=1e-6)


def test_a_fraction_makes_blocks_of_two_sizes_and_there_is_always_one() -> None:
    assert (drawn(2.5).h, drawn(2.5).w) == (10, 14)
    x = np.random.default_rng(0).random((1, 1, 25, 1), np.float32)
    y = drawn(2.5, 1, 25).apply(x)
    _, counts = np.unique(y, return_counts=True)
    assert sorted(set(counts)) == [2, 3]
    assert (drawn(64, 10, 10).h, drawn(64, 10, 10).w) == (1, 1)
