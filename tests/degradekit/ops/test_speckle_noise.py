from __future__ import annotations

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops.gaussian_noise import GaussianNoiseDraw
from degradekit.ops.normal_noise import CORRELATIONS, draw_mix
from degradekit.ops.speckle_noise import SpeckleNoise, SpeckleNoiseDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry

U = Draws(sample_key(0, "cat.png", 0), "noise")
FIELD = U.field("noise")


def image() -> FloatImage:
    return np.random.default_rng(0).uniform(-0.1, 1.1, (2, 20, 31, 3)).astype(np.float32)


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_it_is_gaussian_noise_times_the_picture(correlation: str) -> None:
    x, mix = image(), draw_mix(correlation, U)
    grey = np.full_like(x, 0.5)
    noise = GaussianNoiseDraw(0.05, correlation, mix, FIELD).apply(grey) - grey
    np.testing.assert_allclose(
        SpeckleNoiseDraw(0.05, correlation, mix, FIELD).apply(x), np.clip(x + x * noise, 0, 1), atol=1e-6
    )


def test_no_noise_only_clips_and_black_stays_black() -> None:
    np.testing.assert_array_equal(SpeckleNoiseDraw(0.0, "grey", (), FIELD).apply(image()), np.clip(image(), 0, 1))
    black = np.zeros((1, 9, 9, 3), np.float32)
    np.testing.assert_array_equal(SpeckleNoiseDraw(0.5, "independent", (), FIELD).apply(black), black)


def test_frames_have_their_own_noise_and_strength() -> None:
    x = np.full((2, 60, 60, 3), 0.5, np.float32)
    y = SpeckleNoiseDraw((0.02, 0.1), "independent", (), FIELD).apply(x).astype(np.float64) - 0.5
    assert y[0].std() == pytest.approx(0.01, rel=0.03)
    assert y[1].std() == pytest.approx(0.05, rel=0.03)
    assert abs(np.corrcoef(y[0].ravel(), y[1].ravel())[0, 1]) < 4 / np.sqrt(y[0].size)


def test_colour_needs_three_channels_and_draws_are_complete() -> None:
    with pytest.raises(OpError, match="speckle_noise: correlation grey needs RGB"):
        SpeckleNoiseDraw(0.1, "grey", (), FIELD).apply(image()[..., :1])
    op = SpeckleNoise.model_validate({"sigma_range": ["2/255", "25/255"], "correlation": ["grey", "full"]})
    draws = [op.draw(Draws(sample_key(0, str(i), 0), "noise"), Geometry(1, 8, 8)) for i in range(50)]
    assert all((len(draw.mix) == 9) == (draw.correlation == "full") for draw in draws)
