"""Masks: areas, edges and places by formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.ops.mask import Spot, clouds, ellipse, gradient, rectangle, text
from degradekit.rng import Draws, sample_key

HARD = Spot(0.5, 0.5, 0.4, 0.6, 0.0, 0.0)


def field(i: int = 0) -> str:
    return Draws(sample_key(0, str(i), 0), "part").field("mask")


@pytest.mark.parametrize("angle", [0, 0.7, math.pi / 2])
@pytest.mark.parametrize("feather", [0, 0.1])
def test_areas(angle: float, feather: float) -> None:
    """A feather is half inside and half outside, so areas stay, but for the ends of a rectangle's corners."""
    spot = HARD._replace(width=0.4, height=0.5, angle=angle, feather=feather)
    assert ellipse(200, 200, spot).mean() == pytest.approx(math.pi / 4 * 0.2, rel=0.03)
    assert rectangle(200, 200, spot).mean() == pytest.approx(0.2, rel=0.03)


def test_a_rectangle_has_its_sides_where_it_should() -> None:
    mask = rectangle(100, 50, HARD)
    assert np.flatnonzero(mask[50] == 1).tolist() == list(range(15, 35))
    assert np.flatnonzero(mask[:, 25] == 1).tolist() == list(range(20, 80))
    assert set(np.unique(mask)) == {0, 1}


def test_a_turn_is_clockwise_as_displayed() -> None:
    """A long thin bar, turned by 45 degrees, goes down to the right."""
    mask = rectangle(100, 100, Spot(0.5, 0.5, 0.8, 0.05, math.pi / 4, 0.0))
    assert mask[75, 75] == mask[25, 25] == 1
    assert mask[25, 75] == mask[75, 25] == 0


def test_an_edge_is_a_smoothstep_over_the_feather() -> None:
    line = rectangle(100, 100, Spot(0, 0.5, 1, 9, 0.0, 0.2))[50]
    t = np.clip((50 - (np.arange(100) + 0.5)) / 20 + 0.5, 0, 1)
    np.testing.assert_allclose(line, t * t * (3 - 2 * t), atol=1e-6)


@given(st.floats(-3, 3), st.floats(0.05, 1))
def test_a_gradient_rises_along_its_angle(angle: float, feather: float) -> None:
    mask = gradient(60, 80, Spot(0.5, 0.5, 0, 0, angle, feather))
    np.testing.assert_allclose(mask + mask[::-1, ::-1], 1, atol=1e-6)
    rise = np.gradient(mask.astype(float))[::-1]
    assert rise[0].sum() * math.cos(angle) + rise[1].sum() * math.sin(angle) > 0


@pytest.mark.parametrize("coverage", [0.1, 0.5, 0.8])
def test_clouds_cover_their_share_on_average(coverage: float) -> None:
    spot = Spot(0, 0, 0.15, 0, 0, 0.05)
    assert np.mean([clouds(48, 64, spot, coverage=coverage, field=field(i)) for i in range(200)]) == pytest.approx(
        coverage, abs=0.03
    )


def test_words_stand_in_lines_in_their_block() -> None:
    mask = text(200, 300, Spot(0.5, 0.8, 0.6, 0.2, 0.3, 0.0), lines=2, field=field())
    rows = np.flatnonzero(mask.max(axis=1) > 0.5)
    assert rows.tolist() == [*range(143, 157), *range(163, 177)]
    columns = np.flatnonzero(mask.max(axis=0))
    assert columns.min() >= 60 and columns.max() < 240
    words = np.flatnonzero(np.diff(mask[150] > 0.5))
    assert len(words) >= 4 and len(words) % 2 == 0
    assert (mask[150] != mask[170]).any()


def test_a_block_too_narrow_for_a_word_is_empty() -> None:
    assert not text(100, 100, Spot(0.5, 0.5, 0.01, 0.5, 0, 0), lines=1, field=field()).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
def test_any_size_works(size: tuple[int, int]) -> None:
    for mask in (
        ellipse(*size, HARD),
        rectangle(*size, HARD),
        gradient(*size, HARD),
        clouds(*size, HARD, coverage=0.5, field=field()),
        text(*size, HARD, lines=3, field=field()),
    ):
        assert mask.shape == size and mask.dtype == np.float32
        assert mask.min() >= 0 and mask.max() <= 1


def test_a_mask_does_not_depend_on_the_number_of_px() -> None:
    spot = Spot(0.4, 0.6, 0.5, 0.3, 0.5, 0.3)
    for make in (ellipse, rectangle, gradient):
        small, large = make(40, 60, spot), make(200, 300, spot)
        np.testing.assert_allclose(large[2::5, 2::5], small, atol=1e-6)
