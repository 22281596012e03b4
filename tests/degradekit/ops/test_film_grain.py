from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from degradekit.ops.film_grain import FilmGrain, FilmGrainDraw
from degradekit.ops.kernels import gaussian_taps
from degradekit.rng import Draws, sample_key
from degradekit.types import Array, FloatImage, Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "grain").field("grain")
GRAIN = FilmGrainDraw(0.05, 1.0, 0.0, "grey", FIELD)


def flat(value: float, t: int = 1, n: int = 250) -> FloatImage:
    return np.full((t, n, n, 3), value, np.float32)


def noise(draw: FilmGrainDraw, x: FloatImage) -> Array:
    return draw.apply(x).astype(np.float64) - x


def test_no_sigma_only_clips() -> None:
    x = np.random.default_rng(0).uniform(-0.1, 1.1, (2, 30, 40, 3)).astype(np.float32)
    np.testing.assert_array_equal(replace(GRAIN, sigma=0.0).apply(x), np.clip(x, 0, 1))


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_the_strength_follows_the_luma(value: float) -> None:
    found = noise(replace(GRAIN, size=0.3), flat(value)).std()
    assert found == pytest.approx(0.05 * 2 * math.sqrt(value * (1 - value)), rel=0.03, abs=1e-6)


@pytest.mark.parametrize("size", [0.1, 0.5, 1.0, 2.0])
def test_neighbours_agree_by_the_size_of_the_grain(size: float) -> None:
    """White noise under a filter has the filter's autocorrelation; for a wide Gaussian that is exp(-d^2 / (4 s^2))."""
    plane = noise(replace(GRAIN, size=size), flat(0.5, n=400))[0, :, :, 0]
    taps = gaussian_taps(2 * math.ceil(4 * size) + 9, size)
    expected = np.correlate(taps, taps, "full")[len(taps) - 1 :] / (taps @ taps)
    for d in (1, 2, 3):
        found = (plane[:, d:] * plane[:, :-d]).mean() / plane.var()
        assert found == pytest.approx(expected[d], abs=0.05)
    if size >= 1:
        assert expected[1] == pytest.approx(math.exp(-1 / (4 * size * size)), abs=0.01)


def test_grey_grain_is_the_same_in_all_channels_and_independent_is_not() -> None:
    grey = noise(GRAIN, flat(0.5))
    assert (grey == grey[..., :1]).all()
    own = noise(replace(GRAIN, correlation="independent", size=0.1), flat(0.5))
    assert np.abs(np.corrcoef(own.reshape(-1, 3).T) - np.eye(3)).max() < 4 / 250


@pytest.mark.parametrize("persistence", [0.0, 0.6, 1.0])
def test_frames_are_correlated_as_asked(persistence: float) -> None:
    frames = noise(replace(GRAIN, persistence=persistence, size=0.1), flat(0.5, t=3))[..., 0].reshape(3, -1)
    correlation = np.corrcoef(frames)
    assert correlation[0, 1] == pytest.approx(persistence, abs=4 / 250)
    assert correlation[0, 2] == pytest.approx(persistence**2, abs=4 / 250)
    assert frames.std(axis=1) == pytest.approx(np.full(3, 0.05), rel=0.03)


def test_a_frame_does_not_depend_on_how_many_follow() -> None:
    draw = replace(GRAIN, persistence=0.5)
    np.testing.assert_array_equal(draw.apply(flat(0.5, t=3))[:2], draw.apply(flat(0.5, t=2)))


def test_one_channel_works() -> None:
    x = flat(0.5)[..., :1]
    assert noise(GRAIN, x).std() == pytest.approx(0.05, rel=0.03)


def test_ranges() -> None:
    op = FilmGrain.model_validate({"sigma_range": ["2/255", "20/255"], "size_range": [0.3, 1.5]})
    draws = [op.draw(Draws(sample_key(0, str(i), 0), "grain"), Geometry(1, 8, 8)) for i in range(50)]
    assert {draw.persistence for draw in draws} == {0.0}
    assert min(draw.size for draw in draws) >= 0.3
