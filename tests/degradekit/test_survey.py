"""A survey counts what plans hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from degradekit.recipe import load_recipe, probe_geometry
from degradekit.survey import Survey, survey

COUNT = 300


@pytest.fixture(scope="module")
def found(small_recipe: Path) -> Survey:
    return survey(load_recipe(small_recipe), COUNT)


def test_columns_are_those_of_the_plans(found: Survey, small_recipe: Path) -> None:
    recipe = load_recipe(small_recipe)
    plans = [recipe.draw(key=f"survey#{i}", geometry=probe_geometry(recipe)).columns() for i in range(COUNT)]
    assert set(found.columns) == {name for plan in plans for name in plan}
    for name, column in found.columns.items():
        wanted = [plan[name] for plan in plans if name in plan]
        assert column.values.size == len(wanted)
        assert found.share(name) == len(wanted) / COUNT
        if column.numeric:
            assert np.array_equal(column.values, np.array(wanted, float))
    assert found.share("deg.nothing.here") == 0


def test_quantiles_and_shares_are_those_of_the_recipe(found: Survey) -> None:
    sigma = found.columns["deg.blur1.sigma_x"]
    assert 0.4 <= sigma.quantile(0) < sigma.quantile(0.5) < sigma.quantile(1) <= 2
    assert sigma.quantile(0.5) == pytest.approx(1.2, abs=0.2)
    mode = found.columns["deg.resize1.mode"]
    assert not mode.numeric and not mode.constant
    assert set(mode.shares()) == {"area", "bilinear", "bicubic"}
    assert sum(mode.shares().values()) == pytest.approx(1)
    assert found.columns["deg.resize2.h"].constant
    assert found.columns["gt.flip.horizontal"].shares().keys() == {"yes", "no"}


def test_branches_are_the_places_where_not_always_the_same_runs(found: Survey) -> None:
    branches = found.branches()
    assert set(branches) == {"deg.noise1"}
    assert set(branches["deg.noise1"]) == {"noise1:gaussian", "noise1:poisson"}
    assert sum(branches["deg.noise1"].values()) == pytest.approx(1)
    assert list(branches["deg.noise1"].values()) == sorted(branches["deg.noise1"].values(), reverse=True)
