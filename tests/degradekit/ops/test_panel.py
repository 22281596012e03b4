"""The register tile: each of its four sizes against the plain sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from degradekit.jit import kernel
from degradekit.ops.panel import MIN_ROW, WIDTH, combine1, combine2, combine3, combine4
from degradekit.types import Array


def caller(combine: Callable[..., None]) -> Callable[..., None]:
    """A compiled function that makes one call; the combines exist in compiled code only."""

    def call(dst: Array, y: int, x: int, src: Array, offsets: Array, weights: Array, count: int, head: int) -> None:
        combine(dst, y, x, src, offsets, weights, count, head)

    return kernel(call)


def run(rows: int, count: int, head: int, weights: Array) -> tuple[Array, Array]:
    rng = np.random.default_rng(count)
    combine: Any = caller({1: combine1, 2: combine2, 3: combine3, 4: combine4}[rows])
    width, x = WIDTH[rows], 3
    src = rng.random(MIN_ROW + 200, dtype=np.float32)
    offsets = rng.integers(0, 190, count)
    dst = np.full((rows + 2, MIN_ROW + 8), -1, np.float32)
    combine(dst, 1, x, src, offsets, weights.reshape(-1), count, head)
    expected = np.full(dst.shape, -1.0)
    expected[1 : 1 + rows, x : x + width] = sum(
        np.outer(weights[k], src[offsets[k] + x : offsets[k] + x + width].astype(np.float64)) for k in range(count)
    )
    return dst, expected


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_weighted_sums_go_where_they_belong_and_nowhere_else(rows: int, count: int) -> None:
    weights = np.random.default_rng(rows).random((count, rows), dtype=np.float32)
    dst, expected = run(rows, count, 0, weights)
    np.testing.assert_allclose(dst, expected, rtol=1e-5)


@pytest.mark.parametrize("head", [1, 2, 4])
def test_terms_of_half_of_the_rows(head: int) -> None:
    weights = np.random.default_rng(head).random((8, 4), dtype=np.float32)
    weights[:head, 2:] = 0
    weights[8 - head :, :2] = 0
    dst, expected = run(4, 8, head, weights)
    np.testing.assert_allclose(dst, expected, rtol=1e-5)
