"""The JSON Schema of recipes: it takes what load_recipe takes, and refuses what an editor can see."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from degradekit.errors import RecipeError
from degradekit.nodes import read_yaml
from degradekit.ops import OPS
from degradekit.recipe import parse_recipe, recipe_names
from degradekit.schema import arguments, recipe_schema
from degradekit.source.extract import Extract

BASE = """
name: base
scale: 4
options: {sharp: false}
extract: {mode: random, size: 64}
target: {flip: {op: flip, horizontal: 0.5}}
degrade:
  blur: {op: gaussian_blur, size_range: {integer: [7, 21], step: 2}, sigma_x_range: [0.2, 3], p: 0.8}
  noise:
    one_of:
      gaussian: {p: 0.5, op: gaussian_noise, sigma_range: [1/255, 30/255]}
      poisson: {p: 0.5, op: poisson_noise, scale_range: [0.05, 3]}
  resize: {op: resize, relative_to: target, factor_range: 1, mode: [area, bilinear]}
"""

BROKEN: dict[str, str] = {
    "no scale": "degrade: {resize: {op: resize, relative_to: target, factor_range: 1}}",
    "scale 0": BASE.replace("scale: 4", "scale: 0"),
    "scale 2.5": BASE.replace("scale: 4", "scale: 2.5"),
    "unknown key": BASE + "degarde: {}",
    "no steps": "scale: 4\ndegrade: {}",
    "a list of steps": "scale: 4\ndegrade: [{op: flip}]",
    "unknown op": BASE.replace("op: gaussian_blur", "op: gausian_blur"),
    "unknown parameter": BASE.replace("sigma_x_range", "sigma_range"),
    "no op": BASE.replace("op: gaussian_blur, ", ""),
    "two kinds": BASE.replace("op: gaussian_blur", "chain: {}, op: gaussian_blur"),
    "p above 1": BASE.replace("p: 0.8", "p: 1.5"),
    "p a word": BASE.replace("p: 0.8", "p: often"),
    "sigma above 1": BASE.replace("[1/255, 30/255]", "[1, 30]"),
    "three ends": BASE.replace("[0.2, 3]", "[0.2, 1, 3]"),
    "unknown distribution": BASE.replace("{integer: [7, 21], step: 2}", "{gauss: [7, 21]}"),
    "foreign option of a distribution": BASE.replace("{integer: [7, 21], step: 2}", "{integer: [7, 21], p: [1]}"),
    "unknown mode": BASE.replace("[area, bilinear]", "[area, linear]"),
    "unknown over_time": BASE.replace("[0.2, 3]", "{uniform: [0.2, 3], over_time: often}"),
    "code": BASE.replace("30/255", "__import__('os')"),
    "bad node name": BASE.replace("  blur:", "  a/b:"),
    "option no switch": BASE.replace("sharp: false", "sharp: maybe"),
    "random without size": BASE.replace("{mode: random, size: 64}", "{mode: random}"),
    "whole with size": BASE.replace("mode: random", "mode: whole"),
    "sliding without step": BASE.replace("mode: random", "mode: sliding"),
    "size 0": BASE.replace("size: 64", "size: 0"),
    "when of two words": BASE.replace("p: 0.8", "when: sharp and soft"),
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = recipe_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_validate(name: str, validator: Draft202012Validator) -> None:
    raw = read_yaml(recipe_names()[name].read_text(encoding="utf-8"), name)
    assert [error.message for error in validator.iter_errors(raw)] == []


def test_the_base_validates_and_loads(validator: Draft202012Validator) -> None:
    assert validator.is_valid(read_yaml(BASE, "base"))
    assert parse_recipe(BASE).scale == 4


@pytest.mark.parametrize("name", BROKEN)
def test_broken_recipes_are_refused_by_schema_and_loader(name: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid(read_yaml(BROKEN[name], name))
    with pytest.raises(RecipeError):
        parse_recipe(BROKEN[name])


NUMBERS: list[Any] = [
    0.5,
    "1/2",
    "pi/6",
    "-pi/3 + 1.5",
    [0.2, 3],
    ["1/5", "pi"],
    {"const": 1},
    {"uniform": [0.2, 3]},
    {"log_uniform": [0.2, "pi"]},
    {"power_uniform": [0.2, "8**0.5"], "exponent": 2},
    {"choice": [1, "2/3"], "p": [0.5, "1/2"]},
    {"mixture": [[0.2, 1], 2, {"log_uniform": [1, 2]}], "p": [0.5, 0.3, 0.2]},
    {"histogram": [0.1, 1, 2], "weights": [1, 3]},
    {"uniform": [0.2, 3], "over_time": "iid"},
    {"uniform": [0.2, 3], "over_time": {"walk": 0.1}},
    {"uniform": [0.2, 3], "over_time": {"keyframes": 5}},
]


@pytest.mark.parametrize("form", NUMBERS, ids=str)
def test_every_form_of_a_number_validates_and_loads(form: Any, validator: Draft202012Validator) -> None:
    raw = copy.deepcopy(read_yaml(BASE, "base"))
    raw["degrade"]["blur"]["sigma_x_range"] = form
    errors = [error.message for error in validator.iter_errors(raw)]
    blur = next(op for op in OPS if op.name == "gaussian_blur")
    numbers = {key: value for key, value in raw["degrade"]["blur"].items() if key not in ("op", "p")}
    assert errors == [] and blur.model_validate(numbers)


@pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
def test_every_parameter_is_described(op: type[Any]) -> None:
    schema = recipe_schema()["$defs"][f"op.{op.name}"]
    undescribed = [name for name in op.model_fields if not schema["properties"][name].get("description")]
    assert undescribed == [] and schema["description"]
    assert schema["properties"]["op"] == {"const": op.name}


def test_descriptions_come_from_the_docstring() -> None:
    said = arguments(Extract)
    assert set(said) == set(Extract.model_fields)
    assert said["size"].startswith("Side of the window in px, or [height, width]")
    assert not any("\n" in text or "Source:" in text for text in said.values())


def test_faces_and_pools_validate(validator: Draft202012Validator) -> None:
    raw = read_yaml(BASE, "base")
    raw["degrade"]["measured"] = {"op": "kernel_pool", "kernels": {"path": "k.npy", "digest": "0" * 16}}
    raw["degrade"]["noisy"] = {"op": "noise_patches", "patches": "noise.npy"}
    for extract, valid in (
        ({"faces": {"landmarks": "a.csv", "size": 256}}, True),
        ({"faces": None}, True),
        ({"faces": {"size": 256}}, False),
        ({"faces": {"landmarks": "a.csv", "align": "arcface"}}, False),
    ):
        assert validator.is_valid({**raw, "extract": extract}) is valid
