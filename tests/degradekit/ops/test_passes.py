"""Kernels taken apart: the sum of deviations, the sum of weights, and which form is chosen."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops import kernels
from degradekit.ops.passes import TILE, Passes, prepare
from degradekit.types import Array

ALLOWANCE = 0.5 / 255


def applied(passes: Passes, row: int) -> Array:
    """The kernel that output row ``row`` of a panel really gets."""
    reach_y, reach_x = passes.reach_y, passes.reach_x
    kernel = np.zeros((2 * reach_y + TILE, 2 * reach_x + 1))
    for k, (y, at) in enumerate(zip(passes.step_row, passes.step_at, strict=True)):
        weight = float(passes.weights[TILE * k + row])
        if len(passes.taps):
            kernel[y] += weight * passes.taps[at].astype(np.float64)
        else:
            kernel[y, at] += weight
    return kernel[row : row + 2 * reach_y + 1]


def deviation(passes: Passes, kernel: Array) -> float:
    """Largest sum of |K - K'| among the rows of a panel."""
    cy, cx = kernel.shape[0] // 2, kernel.shape[1] // 2
    window = slice(cy - passes.reach_y, cy + passes.reach_y + 1), slice(cx - passes.reach_x, cx + passes.reach_x + 1)
    sums = []
    for row in range(TILE):
        rest = kernel.copy()
        rest[window] -= applied(passes, row)
        sums.append(float(np.abs(rest).sum()))
    return max(sums)


@settings(deadline=None)  # the first example may compile
@given(st.integers(0, 8), st.integers(0, 8), st.integers(0, 999), st.booleans())
def test_any_kernel_stays_within_the_allowance(ry: int, rx: int, seed: int, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    kernel = rng.random((2 * ry + 1, 2 * rx + 1)) ** rng.integers(1, 20) - (0.3 if signed else 0)
    kernel /= np.abs(kernel).sum()
    passes = prepare(kernel, ALLOWANCE)
    assert deviation(passes, kernel) <= ALLOWANCE + 1e-5
    assert abs(applied(passes, 0).sum() - kernel.sum()) < 1e-5


@settings(deadline=None)  # the first example may compile
@given(st.integers(3, 10), st.floats(0.3, 3), st.floats(0.3, 3), st.floats(-3, 3))
def test_blur_kernels_keep_their_sum(reach: int, sx: float, sy: float, rotation: float) -> None:
    kernel = kernels.gaussian(2 * reach + 1, sx, sy, rotation)
    passes = prepare(kernel, ALLOWANCE)
    assert deviation(passes, kernel) <= ALLOWANCE + 1e-6
    assert abs(applied(passes, 3).sum() - 1) < 1e-6


def test_isotropic_gaussians_have_rank_1_and_are_trimmed() -> None:
    passes = prepare(kernels.gaussian(21, 1.0, 1.0), ALLOWANCE)
    assert len(passes.taps) == 1
    assert (passes.reach_y, passes.reach_x) == (3, 3)


def test_rank_needed_for_the_sinc_filter() -> None:
    assert len(prepare(kernels.sinc(21, 1.3), ALLOWANCE).taps) == 6


def test_thin_diagonals_are_applied_tap_by_tap() -> None:
    diagonal = prepare(np.eye(21) / 21, ALLOWANCE)
    assert diagonal.taps.shape == (0, 0)
    assert len(diagonal.step_row) == 21 * TILE


def test_terms_at_both_ends_serve_half_of_the_rows() -> None:
    for kernel in (kernels.sinc(13, 1.0), kernels.gaussian(21, 3.0, 0.3, 0.8), np.random.default_rng(0).random((7, 5))):
        passes = prepare(kernel, ALLOWANCE)
        weights = passes.weights.reshape(-1, TILE)
        assert passes.head > 0
        assert not weights[: passes.head, TILE // 2 :].any()
        assert not weights[len(weights) - passes.head :, : TILE // 2].any()
