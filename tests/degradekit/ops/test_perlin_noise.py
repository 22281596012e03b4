from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from degradekit.fields import normal_field
from degradekit.ops.perlin_noise import PerlinNoise, PerlinNoiseDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Array, FloatImage, Geometry

FIELD = Draws(sample_key(0, "cat.png", 0), "noise").field("noise")
NOISE = PerlinNoiseDraw(0.05, 8.0, 1, 0.5, "grey", "square", FIELD)


def flat(t: int = 1, n: int = 256) -> FloatImage:
    return np.full((t, n, n, 3), 0.5, np.float32)


def noise(draw: PerlinNoiseDraw, x: FloatImage) -> Array:
    return draw.apply(x).astype(np.float64) - x


def test_no_sigma_only_clips() -> None:
    x = np.random.default_rng(0).uniform(-0.1, 1.1, (2, 30, 40, 3)).astype(np.float32)
    np.testing.assert_array_equal(replace(NOISE, sigma=0.0).apply(x), np.clip(x, 0, 1))


def test_a_value_is_the_faded_mean_of_four_slopes() -> None:
    draw = replace(NOISE, sigma=0.01, period=5.5)
    found = noise(draw, flat(n=40))[0, :, :, 0] / 0.01
    columns = int(39.5 / 5.5) + 2
    slopes = normal_field(FIELD, 2 * columns * columns).reshape(columns, columns, 2).astype(np.float64)
    variance = 8 * (535 / 18018) * (181 / 462)
    for y, x in [(0, 0), (7, 20), (13, 39), (39, 3)]:
        at_x, at_y = (x + 0.5) / 5.5, (y + 0.5) / 5.5
        total = 0.0
        for row in (int(at_y), int(at_y) + 1):
            for column in (int(at_x), int(at_x) + 1):
                dx, dy = at_x - column, at_y - row
                near = [1 - (6 * abs(d) ** 5 - 15 * abs(d) ** 4 + 10 * abs(d) ** 3) for d in (dx, dy)]
                total += near[0] * near[1] * (slopes[row, column] @ (dx, dy))
        assert found[y, x] == pytest.approx(total / math.sqrt(variance), abs=2e-4)


def test_a_value_of_the_simplex_lattice_is_the_sum_of_the_slopes_around() -> None:
    """By the definition: every lattice point within sqrt(1/2) counts, found by trying all of them."""
    draw = replace(NOISE, sigma=0.01, period=5.5, lattice="simplex")
    found = noise(draw, flat(n=40))[0, :, :, 0] / 0.01
    end, side, skew, back = 39.5 / 5.5, math.sqrt(2 / 3), (math.sqrt(3) - 1) / 2, (3 - math.sqrt(3)) / 6
    columns = int(side * (end + skew * 2 * end)) + 2
    slopes = normal_field(FIELD, 2 * columns * columns).reshape(columns, columns, 2).astype(np.float64)
    rows, cols = np.mgrid[:columns, :columns]
    points = np.stack([cols - back * (rows + cols), rows - back * (rows + cols)], axis=-1)
    edges = np.linalg.norm(points[3, 3] - points[[3, 4, 4], [4, 3, 4]], axis=-1)
    np.testing.assert_allclose(edges, side)
    for y, x in [(0, 0), (7, 20), (13, 39), (39, 3), (39, 39)]:
        away = np.array([x + 0.5, y + 0.5]) / 5.5 * side - points
        near = np.maximum(0.5 - (away**2).sum(axis=-1), 0) ** 4
        total = (near * (slopes * away).sum(axis=-1)).sum()
        assert found[y, x] == pytest.approx(total / math.sqrt(math.sqrt(3) * math.pi / 92160), abs=3e-4)


@pytest.mark.parametrize("lattice", ["square", "simplex"])
@pytest.mark.parametrize(("octaves", "persistence"), [(1, 0.5), (3, 0.5), (4, 1.0)])
def test_sigma_is_that_of_all_octaves(octaves: int, persistence: float, lattice: str) -> None:
    draw = replace(NOISE, sigma=0.02, period=16.0, octaves=octaves, persistence=persistence, lattice=lattice)
    deviations = [noise(replace(draw, field=f"{i:032x}"), flat())[..., 0].std() for i in range(8)]
    assert np.sqrt(np.mean(np.square(deviations))) == pytest.approx(0.02, rel=0.06)


def test_larger_cells_are_smoother_and_octaves_rougher() -> None:
    def rough(draw: PerlinNoiseDraw) -> float:
        plane = noise(draw, flat())[0, :, :, 0]
        return float(np.diff(plane, axis=1).std() / plane.std())

    assert rough(replace(NOISE, period=32.0)) < 0.4 * rough(replace(NOISE, period=8.0))
    assert rough(replace(NOISE, period=32.0, octaves=4)) > 1.5 * rough(replace(NOISE, period=32.0))


def test_grey_planes_are_one_and_frames_and_channels_differ() -> None:
    grey = noise(NOISE, flat())
    assert (grey == grey[..., :1]).all()
    own = noise(replace(NOISE, correlation="independent"), flat(t=2))
    series = np.moveaxis(own, -1, 1).reshape(6, -1)
    assert np.abs(np.corrcoef(series) - np.eye(6)).max() < 0.15


def test_ranges() -> None:
    ranges = {"sigma_range": [0, 0.1], "period_range": {"log_uniform": [4, 64]}, "octaves_range": {"integer": [1, 4]}}
    op = PerlinNoise.model_validate(ranges)
    draws = [op.draw(Draws(sample_key(0, str(i), 0), "noise"), Geometry(1, 8, 8)) for i in range(60)]
    assert {draw.octaves for draw in draws} == {1, 2, 3, 4}
