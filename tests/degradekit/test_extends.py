"""A recipe that extends another: what it comes to, where its parts go, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import RecipeError
from degradekit.graph import Maybe, Shuffle
from degradekit.nodes import read_yaml
from degradekit.ops.gaussian_blur import GaussianBlur
from degradekit.recipe import Recipe, load_recipe, parse_recipe
from degradekit.types import Geometry

BASE = """
name: base
scale: 2
options: {sharp: false}
extract: {mode: random, size: 32, small: pad}
target: {flip: {op: flip, horizontal: 0.5}}
degrade:
  blur:
    one_of:
      iso: {p: 0.5, op: gaussian_blur, size_range: &size {integer: [7, 21], step: 2}, sigma_x_range: &sigma [0.2, 3]}
      aniso: {p: 0.3, op: gaussian_blur, size_range: *size, sigma_x_range: *sigma, sigma_y_range: *sigma}
      low: {p: 0.2, op: sinc, size_range: *size, cutoff_range: [pi/3, pi]}
  mix:
    shuffle:
      jpeg: {op: jpeg, quality_range: [30, 95]}
      noise: {p: 0.4, op: gaussian_noise, sigma_range: [0, 0.1]}
    before: [[jpeg, noise]]
  part:
    blend:
      mask: {shape: ellipse}
      grain: {op: film_grain, sigma_range: [0, 0.1], size_range: 1}
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def extended(folder: Path, text: str, **options: bool) -> Recipe:
    (folder / "mine.yaml").write_text(text)
    return load_recipe(folder / "mine.yaml", **options)


def nodes(recipe: Recipe) -> dict[str, object]:
    return dict(recipe.to_lq.children)


def test_nothing_but_extends_is_the_same_recipe_under_another_name(folder: Path) -> None:
    recipe = extended(folder, "extends: base.yaml")
    assert recipe.name == "mine"
    assert recipe.digest == load_recipe(folder / "base.yaml").digest


def test_sections_options_and_extract_are_replaced_or_merged(folder: Path) -> None:
    changes = "scale: 4\noptions: {grain: true}\nextract: {size: 64}\ntarget: {crop: {op: crop, size: 32}}"
    recipe = extended(folder, f"extends: base.yaml\n{changes}")
    assert recipe.scale == 4
    assert dict(recipe.options) == {"sharp": False, "grain": True}
    assert (recipe.extract.size, recipe.extract.small) == ((64, 64), "pad")
    assert [name for name, _ in recipe.to_gt.children] == ["crop"]


def test_a_change_reaches_one_node_and_a_star_every_child_that_has_it(folder: Path) -> None:
    text = "extends: base.yaml\nchange:\n  degrade.blur.{}.sigma_x_range: [0.5, 1]"
    one = nodes(extended(folder, text.format("iso")))["blur"].children  # type: ignore[attr-defined]
    assert [op.sigma_x_range.support() for _, op in one[:2]] == [(0.5, 1), (0.2, 3)], "an alias is not changed along"
    every = nodes(extended(folder, text.format("*")))["blur"].children  # type: ignore[attr-defined]
    assert [op.sigma_x_range.support() for _, op in every[:2]] == [(0.5, 1), (0.5, 1)]
    assert every[2][1].name == "sinc"


def test_chances_masks_orders_and_whole_nodes_are_changed_by_path(folder: Path) -> None:
    recipe = extended(
        folder,
        "extends: base.yaml\nchange:\n"
        "  degrade.mix.noise.p: 0.9\n"
        "  degrade.mix.before: [[noise, jpeg]]\n"
        "  degrade.part.mask.shape: text\n"
        "  degrade.part.grain.sigma_range: 0.02\n"
        "  degrade.blur: {op: gaussian_blur, size_range: 7, sigma_x_range: 1}\n"
        "  target.flip.vertical: 0.5\n",
    )
    children = nodes(recipe)
    assert isinstance(children["mix"], Shuffle) and children["mix"].before == (("noise", "jpeg"),)
    noise = dict(children["mix"].children)["noise"]
    assert isinstance(noise, Maybe) and noise.p == 0.9
    assert isinstance(children["blur"], GaussianBlur)
    assert children["part"].mask.shape.words == ("text",)  # type: ignore[attr-defined]
    assert dict(recipe.to_gt.children)["flip"].vertical == 0.5  # type: ignore[union-attr]


def test_nodes_are_added_on_either_side_and_removed(folder: Path) -> None:
    recipe = extended(
        folder,
        "extends: base.yaml\n"
        "before: {degrade.mix: {grey: {op: grey}, dark: {op: brightness, factor_range: 0.5}}}\n"
        "after:\n  degrade.mix: {bright: {op: brightness, factor_range: 2}}\n"
        "  degrade.mix.jpeg: {webp: {op: webp, quality_range: 50}}\n"
        "  degrade.part.grain: {late: {op: grey}}\n"
        "remove: [degrade.blur, degrade.mix.noise, degrade.mix.before]\n",
    )
    children = nodes(recipe)
    assert list(children) == ["grey", "dark", "mix", "bright", "part", "down"]
    assert [name for name, _ in children["mix"].children] == ["jpeg", "webp"]  # type: ignore[attr-defined]
    assert [name for name, _ in children["part"].child.children] == ["grain", "late"]  # type: ignore[attr-defined]


def test_a_recipe_extends_one_that_extends_another_in_another_folder(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "middle.yaml").write_text("extends: ../base.yaml\nchange: {degrade.mix.noise.p: 0.5}")
    recipe = extended(folder, "extends: sub/middle.yaml\nchange: {degrade.mix.noise.sigma_range: 0.2}")
    noise = dict(nodes(recipe)["mix"].children)["noise"]  # type: ignore[attr-defined]
    assert (noise.p, noise.child.sigma_range.to_json()) == (0.5, 0.2)


def test_what_is_stored_needs_no_other_file(folder: Path) -> None:
    recipe = extended(folder, "extends: base.yaml\nchange: {degrade.mix.jpeg.quality_range: [60, '2*45']}")
    for file in folder.iterdir():
        file.unlink()
    again = parse_recipe(recipe.text)
    assert again.digest == recipe.digest
    assert again.name == "mine"
    assert "extends" not in read_yaml(recipe.text, "text")
    g = Geometry(1, 32, 32)
    assert again.draw(key="a", geometry=g) == recipe.draw(key="a", geometry=g)


def test_a_shipped_recipe_is_extended_by_name(tmp_path: Path) -> None:
    recipe = extended(tmp_path, "extends: real_esrgan\nscale: 2")
    assert recipe.digest == load_recipe("real_esrgan_x2").digest
    sharpened = extended(tmp_path, "extends: real_esrgan", gt_usm=True)
    assert sharpened.digest == load_recipe("real_esrgan", gt_usm=True).digest


@given(st.floats(0.05, 1, exclude_min=True))
def test_a_changed_number_is_the_number_that_is_drawn(p: float) -> None:
    recipe = parse_recipe(f"extends: classical\nchange: {{degrade.noise.sigma_range: {p!r}}}")
    plan = recipe.draw(key="a", geometry=Geometry(1, 40, 40))
    np.testing.assert_equal(plan.columns()["deg.noise.sigma"], p)


BAD = [
    ("extends: base.yml", "extends: cannot read", "No such file"),
    ("extends: real_esgran", "neither a path from there nor a shipped recipe", "did you mean 'real_esrgan'"),
    ("extends: 3", "3 is no recipe; write a name or a path", ""),
    ("extends: mine.yaml", "extend each other in a circle: mine.yaml extends mine.yaml", ""),
    ("extends: base.yaml\nchanges: {}", "unknown key 'changes'; did you mean 'change'?", ""),
    ("scale: 2\nchange: {}\ndegrade: {}", "unknown key 'change'", ""),
    ("extends: base.yaml\nchange: [1]", "change: must map paths", "[1]"),
    ("extends: base.yaml\nchange: {blur.iso.p: 1}", "a path begins with target or degrade", ""),
    ("extends: base.yaml\nchange: {degrade.blurr.iso.p: 1}", "there is no node 'blurr'; did you mean 'blur'?", ""),
    ("extends: base.yaml\nchange: {degrade.blur.ios.p: 1}", "there is no node 'ios'; did you mean 'iso'?", ""),
    ("extends: base.yaml\nchange: {degrade.down.a.b: 1}", "'a' is in an op, which has no nodes in it", ""),
    ("extends: base.yaml\nchange: {degrade.blur.*.sigma_z: 1}", "there are no nodes with this parameter", ""),
    ("extends: base.yaml\nchange: {degrade.down.factr_range: 1}", "unknown parameter; did you mean 'factor_range'", ""),
    ("extends: base.yaml\nremove: degrade.blur", "remove: must be a list of paths", ""),
    ("extends: base.yaml\nremove: [degrade.blur.plain]", "there is no node 'plain'", "remove degrade.blur.plain"),
    ("extends: base.yaml\nremove: [degrade.down.antialias]", "there is no 'antialias'", ""),
    ("extends: base.yaml\nremove: [degrade.blur.low]", "sum to 0.8, not to 1", ""),
    ("extends: base.yaml\nafter: {degrade.blur: {mix: {op: grey}}}", "there is a node 'mix' already", ""),
    ("extends: base.yaml\nafter: {degrade.blur: grey}", "must map names to nodes, not 'grey'", ""),
    ("extends: base.yaml\nafter: {degrade.blur.iso.p: {x: {op: grey}}}", "there are no nodes", ""),
]


@pytest.mark.parametrize(("text", "message", "more"), BAD, ids=[text for text, _, _ in BAD])
def test_what_cannot_be_done_is_refused_by_path_and_remedy(folder: Path, text: str, message: str, more: str) -> None:
    with pytest.raises(RecipeError) as caught:
        extended(folder, text)
    assert message in str(caught.value)
    assert more in str(caught.value)


def test_a_circle_of_two_is_named(folder: Path) -> None:
    (folder / "other.yaml").write_text("extends: mine.yaml")
    with pytest.raises(RecipeError, match=r"circle: mine\.yaml extends other\.yaml extends mine\.yaml"):
        extended(folder, "extends: other.yaml")
