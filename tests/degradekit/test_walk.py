"""A walk ends where a build ends, and says what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops.gaussian_blur import GaussianBlurDraw
from degradekit.recipe import load_recipe, parse_recipe
from degradekit.steps import Step
from degradekit.types import Geometry
from degradekit.walk import walk

BLENDED = """
scale: 2
degrade:
  part: {blend: {mask: {shape: ellipse}, blur: {op: gaussian_blur, size_range: 7, sigma_x_range: 2}}}
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
"""


def noise(h: int, w: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (1, h, w, 3), dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_last_picture_is_the_stored_one(small_recipe: Path, dtype: type) -> None:
    recipe = load_recipe(small_recipe)
    for key in ("a", "b", "c"):
        hr = noise(64, 64, dtype)
        plan = recipe.draw(key=key, geometry=Geometry(*hr.shape))
        gt = plan.make_gt(hr)
        made, stages = list(walk(plan.target, hr)), list(walk(plan.degrade, gt))
        assert np.array_equal(made[-1].pixels, gt) and made[-1].pixels.dtype == dtype
        assert np.array_equal(stages[-1].pixels, plan.make_lq(gt))
        assert [stage.step for stage in stages] == list(plan.degrade)


def test_a_stage_is_the_picture_of_the_steps_so_far(small_recipe: Path) -> None:
    hr = noise(64, 64)
    plan = load_recipe(small_recipe).draw(key="a", geometry=Geometry(*hr.shape))
    first = next(iter(walk(plan.degrade, hr)))
    expected = plan.degrade[0].draw.apply(hr.astype(np.float32) / np.float32(255))
    assert abs(first.pixels.astype(float) - np.clip(expected, 0, 1) * 255).max() <= 0.51
    assert first.lines[0] == "gaussian_blur"
    assert f"size {plan.degrade[0].draw.size}" in first.lines


def test_a_blend_names_its_steps() -> None:
    hr = noise(32, 32)
    plan = parse_recipe(BLENDED).draw(key="a", geometry=Geometry(*hr.shape))
    stage = next(iter(walk(plan.degrade, hr)))
    assert stage.step.at == "part"
    assert any(line.startswith("part/blur: gaussian_blur, size 7, sigma_x 2") for line in stage.lines)


def test_a_step_that_fails_is_named() -> None:
    bad = Step("blur", GaussianBlurDraw(7, float("nan"), 1.0, 0.0))
    with pytest.raises(OpError, match=r"step blur \(gaussian_blur\) failed on a clip of shape \(1, 32, 32, 3\)"):
        list(walk([bad], noise(32, 32)))
