"""Pools through a whole build: relative paths, replay without the pool, and a pool that changes under a build."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from degradekit.build import trusted_recipe
from degradekit.errors import BuildError, ShardError
from degradekit.job import plan_build, run_build
from degradekit.progress import Progress
from degradekit.recipe import Recipe, load_recipe
from degradekit.replay import replay
from degradekit.shards.dataset import open_dataset

RECIPE = """
name: pools
scale: 2
extract: {mode: random, size: 32, small: pad}
degrade:
  blur: {op: kernel_pool, kernels: pools/kernels.npy}
  noise: {op: noise_patches, patches: pools/noise.npy, strength_range: [0.5, 1.5]}
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
  part: {blend: {mask: {shape: file, masks: pools/masks.npz}, grey: {op: grey}}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "pools").mkdir()
    rng = np.random.default_rng(0)
    np.save(tmp_path / "pools/kernels.npy", rng.random((5, 7, 7)))
    np.save(tmp_path / "pools/noise.npy", rng.integers(100, 110, (4, 16, 16, 3), np.uint8))
    np.savez(tmp_path / "pools/masks.npz", hard=rng.random((2, 16, 16)) < 0.5, soft=rng.random((16, 16)))
    path = tmp_path / "pools.yaml"
    path.write_text(RECIPE)
    return path


def built(photos: Path, recipe: Recipe, out: Path, limit: int = 6) -> None:
    plan = plan_build(recipe, source=str(photos), out=str(out), shard_size=3, limit=limit)
    run_build(plan, Progress(None), executor="inline")


def test_a_replay_needs_no_pool(photos: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(photos, load_recipe(recipe), tmp_path / "set")
    dataset = open_dataset(tmp_path / "set")
    result = replay(dataset)
    assert (result.equal, result.differences, result.redrawn) == (6, (), False)
    monkeypatch.chdir(tmp_path)  # where the paths of the recipe lead somewhere, it is drawn again as well
    assert replay(dataset).redrawn
    for file in (tmp_path / "pools").iterdir():
        file.unlink()
    result = replay(dataset)
    assert (result.equal, result.differences, result.redrawn) == (6, (), False)


def test_the_digest_knows_what_is_in_a_pool_and_not_where_it_is(recipe: Path) -> None:
    before = load_recipe(recipe).digest
    moved = recipe.parent / "elsewhere"
    (recipe.parent / "pools").rename(moved)
    recipe.write_text(RECIPE.replace("pools/", f"{moved}/"))
    assert load_recipe(recipe).digest == before
    np.save(moved / "kernels.npy", np.ones((5, 7, 7)))
    assert load_recipe(recipe).digest != before


def test_a_changed_pool_stops_a_build(photos: Path, recipe: Path, tmp_path: Path) -> None:
    before = load_recipe(recipe)
    plan = plan_build(before, source=str(photos), out=str(tmp_path / "set"), shard_size=3, limit=6)
    run_build(plan, Progress(None), executor="inline")
    np.save(recipe.parent / "pools/kernels.npy", np.ones((5, 7, 7)))
    with pytest.raises(BuildError, match="holds another build: recipe was"):
        built(photos, load_recipe(recipe), tmp_path / "set")
    with pytest.raises(ShardError, match="let a pool that it names hold the same"):
        trusted_recipe(replace(plan.spec, variants=3))  # as a worker that did not parse it before
