"""Kernels by formula: against published code's numbers, limits of the families, widths, symmetry."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from degradekit.ops import kernels
from degradekit.types import Array

GOLDEN = Path(__file__).parents[2] / "golden" / "kernels.npz"

sizes = st.integers(0, 25).map(lambda r: 2 * r + 1)
sigmas = st.floats(0.05, 30)
angles = st.floats(-math.pi, math.pi)
betas = st.floats(0.3, 8)


def make(case: dict[str, Any]) -> Array:
    size, kind = case["kernel_size"], case["type"]
    if kind == "sinc":
        return np.pad(kernels.sinc(size, case["cutoff"]), max(0, (case["pad_to"] - size) // 2))
    sx, sy, rotation = case["sig_x"], case["sig_y"], case["theta"]
    if case["isotropic"]:
        sy, rotation = sx, 0.0
    if kind == "gaussian":
        return kernels.gaussian(size, sx, sy, rotation)
    family = {"generalized": kernels.generalized_gaussian, "plateau": kernels.plateau}[kind]
    return family(size, sx, sy, rotation, case["beta"])


def families(size: int, sx: float, sy: float, rotation: float, beta: float) -> list[Array]:
    return [
        kernels.gaussian(size, sx, sy, rotation),
        kernels.generalized_gaussian(size, sx, sy, rotation, beta),
        kernels.plateau(size, sx, sy, rotation, beta),
    ]


def test_kernels_are_those_of_basicsr() -> None:
    with np.load(GOLDEN) as golden:
        cases = json.loads(str(golden["cases"]))["cases"]
        for name, case in cases.items():
            kernel = make(case)[::3, ::3] if "stored" in case else make(case)
            np.testing.assert_allclose(kernel, golden[name], atol=1e-7, err_msg=str(case))
    assert len(cases) == 93


@given(sizes, sigmas, sigmas, angles, betas)
def test_unit_sum_and_point_symmetry(size: int, sx: float, sy: float, rotation: float, beta: float) -> None:
    for kernel in [*families(size, sx, sy, rotation, beta), kernels.sinc(size, min(sx, math.pi))]:
        assert kernel.shape == (size, size)
        assert kernel.sum() == pytest.approx(1)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


@given(sizes, st.floats(0.3, 10), st.floats(0.3, 10), angles, betas)
def test_rotations_that_change_nothing(size: int, sx: float, sy: float, rotation: float, beta: float) -> None:
    here = families(size, sx, sy, rotation, beta)
    for turned in (
        families(size, sx, sy, rotation + math.pi, beta),
        families(size, sy, sx, rotation + math.pi / 2, beta),
        [kernel.T for kernel in families(size, sy, sx, -rotation, beta)],
    ):
        for kernel, other in zip(here, turned, strict=True):
            np.testing.assert_allclose(kernel, other, atol=1e-9)


@given(sizes, st.floats(0.3, 10), betas)
def test_isotropic_kernels_are_the_limit_of_equal_sigmas(size: int, sigma: float, beta: float) -> None:
    for kernel, near in zip(
        families(size, sigma, sigma, 0.0, beta), families(size, sigma, sigma * (1 + 1e-12), 0.7, beta), strict=True
    ):
        np.testing.assert_allclose(kernel, near, atol=1e-9)


@given(sizes, sigmas, sigmas, angles)
def test_generalized_gaussian_of_shape_1_is_a_gaussian(size: int, sx: float, sy: float, rotation: float) -> None:
    general = kernels.generalized_gaussian(size, sx, sy, rotation, 1.0)
    np.testing.assert_allclose(general, kernels.gaussian(size, sx, sy, rotation), atol=1e-12)


def test_a_positive_rotation_turns_the_long_axis_from_x_towards_y() -> None:
    kernel = kernels.gaussian(11, 4.0, 0.5, 0.5)
    y, x = np.mgrid[-5:6, -5:6]
    assert (kernel * x * y).sum() > 0
    assert (kernel * x * x).sum() > (kernel * y * y).sum()


@pytest.mark.parametrize(("beta", "factor"), [(0.5, 3.464), (1.0, 1.0), (2.0, 0.632), (4.0, 0.539)])
def test_width_of_the_generalized_gaussian(beta: float, factor: float) -> None:
    exact = math.sqrt(2 ** (1 / beta) * math.gamma(2 / beta) / (2 * math.gamma(1 / beta)))
    assert exact == pytest.approx(factor, abs=1e-3)
    kernel = kernels.generalized_gaussian(201, 5.0, 5.0, 0.0, beta)
    assert kernels.effective_sigma(kernel) == pytest.approx(5 * factor, rel=0.01)


@pytest.mark.parametrize(
    ("kernel", "width"),
    [
        (kernels.gaussian(41, 10.0, 10.0), 8.9),
        (kernels.generalized_gaussian(21, 1.6, 1.6, 0.0, 0.5), 4.18),
        (kernels.plateau(7, 1.6, 1.6, 0.0, 1.0), 1.65),
        (kernels.plateau(21, 1.6, 1.6, 0.0, 1.0), 4.03),
        (np.full((7, 7), 1 / 49), 2.0),
    ],
)
def test_what_the_lattice_leaves_of_a_width(kernel: Array, width: float) -> None:
    assert kernels.effective_sigma(kernel) == pytest.approx(width, abs=0.05)


def test_plateau_halves_at_sigma() -> None:
    kernel = kernels.plateau(21, 3.0, 3.0, 0.0, 2.5)
    assert kernel[10, 13] == pytest.approx(kernel[10, 10] / 2)


@given(sizes, st.floats(0.01, math.pi))
def test_sinc_is_the_bessel_function_of_scipy(size: int, cutoff: float) -> None:
    y, x = np.mgrid[-(size // 2) : size // 2 + 1, -(size // 2) : size // 2 + 1]
    radius = np.hypot(x, y)
    radius[size // 2, size // 2] = 1
    exact = cutoff * special.j1(cutoff * radius) / (2 * math.pi * radius)
    exact[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    np.testing.assert_allclose(kernels.sinc(size, cutoff), exact / exact.sum(), rtol=1e-9, atol=1e-13)


def test_sinc_passes_what_is_below_the_cutoff_and_stops_what_is_above() -> None:
    kernel = kernels.sinc(201, 1.0)
    x = np.arange(-100, 101)
    gains = [abs((kernel.sum(axis=0) * np.cos(w * x)).sum()) for w in (0.8, 1.2)]
    assert gains[0] == pytest.approx(1, abs=0.05)
    assert gains[1] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("size", "cutoff", "rings"), [(7, math.pi / 3, False), (13, math.pi / 3, True)])
def test_sinc_rings_once_its_first_negative_lobe_fits(size: int, cutoff: float, rings: bool) -> None:
    step = np.cumsum(kernels.sinc(size, cutoff).sum(axis=0))
    assert (step.max() > 1.05) == rings


@pytest.mark.parametrize("make_kernel", [lambda: kernels.gaussian(9, 1.0, 2.0), lambda: kernels.sinc(9, 1.0)])
def test_kernels_belong_to_the_caller(make_kernel: Callable[[], Array]) -> None:
    first = make_kernel()
    first[:] = 0
    assert make_kernel().sum() == pytest.approx(1)
