"""The four linear blurs: analytic responses, identity, series over time, what a recipe may not say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from degradekit.ops import kernels
from degradekit.ops.base import Draw, Op
from degradekit.ops.convolve import ERROR
from degradekit.ops.gaussian_blur import GaussianBlur, GaussianBlurDraw
from degradekit.ops.generalized_blur import GeneralizedGaussianBlur, GeneralizedGaussianBlurDraw
from degradekit.ops.plateau_blur import PlateauBlur, PlateauBlurDraw
from degradekit.ops.sinc import Sinc, SincDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Array, FloatImage, Geometry

ELLIPTIC: list[tuple[type[Op], dict[str, Any]]] = [
    (GaussianBlur, {}),
    (GeneralizedGaussianBlur, {"beta_range": [0.5, 4]}),
    (PlateauBlur, {"beta_range": [1, 2]}),
]
RESPONSES: list[tuple[Draw, Array]] = [
    (GaussianBlurDraw(9, 1.5, 0.7, 0.4), kernels.gaussian(9, 1.5, 0.7, 0.4)),
    (
        GeneralizedGaussianBlurDraw(11, 1.5, 1.5, 0.0, 0.6),
        kernels.generalized_gaussian(11, 1.5, 1.5, 0.0, 0.6),
    ),
    (PlateauBlurDraw(13, 2.0, 3.0, -1.0, 1.5), kernels.plateau(13, 2.0, 3.0, -1.0, 1.5)),
    (SincDraw(21, 1.1), kernels.sinc(21, 1.1)),
]


def draw(op: type[Op], key: str = "a", t: int = 1, **ranges: Any) -> Draw:
    return op.model_validate(ranges).draw(Draws(sample_key(0, key, 0), "blur"), Geometry(t, 32, 32))


def numbers(step: Draw) -> dict[str, Any]:
    return step.to_json()


def noise(t: int = 1) -> FloatImage:
    return np.random.default_rng(0).random((t, 40, 50, 3), dtype=np.float32)


@pytest.mark.parametrize(("step", "kernel"), RESPONSES)
def test_an_impulse_shows_the_kernel(step: Draw, kernel: Array) -> None:
    x = np.zeros((1, 51, 61, 3), np.float32)
    x[0, 25, 30] = 1
    reach = kernel.shape[0] // 2
    found = step.apply(x)[0, 25 - reach : 26 + reach, 30 - reach : 31 + reach]
    np.testing.assert_allclose(found, np.repeat(kernel[:, :, None], 3, axis=2), atol=ERROR)


@pytest.mark.parametrize(("step", "_kernel"), RESPONSES)
def test_mean_is_kept(step: Draw, _kernel: Array) -> None:
    x = np.full((1, 20, 30, 3), 0.3, np.float32)
    np.testing.assert_allclose(step.apply(x), x, atol=1e-6)


def test_widths_of_gaussians_add_in_squares() -> None:
    once = GaussianBlurDraw(41, 2.5, 2.5, 0.0).apply(noise())
    twice = GaussianBlurDraw(41, 2.0, 2.0, 0.0).apply(GaussianBlurDraw(41, 1.5, 1.5, 0.0).apply(noise()))
    inside = np.s_[:, 10:-10, 10:-10]
    np.testing.assert_allclose(once[inside], twice[inside], atol=3 * ERROR)


@pytest.mark.parametrize("op", [GaussianBlur, GeneralizedGaussianBlur])
def test_a_tiny_sigma_leaves_the_image(op: type[Op]) -> None:
    shape: dict[str, Any] = {"beta_range": 1} if op is GeneralizedGaussianBlur else {}
    x = noise()
    assert draw(op, size_range=21, sigma_x_range=0.1, **shape).apply(x) is x


def test_sinc_overshoots_and_is_not_clipped() -> None:
    x = np.zeros((1, 32, 64, 3), np.float32)
    x[:, :, 32:] = 1
    y = SincDraw(21, math.pi / 3).apply(x)
    assert y.max() > 1.08
    assert y.min() < -0.08


@pytest.mark.parametrize(("op", "ranges"), ELLIPTIC)
def test_without_sigma_y_the_blur_is_isotropic(op: type[Op], ranges: dict[str, Any]) -> None:
    found = numbers(draw(op, size_range=9, sigma_x_range=[0.2, 3], **ranges))
    assert found["sigma_x"] == found["sigma_y"]
    assert found["rotation"] == 0


@pytest.mark.parametrize(("op", "ranges"), ELLIPTIC)
def test_two_sigmas_and_the_rotation_are_drawn_independently(op: type[Op], ranges: dict[str, Any]) -> None:
    ranges = {**ranges, "size_range": 9, "sigma_x_range": [0.2, 3], "sigma_y_range": [0.2, 3]}
    found = [numbers(draw(op, str(i), rotation_range=["-pi", "pi"], **ranges)) for i in range(200)]
    table = np.array([[f["sigma_x"], f["sigma_y"], f["rotation"]] for f in found])
    correlation = np.corrcoef(table.T)
    assert np.abs(correlation - np.eye(3)).max() < 0.25
    assert table[:, 2].min() < -2.5
    assert table[:, 2].max() > 2.5


@pytest.mark.parametrize("op", [*(op for op, _ in ELLIPTIC), Sinc])
def test_sizes_are_odd_and_all_occur(op: type[Op]) -> None:
    ranges = {
        GaussianBlur: {"sigma_x_range": 1},
        GeneralizedGaussianBlur: {"sigma_x_range": 1, "beta_range": 1},
        PlateauBlur: {"sigma_x_range": 1, "beta_range": 1},
        Sinc: {"cutoff_range": 2},
    }[op]
    size_range = {"integer": [7, 21], "step": 2}
    sizes = {numbers(draw(op, str(i), size_range=size_range, **ranges))["size"] for i in range(100)}
    assert sizes == set(range(7, 22, 2))


def test_a_kernel_for_each_frame() -> None:
    walk = {"uniform": [0.5, 3], "over_time": {"walk": 0.3}}
    step = draw(GaussianBlur, t=4, size_range=11, sigma_x_range=walk)
    sigmas = numbers(step)["sigma_x"]
    assert len(set(sigmas)) == 4
    y = step.apply(noise(4))
    for t, sigma in enumerate(sigmas):
        alone = GaussianBlurDraw(11, sigma, sigma, 0.0).apply(noise(4)[t : t + 1])
        np.testing.assert_array_equal(y[t], alone[0])


@pytest.mark.parametrize(
    ("op", "ranges", "message"),
    [
        (GaussianBlur, {"size_range": [7, 21], "sigma_x_range": 1}, "odd whole numbers"),
        (GaussianBlur, {"size_range": 8, "sigma_x_range": 1}, "odd whole numbers"),
        (GaussianBlur, {"size_range": 7, "sigma_x_range": 0}, "below 0.01; sigma is in px"),
        (GaussianBlur, {"size_range": 7, "sigma_x_range": 1, "rotation_range": 1}, "add sigma_y_range"),
        (
            GaussianBlur,
            {"size_range": {"integer": [7, 9], "step": 2, "over_time": "iid"}, "sigma_x_range": 1},
            "one for the whole clip",
        ),
        (
            GaussianBlur,
            {"size_range": 7, "sigma_x_range": 1, "sigma_y_range": 2, "rotation_range": [0, 180]},
            "radians",
        ),
        (PlateauBlur, {"size_range": 7, "sigma_x_range": 1, "beta_range": 0}, "below 0.1"),
        (Sinc, {"size_range": 7, "cutoff_range": [1, 4]}, "above 3.14159; the cutoff is in radians per px"),
    ],
)
def test_what_a_recipe_may_not_say(op: type[Op], ranges: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        op.model_validate(ranges)
