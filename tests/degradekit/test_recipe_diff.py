"""A comparison finds an edited range, its effect on the draws, and nothing else."""

from __future__ import annotations

import pytest

from degradekit.recipe import parse_recipe
from degradekit.recipe_diff import Change, compare_recipes

TEXT = """
name: one
scale: 2
options: {grey: false}
degrade:
  blur: {p: 0.8, op: gaussian_blur, size_range: 9, sigma_x_range: [0.2, 2]}
  noise:
    one_of:
      gaussian: {p: 0.5, op: gaussian_noise, sigma_range: [1/255, 20/255]}
      speckle: {p: 0.5, op: speckle_noise, sigma_range: [1/255, 20/255]}
  end:
    shuffle:
      down: {op: resize, relative_to: target, factor_range: 1, mode: [area, bilinear]}
      jpeg: {op: jpeg, quality_range: [40, 90]}
"""


def edited(*pairs: tuple[str, str]) -> str:
    text = TEXT
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def compare(*pairs: tuple[str, str], plans: int = 400):
    return compare_recipes(parse_recipe(TEXT), parse_recipe(edited(*pairs)), plans)


def test_equal_recipes_have_no_difference() -> None:
    found = compare(("name: one", "name: two"), plans=50)
    assert (found.changes, found.rates, found.effects) == ((), (), ())


def test_an_edited_range_is_found_and_only_that() -> None:
    found = compare(("[40, 90]", "[60, 90]"))
    assert found.changes == (Change("degrade/end/jpeg.quality_range", "[40,90]", "[60,90]"),)
    assert found.rates == ()
    (effect,) = found.effects
    assert effect.name == "deg.end.jpeg.quality" and effect.shares == (1, 1)
    assert effect.was["median"] == pytest.approx(65, abs=4) and effect.now["median"] == pytest.approx(75, abs=3)
    assert effect.was["5 %"] == pytest.approx(42, abs=2) and effect.now["95 %"] == pytest.approx(89, abs=2)
    # D of U(40, 90) and U(60, 90): below 60 lie 20/50 of the one and nothing of the other.
    assert effect.size == pytest.approx(0.4, abs=0.05)


def test_a_rate_is_found_where_it_acts() -> None:
    found = compare(("p: 0.8", "p: 0.4"))
    assert found.changes == (Change("degrade/blur.p", "0.8", "0.4"),)
    (rate,) = found.rates
    assert rate.name == "deg.blur" and rate.shares == pytest.approx((0.8, 0.4), abs=0.07)
    assert {effect.name.rpartition(".")[0] for effect in found.effects} == {"deg.blur"}


def test_branch_probabilities_are_compared_by_name() -> None:
    found = compare(
        ("{p: 0.5, op: gaussian_noise", "{p: 0.25, op: gaussian_noise"), ("{p: 0.5, op: sp", "{p: 0.75, op: sp")
    )
    assert [change.path for change in found.changes] == ["degrade/noise:gaussian.p", "degrade/noise:speckle.p"]
    assert {rate.name for rate in found.rates} == {"deg.noise:gaussian", "deg.noise:speckle"}
    op = next(effect for effect in found.effects if effect.name == "deg.noise.op")
    assert op.size == pytest.approx(0.25, abs=0.06)
    assert op.now["speckle_noise"] == pytest.approx(0.75, abs=0.06)


def test_added_and_removed_nodes_are_named_once() -> None:
    found = compare(
        ("  blur: {p: 0.8, op: gaussian_blur, size_range: 9, sigma_x_range: [0.2, 2]}", "  grey: {op: grey}")
    )
    removed, added = found.changes
    assert removed.path == "degrade/blur" and removed.now == "" and removed.was.startswith("p 0.8 gaussian_blur(")
    assert added.path == "degrade/grey" and added.was == "" and added.now.startswith("grey(")
    gone = next(effect for effect in found.effects if effect.name == "deg.blur.sigma_x")
    assert gone.now == {} and gone.size == 1


def test_another_op_at_a_place_and_another_order_are_found() -> None:
    other = compare(("op: jpeg, quality_range", "op: webp, quality_range"), plans=20)
    assert [change.path for change in other.changes] == ["degrade/end/jpeg"]
    text = edited(("    shuffle:\n", "    chain:\n"))
    assert [c.path for c in compare_recipes(parse_recipe(TEXT), parse_recipe(text), 20).changes] == ["degrade/end"]
    one, two = (
        parse_recipe(f"scale: 1\ndegrade:\n  {a}: {{op: grey}}\n  {b}: {{op: grey}}\n") for a, b in ("xy", "yx")
    )
    assert compare_recipes(one, two, 10).changes == (Change("degrade order", "x y", "y x"),)


def test_what_stands_at_the_top_is_compared_too() -> None:
    found = compare(("scale: 2", "scale: 4"), ("grey: false", "grey: true"), plans=20)
    assert [change.path for change in found.changes][:2] == ["scale", "options.grey"]


def test_blends_are_compared_inside() -> None:
    text = "scale: 1\ndegrade:\n  part: {blend: {mask: {shape: ellipse}, blur: {op: grey}}}\n"
    one, two = parse_recipe(text), parse_recipe(text.replace("ellipse", "rectangle"))
    (change,) = compare_recipes(one, two, 10).changes
    assert change.path == "degrade/part.blend" and "ellipse" in change.was and "rectangle" in change.now
