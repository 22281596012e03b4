from __future__ import annotations

import numpy as np
import pytest

from degradekit.fields import uniform_field
from degradekit.ops.uniform_noise import UniformNoiseDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage

FIELD = Draws(sample_key(0, "cat.png", 0), "noise").field("noise")


def image(t: int = 1, c: int = 3) -> FloatImage:
    return np.random.default_rng(0).uniform(-0.1, 1.1, (t, 40, 50, c)).astype(np.float32)


@pytest.mark.parametrize("correlation", ["independent", "grey"])
@pytest.mark.parametrize("c", [1, 3])
def test_equals_its_definition(correlation: str, c: int) -> None:
    x, grey = image(2, c), correlation == "grey"
    shape = (2, 40, 50, 1 if grey else c)
    u = uniform_field(FIELD, int(np.prod(shape))).reshape(shape).astype(np.float64)
    expected = np.clip(x + 0.1 * (2 * u - 1), 0, 1)
    np.testing.assert_allclose(UniformNoiseDraw(0.1, correlation, FIELD).apply(x), expected, atol=1e-6)


def test_no_amplitude_only_clips() -> None:
    np.testing.assert_array_equal(UniformNoiseDraw(0.0, "grey", FIELD).apply(image()), np.clip(image(), 0, 1))


def test_it_is_flat_between_its_bounds() -> None:
    noise = UniformNoiseDraw(0.2, "independent", FIELD).apply(np.full((1, 200, 200, 3), 0.5, np.float32)) - 0.5
    assert np.abs(noise).max() <= 0.2 + 1e-6
    counts, _ = np.histogram(noise, bins=20, range=(-0.2, 0.2))
    assert np.abs(counts - noise.size / 20).max() < 4 * np.sqrt(noise.size / 20)


def test_frames_differ() -> None:
    x = np.full((2, 50, 50, 3), 0.5, np.float32)
    noise = UniformNoiseDraw((0.1, 0.3), "independent", FIELD).apply(x) - 0.5
    assert noise[1].std() == pytest.approx(3 * noise[0].std(), rel=0.05)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 4 / np.sqrt(noise[0].size)
