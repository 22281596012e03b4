"""The resize op: sizes, grids, and pictures that stay where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.ops.light import linear
from degradekit.ops.resample import MODES, Mode, resize
from degradekit.ops.resize import Resize, ResizeDraw
from degradekit.recipe import parse_recipe
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

G = Geometry(1, 300, 200, source=(400, 300), target=(100, 75))


def drawn(g: Geometry = G, i: int = 0, **ranges: Any) -> ResizeDraw:
    op = Resize.model_validate({"mode": "bilinear", **ranges})
    return op.draw(Draws(sample_key(0, f"{i}.png", 0), "resize"), g)


@pytest.mark.parametrize(
    ("relative_to", "size"), [("current", (150, 100)), ("source", (200, 150)), ("target", (50, 37))]
)
def test_a_factor_refers_to_one_of_three_sizes(relative_to: str, size: tuple[int, int]) -> None:
    draw = drawn(relative_to=relative_to, factor_range=0.5)
    assert (draw.h, draw.w) == size
    assert draw.out_geometry(G) == Geometry(1, *size, source=G.source, target=G.target)


def test_sides_are_rounded_down_but_keep_a_pixel() -> None:
    assert drawn(Geometry(1, 100, 10), factor_range=0.299).h == 29
    assert drawn(Geometry(1, 100, 10), factor_range=0.29).h == 29  # 100 * 0.29 is 28.999999999999996
    assert drawn(Geometry(1, 100, 10), factor_range=0.01).w == 1


def test_explicit_sizes() -> None:
    assert drawn(size=33) == ResizeDraw(33, 33, "bilinear", False)
    assert drawn(size=(5, 7), antialias=True) == ResizeDraw(5, 7, "bilinear", True)


def test_mode_and_factor_are_drawn() -> None:
    draws = [drawn(i=i, factor_range=[0.15, 1.5], mode={"area": 0.5, "bicubic": 0.5}) for i in range(200)]
    assert {draw.mode for draw in draws} == {"area", "bicubic"}
    heights = [draw.h for draw in draws]
    assert 45 <= min(heights) < 80 and 400 < max(heights) <= 450


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({}, "either factor_range or size"),
        ({"factor_range": 1, "size": 3}, "either factor_range or size"),
        ({"factor_range": {"uniform": [0.5, 1], "over_time": "iid"}}, "one size"),
        ({"factor_range": 0}, "below"),
        ({"size": 0}, "greater than or equal to 1"),
        ({"size": 4, "mode": "cubic"}, "choose from nearest"),
    ],
)
def test_contradictions_are_refused(ranges: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        drawn(**ranges)


def test_the_size_it_has_already_costs_nothing() -> None:
    x = np.random.default_rng(0).random((1, 12, 9, 3), np.float32)
    assert ResizeDraw(12, 9, "bicubic", False).apply(x) is x


@pytest.mark.parametrize("mode", MODES)
def test_apply_is_resample(mode: Mode) -> None:
    x = np.random.default_rng(0).random((2, 12, 9, 3), np.float32)
    for antialias in (False, True):
        y = ResizeDraw(5, 20, mode, antialias).apply(x)
        np.testing.assert_array_equal(y, resize(x, 5, 20, mode=mode, antialias=antialias))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(9, 60),
    st.integers(9, 60),
    st.sampled_from(["area", "bilinear", "bicubic", "lanczos", "matlab_bicubic"]),
)
def test_nothing_shifts(h: int, w: int, mode: Mode) -> None:
    """The centre of a bump in the middle of the picture stays in the middle, and the grid says so."""
    ys, xs = np.mgrid[0:40, 0:40].astype(np.float32) - 19.5
    bump = np.exp(-(xs**2 + ys**2) / 50)[None, :, :, None]
    draw = ResizeDraw(h, w, mode, False)
    y = draw.apply(bump)[0, :, :, 0]
    centre_y, centre_x = ((y * grid).sum() / y.sum() for grid in np.mgrid[0:h, 0:w])
    a, _, c, _, e, f = draw.grid(Geometry(1, 40, 40))
    assert a * centre_x + c == pytest.approx(19.5, abs=0.05)
    assert e * centre_y + f == pytest.approx(19.5, abs=0.05)
    assert (centre_x, centre_y) == (pytest.approx((w - 1) / 2, abs=0.05), pytest.approx((h - 1) / 2, abs=0.05))


def test_in_linear_light_black_and_white_mix_to_half_the_light() -> None:
    x = np.indices((8, 8)).sum(0)[None, :, :, None].repeat(3, 3).astype(np.float32) % 2
    y = ResizeDraw(4, 4, "area", False, linear_light=True).apply(x)
    np.testing.assert_allclose(y, 0.7353570, atol=1e-6)  # sRGB of 1/2
    noise = np.random.default_rng(0).random((1, 12, 20, 3), np.float32)
    small = ResizeDraw(3, 5, "area", False, linear_light=True).apply(noise)
    assert linear(small).mean() == pytest.approx(float(linear(noise).mean()), abs=1e-6)


def test_in_linear_light_a_constant_and_the_size_it_has_stay() -> None:
    x = np.full((1, 12, 9, 3), 0.3, np.float32)
    np.testing.assert_allclose(ResizeDraw(5, 30, "lanczos", False, linear_light=True).apply(x), 0.3, atol=1e-6)
    assert ResizeDraw(12, 9, "bicubic", False, linear_light=True).apply(x) is x


def test_any_number_of_sizes_on_the_way_are_a_chain() -> None:
    recipe = parse_recipe("""
scale: 2
degrade:
  down: {op: resize, relative_to: source, factor_range: [0.2, 0.8], mode: [area, bicubic]}
  steps: {repeat: {integer: [0, 3]}, op: resize, factor_range: [0.7, 1.3], mode: [bilinear, b_spline, lanczos]}
  up: {op: resize, relative_to: target, factor_range: 1, mode: bicubic}
""")
    plans = [recipe.draw(key=str(i), geometry=Geometry(1, 64, 48)) for i in range(50)]
    assert {len(plan.degrade) for plan in plans} == {2, 3, 4, 5}
    for plan in plans:
        assert plan.lq_geometry.size == (32, 24)
        assert plan.alignment == pytest.approx((2, 0, 0.5, 0, 2, 0.5))


def test_drift_samples_at_the_factor_and_moves_the_picture_as_torch_does() -> None:
    """Away from its place by 1.1 px at the far corner on average, 3.2 at the 95th percentile, 6.5 at worst (400 px)."""
    g = Geometry(1, 400, 400)
    fault = [drawn(g, i, factor_range=[0.15, 1], compat={"drift": True}) for i in range(4000)]
    true = [drawn(g, i, factor_range=[0.15, 1]) for i in range(4000)]
    assert [(draw.h, draw.w) for draw in fault] == [(draw.h, draw.w) for draw in true]
    off = [
        (good.grid(g)[0] - bad.grid(g)[0]) * bad.w if bad.step else 0.0 for good, bad in zip(true, fault, strict=True)
    ]
    assert 1.0 < np.mean(off) < 1.2
    assert 2.9 < np.quantile(off, 0.95) < 3.5
    assert 5.5 < max(off) < 1 / 0.15
    assert min(off) >= 0
    assert all(draw.step == 0 for draw in true)


def test_drift_shows_in_the_pixels_and_is_none_where_sizes_are_whole() -> None:
    ramp = np.repeat(np.arange(101, dtype=np.float32)[None, None, :, None], 101, axis=1)
    draw = drawn(Geometry(1, 101, 101), factor_range=0.3, compat={"drift": True})
    assert (draw.w, draw.step) == (30, pytest.approx(1 / 0.3))
    np.testing.assert_allclose(draw.apply(ramp)[0, 3, :, 0], (np.arange(30) + 0.5) / 0.3 - 0.5, atol=1e-4)
    np.testing.assert_allclose(
        drawn(Geometry(1, 101, 101), factor_range=0.3).apply(ramp)[0, 3, :, 0],
        (np.arange(30) + 0.5) * 101 / 30 - 0.5,
        atol=1e-4,
    )
    for ranges in ({"factor_range": 1}, {"factor_range": 0.5}, {"factor_range": 0.37, "mode": "area"}):
        assert drawn(Geometry(1, 100, 100), compat={"drift": True}, **ranges).step == 0
    enlarged = drawn(Geometry(1, 100, 100), factor_range=1.003, compat={"drift": True})
    assert (enlarged.w, enlarged.step) == (100, pytest.approx(1 / 1.003))
    with pytest.raises(ValueError, match="drift comes from a factor"):
        drawn(size=30, compat={"drift": True})
    with pytest.raises(ValueError, match="drift"):
        drawn(factor_range=1, compat={"drfit": True})
