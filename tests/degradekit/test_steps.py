"""Blends: steps on a part of the picture, their plan, their masks, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from degradekit.describe import describe_plan
from degradekit.errors import OpError, RecipeError
from degradekit.graph import leaves
from degradekit.nodes import read_yaml
from degradekit.ops.brightness import BrightnessDraw
from degradekit.ops.gaussian_noise import GaussianNoiseDraw
from degradekit.plan import Plan
from degradekit.recipe import Recipe, parse_recipe
from degradekit.rng import Draws, sample_key
from degradekit.schema import recipe_schema
from degradekit.steps import BlendDraw, Mask, Step, unfold
from degradekit.types import Geometry

TEXT = """
scale: 2
extract: {mode: random, size: 32}
degrade:
  dark: {op: brightness, factor_range: [0.5, 0.9]}
  part:
    p: 0.8
    blend:
      mask: {shape: [ellipse, rectangle, gradient, clouds, text], x_range: [0.3, 0.7], feather_range: [0, 0.3]}
      blur: {op: gaussian_blur, size_range: 7, sigma_x_range: [0.5, 2]}
      noise: {p: 0.5, op: gaussian_noise, sigma_range: [0.05, 0.1]}
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
  rest:
    blend:
      mask: {shape: text, y_range: 0.85, height_range: 0.2, width_range: 0.8, invert: 1}
      inner:
        blend:
          mask: {shape: gradient, angle_range: [-pi, pi]}
          jpeg: {op: jpeg, quality_range: [5, 20]}
"""
X = np.random.default_rng(0).random((2, 24, 32, 3), np.float32)
BRIGHT = (Step("part/bright", BrightnessDraw(2.0)),)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return parse_recipe(TEXT)


def mask(**ranges: object) -> BlendDraw:
    return Mask.model_validate(ranges).draw(Draws(sample_key(0, "a", 0), "part"), Geometry(2, 24, 32))


def plans(recipe: Recipe, count: int) -> list[Plan]:
    return [recipe.draw(key=f"{i}.png", geometry=Geometry(1, 32, 32)) for i in range(count)]


def test_it_is_the_mixture() -> None:
    draw = replace(mask(shape="ellipse", feather_range=0.4), steps=BRIGHT)
    weights = draw.mask(Geometry(2, 24, 32))
    assert weights.shape == (1, 24, 32, 1)
    want = weights * np.clip(2 * X, 0, 1) + (1 - weights) * X
    np.testing.assert_allclose(draw.apply(X), want, atol=1e-6)


def test_outside_of_the_mask_nothing_changes_and_inside_all() -> None:
    draw = replace(mask(shape="rectangle", feather_range=0), steps=BRIGHT)
    weights = draw.mask(Geometry(2, 24, 32))[0, ..., 0]
    y = draw.apply(X)
    np.testing.assert_array_equal(y[:, weights == 0], X[:, weights == 0])
    np.testing.assert_allclose(y[:, weights == 1], np.minimum(2 * X[:, weights == 1], 1), atol=1e-6)


def test_inverted_masks_and_strength() -> None:
    g = Geometry(2, 24, 32)
    plain = mask(shape="clouds")
    np.testing.assert_allclose(replace(plain, inverted=True).mask(g), 1 - plain.mask(g), atol=1e-6)
    np.testing.assert_allclose(replace(plain, strength=0.3).mask(g), 0.3 * plain.mask(g), atol=1e-6)
    assert not mask(invert=0).inverted and mask(invert=1).inverted


def test_a_mask_moves_over_time() -> None:
    draw = mask(shape="ellipse", width_range=0.2, x_range={"uniform": [0.2, 0.8], "over_time": "iid"})
    weights = draw.mask(Geometry(2, 24, 32))
    assert weights.shape == (2, 24, 32, 1)
    centres = (weights[..., 0].sum(axis=1) @ (np.arange(32) + 0.5)) / weights.sum(axis=(1, 2, 3)) / 32
    np.testing.assert_allclose(centres, draw.x, atol=0.01)
    y = replace(draw, steps=BRIGHT).apply(X)
    np.testing.assert_allclose(y[1], replace(draw, x=draw.x[1], steps=BRIGHT).apply(X[1:])[0], atol=1e-6)  # type: ignore[index]


def test_a_plan_with_blends_survives_json_and_replays(recipe: Recipe) -> None:
    gt = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)
    for plan in plans(recipe, 20):
        again = Plan.from_json(plan.to_json())
        assert again == plan
        assert again.to_json() == plan.to_json()
        np.testing.assert_array_equal(again.make_lq(gt), plan.make_lq(gt))


def test_an_unknown_parameter_version_or_op_inside_is_refused(recipe: Recipe) -> None:
    text = plans(recipe, 1)[0].to_json()
    for old, new, message in (
        ('"op":"jpeg"', '"op":"gone"', "no op 'gone'"),
        ('"quality"', '"q"', "a jpeg step has parameters"),
        ('"coverage"', '"cover"', "a blend step has parameters"),
    ):
        assert old in text
        with pytest.raises(OpError, match=message):
            Plan.from_json(text.replace(old, new))


def test_the_plan_stays_flat_and_a_blend_that_holds_nothing_is_no_step(recipe: Recipe) -> None:
    found = {tuple(step.at for step in plan.degrade) for plan in plans(recipe, 40)}
    assert found == {("dark", "part", "down", "rest"), ("dark", "down", "rest")}
    all_steps = {tuple(step.at for step in unfold(plan.degrade)) for plan in plans(recipe, 40)}
    inner = ("down", "rest", "rest/inner", "rest/inner/jpeg")
    assert ("dark", "part", "part/blur", "part/noise", *inner) in all_steps
    assert ("dark", *inner) in all_steps
    empty = parse_recipe(TEXT.replace("blur: {op", "blur: {p: 0, op").replace("noise: {p: 0.5", "noise: {p: 0"))
    assert all(step.at != "part" for plan in plans(empty, 20) for step in plan.degrade)


def test_masks_are_made_again_from_the_plan(recipe: Recipe) -> None:
    plan = next(plan for plan in plans(recipe, 20) if plan.degrade[1].at == "part")
    masks = Plan.from_json(plan.to_json()).masks()
    assert {name: weights.shape for name, weights in masks.items()} == {
        "deg.part": (1, 32, 32, 1),
        "deg.rest": (1, 16, 16, 1),
        "deg.rest.inner": (1, 16, 16, 1),
    }
    gt = np.full((1, 32, 32, 3), 90, np.uint8)
    part = plan.degrade[1]
    dark = plan.degrade[0].draw.apply(gt / np.float32(255))
    touched = np.abs(part.draw.apply(dark) - dark).max(axis=-1)
    assert (touched[masks["deg.part"][..., 0] == 0] == 0).all()


def test_columns_are_those_that_were_announced(recipe: Recipe) -> None:
    announced = recipe.columns()
    assert announced["deg.part.shape"] == announced["deg.rest.inner.op"] == "str"
    assert announced["deg.part.blur.sigma_x"] == announced["deg.part.feather"] == "float"
    kinds = {"str": str, "float": float, "int": int, "bool": bool}
    for plan in plans(recipe, 20):
        for name, value in plan.columns().items():
            assert type(value) is kinds[announced[name]], name
    assert {at for at, _ in leaves(recipe.to_lq)} >= {"part", "part/blur", "rest/inner/jpeg"}


def test_the_words_show_what_is_inside(recipe: Recipe) -> None:
    text = "\n".join(describe_plan(plans(recipe, 1)[0]))
    assert "rest/inner/jpeg" in text and "gradient" in text


def test_the_digest_knows_mask_and_children(recipe: Recipe) -> None:
    for change in (("y_range: 0.85", "y_range: 0.8"), ("[5, 20]", "[5, 21]"), ("invert: 1", "invert: 0")):
        assert parse_recipe(TEXT.replace(*change)).digest != recipe.digest


def test_draws_inside_do_not_depend_on_the_mask(recipe: Recipe) -> None:
    other = parse_recipe(TEXT.replace("x_range: [0.3, 0.7], ", ""))
    for mine, theirs in zip(plans(recipe, 10), plans(other, 10), strict=True):
        pairs = zip(unfold(mine.degrade), unfold(theirs.degrade), strict=True)
        assert all(a == b for a, b in pairs if not isinstance(a.draw, BlendDraw))


@pytest.mark.parametrize(
    ("blend", "message"),
    [
        ("blend: {mask: {}, a: {op: resize, relative_to: target, factor_range: 1, mode: area}}", "part.a: resize"),
        ("blend: {mask: {}, a: {one_of: {b: {op: flip}, c: {op: jpeg, quality_range: 9}}}}", "part.a.b: flip changes"),
        ("blend: {a: {op: jpeg, quality_range: 9}}", "degrade.part: a blend is a mapping with mask"),
        ("blend: 3", "degrade.part: a blend is a mapping with mask"),
        ("blend: {mask: {shape: round}, a: {op: jpeg, quality_range: 9}}", "part.mask.shape: unknown word 'round'"),
        ("blend: {mask: {fether_range: 1}, a: {op: jpeg, quality_range: 9}}", "did you mean 'feather_range'"),
        ("blend: {mask: {lines_range: [1, 3]}, a: {op: jpeg, quality_range: 9}}", "does not draw whole numbers only"),
    ],
)  # fmt: skip
def test_what_is_refused_when_the_recipe_is_loaded(blend: str, message: str) -> None:
    text = f"scale: 1\nextract: {{mode: random, size: 32}}\ndegrade:\n  part: {{{blend}}}\n"
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    assert message in str(caught.value)


def test_the_editors_schema_knows_blends() -> None:
    validator = Draft202012Validator(recipe_schema())
    raw = read_yaml(TEXT, "test")
    validator.validate(raw)
    broken = json.loads(json.dumps(raw))
    del broken["degrade"]["part"]["blend"]["mask"]
    assert not validator.is_valid(broken)
    broken = json.loads(json.dumps(raw))
    broken["degrade"]["part"]["blend"]["mask"]["fether_range"] = 1
    assert not validator.is_valid(broken)


def test_noise_inside_a_blend_is_the_noise_of_its_field() -> None:
    field = Draws(sample_key(0, "a", 0), "part/noise").field("noise")
    noise = Step("part/noise", GaussianNoiseDraw(0.1, "independent", (), field))
    draw = replace(mask(shape="gradient", feather_range=1), steps=(noise,))
    weights = draw.mask(Geometry(2, 24, 32))
    np.testing.assert_allclose(draw.apply(X) - X, weights * (noise.draw.apply(X) - X), atol=1e-6)


FILES = """
scale: 2
extract: {mode: random, size: 32}
degrade:
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
  part: {blend: {mask: {shape: file, masks: masks, FIT}, bright: {op: brightness, factor_range: 2}}}
"""


def masked(folder: Path, *sizes: tuple[int, int], fit: str = "", text: str = FILES) -> Recipe:
    (folder / "masks").mkdir(exist_ok=True)
    for i, (h, w) in enumerate(sizes):
        levels = np.zeros((h, w), np.uint8)
        levels[: h // 2, : (i + 1) * w // 4] = 255
        np.save(folder / f"masks/{i}.npy", levels)
    return parse_recipe(text.replace(", FIT", fit), folder=str(folder))


def test_a_mask_from_a_file_acts_where_it_is_white_and_needs_no_file_again(tmp_path: Path) -> None:
    recipe = masked(tmp_path, (16, 16), (16, 16), (16, 16))
    made = plans(recipe, 30)
    assert {plan.degrade[1].draw.index for plan in made} == {0, 1, 2}  # type: ignore[attr-defined]
    assert made[0].columns()["deg.part.shape"] == "file"
    shutil.rmtree(tmp_path / "masks")
    gt = np.full((1, 32, 32, 3), 100, np.uint8)
    for plan in made:
        again = Plan.from_json(plan.to_json())
        assert again == plan
        white = np.zeros((16, 16), bool)
        white[:8, : 4 * (1 + plan.columns()["deg.part.index"])] = True  # type: ignore[operator]
        np.testing.assert_array_equal(again.masks()["deg.part"][0, ..., 0], white)
        np.testing.assert_array_equal(again.make_lq(gt)[0, ..., 0], np.where(white, 200, 100))


def test_a_mask_of_another_size_is_named_when_the_recipe_is_loaded(tmp_path: Path) -> None:
    words = (
        "blend part: mask of another size: 0.npy in masks has 12x20 px, the picture at this step 16x16; "
        "give masks of that size, or write fit: resize"
    )
    with pytest.raises(RecipeError) as caught:
        masked(tmp_path, (12, 20))
    assert words in str(caught.value) and "whole images" not in str(caught.value)
    recipe = masked(tmp_path, (16, 16))
    with pytest.raises(OpError, match=r"0\.npy in masks has 16x16 px, the picture at this step 20x16"):
        recipe.draw(key="a.png", geometry=Geometry(1, 40, 32))
    with pytest.raises(RecipeError, match="whole images are tried at 120x160 px"):
        masked(tmp_path, text=FILES.replace("{mode: random, size: 32}", "{}"))


@pytest.mark.parametrize("size", [(48, 48), (16, 16), (8, 4), (48, 4)])
def test_a_mask_of_another_size_is_stretched_where_that_is_asked_for(size: tuple[int, int], tmp_path: Path) -> None:
    plan = plans(masked(tmp_path, size, fit=", fit: resize"), 1)[0]
    weights = plan.masks()["deg.part"]
    assert weights.shape == (1, 16, 16, 1)
    assert weights.mean() == pytest.approx(1 / 8, abs=0.02)
    assert weights[0, 4, 1] == 1 and weights[0, 12, 12] == 0
    part = plan.degrade[1].draw
    assert isinstance(part, BlendDraw)
    assert (part.file_h, part.file_w) == (min(size[0], 16), min(size[1], 16))


def test_inverted_masks_from_files_over_a_clip(tmp_path: Path) -> None:
    recipe = masked(tmp_path, (16, 16), fit=", invert: 1, strength_range: {uniform: [0.2, 1], over_time: iid}")
    plan = recipe.draw(key="a", geometry=Geometry(3, 32, 32))
    part, weights = plan.degrade[1].draw, plan.masks()["deg.part"]
    assert isinstance(part, BlendDraw) and weights.shape == (3, 16, 16, 1)
    np.testing.assert_allclose(weights[:, 15, 15, 0], part.strength, rtol=1e-6)
    assert not weights[:, 0, 0].any()


def test_files_and_their_shape_belong_together(tmp_path: Path) -> None:
    for text in (FILES.replace("shape: file, ", ""), FILES.replace("masks: masks, ", "")):
        with pytest.raises(RecipeError, match=r"degrade.part.mask: shape file and masks belong together"):
            masked(tmp_path, (16, 16), text=text)


def test_the_digest_knows_the_masks_and_not_their_place(tmp_path: Path) -> None:
    before = masked(tmp_path, (16, 16)).digest
    (tmp_path / "masks").rename(tmp_path / "moved")
    moved = FILES.replace("masks: masks", "masks: moved").replace(", FIT", "")
    assert parse_recipe(moved, folder=str(tmp_path)).digest == before
    np.save(tmp_path / "moved/0.npy", np.ones((16, 16), bool))
    assert parse_recipe(moved, folder=str(tmp_path)).digest != before
