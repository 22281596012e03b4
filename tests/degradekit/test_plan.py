"""Plans: JSON, versions, columns, alignment, and that they refuse what they were not drawn for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.plan import Plan, column_types
from degradekit.recipe import load_recipe, parse_recipe
from degradekit.types import Geometry

TEXT = """
scale: 2
target:
  crop: {op: crop, size: 24}
degrade:
  a:
    one_of:
      noise: {op: gaussian_noise, sigma_range: [0, 0.1]}
      jpeg: {op: jpeg, quality_range: {integer: [30, 95]}}
  down: {op: resize, relative_to: target, factor_range: 1, mode: nearest}
"""


def plan(key: str = "a") -> Plan:
    return parse_recipe(TEXT).draw(key=key, geometry=Geometry(1, 32, 40))


def test_json_is_canonical_and_exact() -> None:
    text = plan().to_json()
    assert Plan.from_json(text) == plan()
    assert Plan.from_json(text).to_json() == text
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text


def test_another_version_or_op_is_refused() -> None:
    raw = json.loads(plan().to_json())
    for change, message in (
        ({"version": 99}, r"step down: the plan needs version 99 of resize, this build has \d+; install"),
        ({"op": "rseize"}, "this build has no op 'rseize'"),
        ({"draw": {"h": 3}}, r"a resize step has parameters \['h'\]"),
    ):
        broken = {**raw, "degrade": [raw["degrade"][0], {**raw["degrade"][1], **change}]}
        with pytest.raises(OpError, match=message):
            Plan.from_json(json.dumps(broken))
    for text in ("{}", "[]", "no json", json.dumps({**raw, "format": 7})):
        with pytest.raises(OpError, match=r"this text is no plan|plan format 7 is unknown"):
            Plan.from_json(text)


def test_a_plan_refuses_an_image_it_was_not_drawn_for() -> None:
    with pytest.raises(OpError, match=r"drawn for an HR crop of shape \(1, 32, 40, 3\), not \(1, 32, 32, 3\)"):
        plan().make_gt(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(OpError, match=r"makes a GT of shape \(1, 24, 24, 3\)"):
        plan().make_lq(np.zeros((1, 32, 40, 3), np.uint8))


def test_columns_share_a_place_and_have_the_types_that_were_announced() -> None:
    recipe = parse_recipe(TEXT)
    types = recipe.columns()
    assert types == column_types("gt", recipe.to_gt) | column_types("deg", recipe.to_lq)
    assert {types["deg.a.op"], types["deg.a.sigma"], types["deg.down.h"]} == {"str", "float", "int"}
    seen = set()
    kinds = {"bool": bool, "int": int, "float": float, "str": str}
    for i in range(40):
        columns = plan(str(i)).columns()
        seen.add(columns["deg.a.op"])
        assert ("deg.a.sigma" in columns) == (columns["deg.a.op"] == "gaussian_noise")
        for name, value in columns.items():
            assert type(value) is kinds[types[name]], name
        assert not any(name.endswith(".field") for name in columns)
    assert seen == {"gaussian_noise", "jpeg"}


def test_a_series_shows_its_mean() -> None:
    text = TEXT.replace("sigma_range: [0, 0.1]", "sigma_range: {uniform: [0, 0.1], over_time: iid}")
    recipe = parse_recipe(text)
    for i in range(20):
        made = recipe.draw(key=str(i), geometry=Geometry(5, 32, 40))
        if made.columns()["deg.a.op"] == "gaussian_noise":
            sigma = made.degrade[0].draw.sigma  # type: ignore[attr-defined]
            assert len(sigma) == 5
            assert made.columns()["deg.a.sigma"] == pytest.approx(np.mean(sigma))
            return
    pytest.fail("no noise was drawn")


def test_alignment_composes_every_step() -> None:
    text = "scale: 2\ndegrade:\n  flip: {op: flip, horizontal: 1}\n"
    text += "  down: {op: resize, relative_to: target, factor_range: 1, mode: bilinear}\n"
    made = parse_recipe(text).draw(key="a", geometry=Geometry(1, 8, 8))
    assert made.alignment == (-2.0, 0.0, 6.5, 0.0, 2.0, 0.5)
    ramp = np.tile(np.arange(8, dtype=np.uint8) * 10, (8, 1))[None, :, :, None].repeat(3, 3)
    a, _, c, *_ = made.alignment
    np.testing.assert_array_equal(made.make_lq(ramp)[0, 0, :, 0], [10 * (a * x + c) for x in range(4)])


def test_gt_passes_through_untouched_where_nothing_computes() -> None:
    recipe = load_recipe("real_esrgan")
    x = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    for i in range(4):
        made = recipe.draw(key=str(i), geometry=Geometry(1, 64, 64))
        flipped = made.target[0].draw.horizontal  # type: ignore[attr-defined]
        np.testing.assert_array_equal(made.make_gt(x), x[:, :, ::-1] if flipped else x)
