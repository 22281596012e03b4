"""Ops from other packages: found by name when a recipe is loaded, and again when a plan is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plugin_ops
import pytest
from jsonschema import Draft202012Validator

from degradekit.errors import OpError, RecipeError
from degradekit.lint import lint
from degradekit.nodes import read_yaml
from degradekit.ops.plugin import plugin_op
from degradekit.plan import Plan
from degradekit.recipe import Recipe, parse_recipe
from degradekit.replay import replay
from degradekit.schema import recipe_schema
from degradekit.shards.dataset import open_dataset
from degradekit.types import Geometry

TEXT = """
scale: 2
extract: {mode: random, size: 32, small: pad}
degrade:
  dust: {p: 0.9, op: "plugin_ops:Dust", share_range: [0.05, 0.1]}
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
"""


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(TEXT)


def test_it_is_drawn_applied_shown_and_replayed_as_any_op(recipe: Recipe) -> None:
    assert recipe.columns()["deg.dust.share"] == "float"
    image = np.zeros((32, 32, 3), np.uint8)
    pairs = [recipe.degrade(image, key=str(i)) for i in range(20)]
    dusty = [pair for pair in pairs if pair.lq.any()]
    assert 12 < len(dusty) < 20
    for gt, lq, plan in dusty:
        assert plan.degrade[0].draw.name == plan.columns()["deg.dust.op"] == "plugin_ops:Dust"
        again = Plan.from_json(plan.to_json())
        assert again == plan
        np.testing.assert_array_equal(again.make_lq(gt[None])[0], lq)


def test_its_version_and_ranges_are_in_the_digest(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_recipe(TEXT.replace("0.05", "0.06")).digest != recipe.digest
    plan = parse_recipe(TEXT.replace("p: 0.9, ", "")).draw(key="1", geometry=Geometry(1, 32, 32)).to_json()
    monkeypatch.setattr(plugin_ops.DustDraw, "version", 2)
    assert parse_recipe(TEXT).digest != recipe.digest
    message = "needs version 1 of plugin_ops:Dust, this build has 2; install the version of its package"
    with pytest.raises(OpError, match=message):
        Plan.from_json(plan)


def test_the_linter_and_the_schema_know_it(tmp_path: Path) -> None:
    (tmp_path / "dust.yaml").write_text(TEXT)
    assert lint(tmp_path / "dust.yaml", draws=50, pairs=0).clean
    validator = Draft202012Validator(recipe_schema())
    assert validator.is_valid(read_yaml(TEXT, "text"))
    assert not validator.is_valid(read_yaml(TEXT.replace("plugin_ops:Dust", "plugin_ops:"), "text"))


BAD = [
    ("no_such_module:Dust", "there is no module 'no_such_module' here; install its package, or put its folder on PYTH"),
    ("plugin_ops.inner:Dust", "there is no module 'plugin_ops.inner' here"),
    ("plugin_ops:Dsut", "the module plugin_ops has no 'Dsut'; did you mean 'Dust'?"),
    ("plugin_ops:NOT_AN_OP", "NOT_AN_OP is no op; make it a subclass of degradekit.ops.Op"),
    ("plugin_ops:DustDraw", "DustDraw is no op"),
    ("plugin_ops:Nameless", "Nameless.name is 'plugin_ops:Dust'; write name: ClassVar[str] = 'plugin_ops:Nameless'"),
    ("plugin_ops:Drawless", "Drawless.draws is no subclass of degradekit.ops.Draw but <class 'int'>"),
    ("degradekit.ops.jpeg:Jpeg", "Jpeg.name is 'jpeg'"),
]


@pytest.mark.parametrize(("name", "message"), BAD, ids=[name for name, _ in BAD])
def test_what_is_no_op_is_refused_where_the_recipe_names_it(name: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(TEXT.replace("plugin_ops:Dust", name))
    assert f"degrade.dust: op {name}: " in str(caught.value)
    assert message in str(caught.value)


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    yield write


def test_a_module_that_fails_is_told_from_one_that_is_not_there(faulty: Callable[[str, str], None]) -> None:
    faulty("lacks_something", "import surely_not_installed")
    with pytest.raises(OpError, match="lacks_something:Rain: its module needs 'surely_not_installed'"):
        plugin_op("lacks_something:Rain")
    faulty("breaks", "1 / 0")
    with pytest.raises(OpError, match="importing breaks fails: ZeroDivisionError: division by zero"):
        plugin_op("breaks:Rain")


@pytest.mark.parametrize("share", ["often", [0, 2]])
def test_its_ranges_are_checked(share: Any) -> None:
    text = TEXT.replace("[0.05, 0.1]", str(share))
    with pytest.raises(RecipeError, match=r"degrade\.dust\.share_range"):
        parse_recipe(text)


@pytest.mark.parametrize("executor", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_workers_find_it_and_a_dataset_replays(
    executor: str,
    tmp_path: Path,
    quick_source: Path,
    degradekit: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(plugin_ops.__file__).parent))
    (tmp_path / "dust.yaml").write_text(TEXT)
    words = ["--source", quick_source, "--out", tmp_path / "set", "--executor", executor]
    words += ["--workers", 2] if executor == "ray" else []
    code, out, err = degradekit("build", tmp_path / "dust.yaml", *words)
    assert code == 0, out + err
    result = replay(open_dataset(tmp_path / "set"), sample=4)
    assert (result.equal, result.differences, result.redrawn) == (4, (), True)
