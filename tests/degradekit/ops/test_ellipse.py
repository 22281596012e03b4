"""Noise on kernels, which all elliptic blurs share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from degradekit.fields import uniform_field
from degradekit.ops.base import Op
from degradekit.ops.convolve import ERROR, convolve
from degradekit.ops.ellipse import roughened
from degradekit.ops.gaussian_blur import GaussianBlur, GaussianBlurDraw
from degradekit.ops.generalized_blur import GeneralizedGaussianBlur
from degradekit.ops.kernels import gaussian
from degradekit.ops.plateau_blur import PlateauBlur
from degradekit.ops.skew_blur import SkewBlur
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "blur").field("kernel_noise")
BLURS: list[tuple[type[Op], dict[str, Any]]] = [
    (GaussianBlur, {}),
    (GeneralizedGaussianBlur, {"beta_range": 2}),
    (PlateauBlur, {"beta_range": 1}),
    (SkewBlur, {"skew_x_range": 1, "skew_y_range": 0}),
]


@pytest.mark.parametrize("amount", [0.0, 0.25, 1.0])
def test_weights_are_multiplied_and_the_sum_is_kept(amount: float) -> None:
    kernel = gaussian(9, 2.0, 1.0, 0.5)
    rough = roughened(kernel, amount, FIELD)
    noise = 1 + amount * (2 * uniform_field(FIELD, 81).astype(np.float64).reshape(9, 9) - 1)
    np.testing.assert_allclose(rough, kernel * noise / (kernel * noise).sum(), rtol=1e-12)
    assert rough.min() >= 0


def test_no_noise_changes_nothing() -> None:
    x = np.random.default_rng(0).random((1, 30, 40, 3), np.float32)
    clean = GaussianBlurDraw(9, 2.0, 1.0, 0.5).apply(x)
    np.testing.assert_array_equal(GaussianBlurDraw(9, 2.0, 1.0, 0.5, 0.0, FIELD).apply(x), clean)


def test_the_noise_reaches_the_picture() -> None:
    x = np.random.default_rng(0).random((1, 30, 40, 3), np.float32)
    rough = GaussianBlurDraw(9, 2.0, 1.0, 0.5, 0.5, FIELD).apply(x)
    exact = convolve(x, roughened(gaussian(9, 2.0, 1.0, 0.5), 0.5, FIELD))
    np.testing.assert_array_equal(rough, exact)
    assert np.abs(rough - GaussianBlurDraw(9, 2.0, 1.0, 0.5).apply(x)).max() > 4 * ERROR


def test_frames_share_the_pattern_and_may_differ_in_strength() -> None:
    x = np.repeat(np.random.default_rng(0).random((1, 30, 40, 3), np.float32), 3, axis=0)
    y = GaussianBlurDraw(9, 2.0, 2.0, 0.0, (0.0, 0.5, 0.5), FIELD).apply(x)
    np.testing.assert_array_equal(y[0], GaussianBlurDraw(9, 2.0, 2.0, 0.0).apply(x[:1])[0])
    np.testing.assert_array_equal(y[1], y[2])


@pytest.mark.parametrize(("op", "ranges"), BLURS)
def test_every_elliptic_blur_draws_it(op: type[Op], ranges: dict[str, Any]) -> None:
    ranges = {"size_range": 9, "sigma_x_range": 2, **ranges}
    u, g = Draws(sample_key(0, "a", 0), "blur"), Geometry(1, 16, 16)
    clean = op.model_validate(ranges).draw(u, g).to_json()
    assert (clean["kernel_noise"], clean["field"]) == (0.0, "")
    rough = op.model_validate({**ranges, "kernel_noise_range": [0.1, 0.25]}).draw(u, g).to_json()
    assert 0.1 <= rough["kernel_noise"] <= 0.25
    assert rough["field"] == u.field("kernel_noise")
    assert {k: v for k, v in rough.items() if k not in ("kernel_noise", "field")} == {
        k: v for k, v in clean.items() if k not in ("kernel_noise", "field")
    }
