"""Recipe files: what they mean, what is refused and in which words, and the one-call API."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from degradekit.errors import RecipeError
from degradekit.graph import Maybe, OneOf, Repeat, Shuffle
from degradekit.recipe import load_recipe, parse_recipe, recipe_names
from degradekit.types import Geometry

DOWN = "down: {op: resize, relative_to: target, factor_range: 1, mode: area}"
TEXT = f"""
name: test
scale: 2
options: {{sharp: false}}
extract: {{mode: random, size: 32}}
target:
  sharpen: {{when: sharp, op: unsharp_mask}}
degrade:
  blur: {{p: 0.5, op: gaussian_blur, size_range: 7, sigma_x_range: [0.2, 2]}}
  mix:
    shuffle:
      jpeg: {{op: jpeg, quality_range: 50}}
      noise: {{repeat: 2, op: gaussian_noise, sigma_range: 0.1}}
  {DOWN}
"""


def broken(degrade: str, **top: object) -> str:
    head = {"scale": 2, "extract": "{mode: random, size: 32}"} | top
    return "\n".join([*(f"{name}: {value}" for name, value in head.items()), "degrade:", degrade])


def test_the_tree_is_what_the_file_says() -> None:
    recipe = parse_recipe(TEXT)
    names = [name for name, _ in recipe.to_lq.children]
    nodes = dict(recipe.to_lq.children)
    assert names == ["blur", "mix", "down"]
    assert isinstance(nodes["blur"], Maybe)
    assert isinstance(nodes["mix"], Shuffle)
    assert isinstance(dict(nodes["mix"].children)["noise"], Repeat)
    assert recipe.to_gt.children == ()
    assert [name for name, _ in parse_recipe(TEXT, options={"sharp": True}).to_gt.children] == ["sharpen"]


def test_the_digest_is_of_the_meaning() -> None:
    digest = parse_recipe(TEXT).digest
    assert parse_recipe("# a comment\n" + TEXT.replace("name: test", "name: other")).digest == digest
    assert parse_recipe(TEXT.replace("0.1", "1/10")).digest == digest
    for change in (("0.5", "0.6"), ("sigma_range: 0.1", "sigma_range: 0.2"), ("scale: 2", "scale: 4"), ("32", "64")):
        assert parse_recipe(TEXT.replace(*change)).digest != digest
    assert parse_recipe(TEXT, options={"sharp": True}).digest != digest
    swapped = TEXT.replace("  blur:", "  second:").replace("name: test", "name: test # renamed node")
    assert parse_recipe(swapped).digest != digest, "a node's name keys its draws"


BAD = [
    ("  x: {op: gausian_blur, size_range: 7, sigma_x_range: 1}", "degrade.x: unknown op 'gausian_blur'; did you mean"),
    ("  x: {op: gaussian_blur, size_range: 7, sigma_x_range: [-1, 2]}", "degrade.x.sigma_x_range: -1 is below 0.01"),
    ("  x: {op: gaussian_noise, sigma_range: [1, 40]}", "40 is above 1; sigma is in [0, 1]: write 25/255"),
    ("  x: {op: gaussian_blur, size_range: 8, sigma_x_range: 1}", "odd whole numbers"),
    ("  x: {op: jpeg, quality_rnge: 50}", "unknown parameter; did you mean 'quality_range'?"),
    ("  x: {op: jpeg}", "degrade.x.quality_range: this parameter is required"),
    ("  x: {one_of: {a: {p: 0.6, op: jpeg, quality_range: 5}, b: {p: 0.6, op: jpeg, quality_range: 9}}}", "sum to 1.2"),
    ("  x: {one_of: {a: {p: 0.6, op: jpeg, quality_range: 5}, b: {op: jpeg, quality_range: 9}}}", "b do not; give all"),
    ("  x: {p: 1.2, op: jpeg, quality_range: 50}", "degrade.x.p: 1.2 is no probability"),
    ("  x: {p: often, op: jpeg, quality_range: 50}", "degrade.x.p: 'often' is no probability"),
    ("  x: {op: jpeg, chain: {}, quality_range: 50}", "exactly one of op, blend, chain, one_of, shuffle"),
    ("  x: {quality_range: 50}", "this one has none"),
    ("  x: jpeg", "a node is a mapping"),
    ("  a/b: {op: jpeg, quality_range: 50}", "'a/b' is no node name"),
    ("  x: {when: sharp, op: jpeg, quality_range: 50}", "'sharp' is no option"),
    ("  x: {repeat: 1.5, op: jpeg, quality_range: 50}", "degrade.x.repeat"),
    ("  x: {repeat: {integer: [1, 2], over_time: iid}, op: jpeg, quality_range: 50}", "one number of times"),
    ("  x: {op: jpeg, quality_range: 50}\n  x: {op: jpeg, quality_range: 60}", "the key 'x' appears twice"),
    ("  x: !!python/object/apply:os.system ['true']", "a recipe is plain YAML"),
    ("  x: [", "a recipe is plain YAML"),
    ("  x: {op: jpeg, quality_range: 50}", "needs 16x16 \\(steps x\\); end with a resize that is relative_to: target"),
]


@pytest.mark.parametrize(("degrade", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_a_bad_recipe_is_refused_by_path_value_and_remedy(degrade: str, message: str) -> None:
    text = broken(degrade) if "needs 16x16" in message else broken(f"{degrade}\n  {DOWN}")
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, where="mine.yaml")
    assert message.replace("\\", "") in str(caught.value)
    assert "mine.yaml" in str(caught.value) or "recipe mine" in str(caught.value)


TOP = [
    ("scale: 2.5\ndegrade: {}", "2.5 is no scale; write a whole number from 1 to 16"),
    ("scale: 2\ndegrade: {}", "degrade: no steps are left"),
    ("scale: 2\ndegarde: {}", "unknown key 'degarde'; did you mean 'degrade'?"),
    ("scale: 2\nextract: {mode: randm, size: 8}\ndegrade: {}", "extract.mode"),
    ("scale: 2\noptions: {a: 3}\ndegrade: {}", "options: {'a': 3} must map names to true or false"),
    ("- a\n- b", "a recipe is a YAML mapping"),
    ("", "a recipe is a YAML mapping"),
]


@pytest.mark.parametrize(("text", "message"), TOP, ids=[message[:40] for _, message in TOP])
def test_a_bad_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    assert message in str(caught.value)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(
            broken("  a: {op: jpg}\n  b: {op: jpeg, quality_range: 500}\n  c: {p: 2, op: jpeg, quality_range: 5}")
        )
    assert len(str(caught.value).splitlines()) == 3


def test_a_missing_file_names_the_shipped_recipes(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"No such file.*real_esrgan"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="unknown option 'gt_usn'; did you mean 'gt_usm'"):
        load_recipe("real_esrgan", gt_usn=True)


@pytest.mark.parametrize("name", sorted(recipe_names()))
@pytest.mark.parametrize("size", [(400, 400), (64, 128)])
def test_every_recipe_ends_at_gt_over_scale(name: str, size: tuple[int, int]) -> None:
    recipe = load_recipe(name)
    for i in range(50):
        plan = recipe.draw(key=f"{i}.png", geometry=Geometry(1, *size))
        h, w = plan.gt_geometry.size
        assert sorted((h, w)) == sorted(size)
        assert plan.lq_geometry.size == (h // recipe.scale, w // recipe.scale)
        assert set(plan.columns()) <= set(recipe.columns())
        if name in ("bd_duf", "real_esrgan_compat"):  # which move the picture, and say so
            continue
        a, b, c, d, e, f = plan.alignment
        np.testing.assert_allclose((a, e, c, f), [recipe.scale] * 2 + [(recipe.scale - 1) / 2] * 2, atol=1e-9)
        assert b == d == 0


def test_draws_are_keyed_by_seed_key_and_variant() -> None:
    g = Geometry(1, 400, 400)
    recipe = load_recipe("real_esrgan")
    plan = recipe.draw(key="a", geometry=g)
    assert load_recipe("real_esrgan").draw(key="a", geometry=g) == plan
    assert recipe.draw(key="b", geometry=g).degrade != plan.degrade
    assert load_recipe("real_esrgan", seed=1).draw(key="a", geometry=g).degrade != plan.degrade
    second = recipe.draw(key="a", geometry=g, variant=1)
    assert second.degrade != plan.degrade
    assert second.target == plan.target, "variants share their GT"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 1), (64, 48, 3), (64, 48, 4)])
def test_one_call_takes_what_notebooks_have(dtype: type, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random(shape)
    image = x.astype(dtype) if np.issubdtype(dtype, np.floating) else (x * np.iinfo(dtype).max).astype(dtype)
    before = image.copy()
    gt, lq, plan = load_recipe("classical").degrade(image, key="x")
    np.testing.assert_array_equal(image, before)
    depth = np.uint16 if dtype == np.uint16 else np.uint8
    assert (gt.shape, lq.shape, gt.dtype, lq.dtype) == ((64, 48, 3), (16, 12, 3), depth, depth)
    np.testing.assert_array_equal(plan.make_lq(gt[None])[0], lq)
    again = plan.apply(gt if not plan.target[0].draw.horizontal else gt[:, ::-1])[1]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(again, lq)


def test_alpha_is_composited_over_white_and_sizes_are_cut() -> None:
    image = np.zeros((9, 10, 4), np.uint8)
    image[..., 3] = 128
    gt, lq, _ = load_recipe("bicubic").degrade(image, key="x")
    assert gt.shape == (8, 8, 3)
    assert lq.shape == (2, 2, 3)
    assert set(gt.ravel()) == {127}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([[0, 1]], "takes a numpy array"),
        (np.zeros((8, 8), np.int32), "not int32"),
        (np.zeros((8, 8, 2), np.uint8), "not \\(8, 8, 2\\)"),
        (np.zeros((1, 8, 8, 2), np.uint8), "takes one image"),
        (np.zeros((0, 8, 8, 3), np.uint8), "takes one image"),
        (np.full((8, 8), 255.0), "must lie in \\[0, 1\\]"),
        (np.full((8, 8), np.nan, np.float32), "must lie in"),
        (np.zeros((2, 8), np.uint8), "no LQ at scale 4"),
    ],
)
def test_the_rest_is_refused(image: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe("bicubic").degrade(image, key="x")  # type: ignore[arg-type]


def test_one_of_without_p_is_even() -> None:
    recipe = parse_recipe(
        broken(f"  x: {{one_of: {{a: {{op: jpeg, quality_range: 5}}, b: {{op: jpeg, quality_range: 9}}}}}}\n  {DOWN}")
    )
    node = dict(recipe.to_lq.children)["x"]
    assert isinstance(node, OneOf)
    assert node.p == ()
