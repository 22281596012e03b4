"""Replay: equal where nothing was touched, and exact about what differs where something was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from degradekit import codecs
from degradekit.errors import DegradekitError
from degradekit.recipe import Recipe, load_recipe
from degradekit.replay import changed_facts, compare, replay
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.shards.manifest import environment
from degradekit.types import Record


@pytest.fixture
def dataset(built: Path) -> Dataset:
    return open_dataset(built)


@pytest.fixture
def record(dataset: Dataset) -> Record:
    return next(r for r in map(dataset.read, range(9)) if isinstance(r, Record))


@pytest.fixture
def recipe(small_recipe: Path) -> Recipe:
    return load_recipe(small_recipe)


def test_a_dataset_replays(dataset: Dataset) -> None:
    result = replay(dataset, sample=10)
    assert (result.equal, result.differences, result.redrawn, result.environment) == (10, (), True, ())


def test_tombstones_do_not_count(dataset: Dataset) -> None:
    counts = dataset.info["counts"]
    assert counts["tombstones"] == 4
    assert replay(dataset, sample=1000).equal == counts["ok"]


def test_one_sample_or_one_variant_can_be_tried(dataset: Dataset, record: Record) -> None:
    assert replay(dataset, key=record.key).equal == 2
    assert replay(dataset, key=record.key, variant=1).equal == 1
    with pytest.raises(DegradekitError, match="no sample"):
        replay(dataset, key="nobody.png#r0")


def test_a_changed_pixel_is_found_and_told(record: Record, recipe: Recipe) -> None:
    lq = codecs.decode(record.lq)
    lq[0, 3, 5, 1] ^= 64
    lq[0, 3, 5, 2] ^= 8
    lq[0, 9, 2, 0] ^= 1
    difference = compare(replace(record, lq=codecs.encode(lq)), recipe)
    assert difference is not None
    assert (difference.pixels, difference.of, difference.levels) == (2, 16 * 16, 64)
    assert difference.first == (0, 3, 5, 1)
    assert (difference.was, difference.now) == (lq[0, 3, 5, 1], lq[0, 3, 5, 1] ^ 64)
    told = str(difference)
    assert record.key in told and "2 of 256 pixels" in told and "row 3, column 5, channel 1" in told


def test_a_changed_gt_shows_in_the_lq(record: Record, recipe: Recipe) -> None:
    gt = 255 - codecs.decode(record.gt)
    difference = compare(replace(record, gt=codecs.encode(gt)), recipe)
    assert difference is not None and difference.pixels > 200


def test_another_size_is_told(record: Record) -> None:
    lq = codecs.decode(record.lq)[:, :8]
    difference = compare(replace(record, lq=codecs.encode(lq)))
    assert difference is not None and difference.pixels == 0 and "(1, 8, 16, 3)" in difference.reason


def test_a_plan_that_is_drawn_otherwise_names_its_step(record: Record, recipe: Recipe) -> None:
    raw = json.loads(record.plan)
    step = next(step for step in raw["degrade"] if step["op"] == "jpeg")
    step["draw"]["quality"] = 99
    changed = replace(record, plan=json.dumps(raw))
    difference = compare(changed, recipe)
    assert difference is not None and "first at step jpeg1" in difference.reason and "quality=99" in difference.reason
    without = compare(changed)
    assert without is not None and without.pixels > 0


def test_a_step_of_another_version_is_told(record: Record, recipe: Recipe) -> None:
    raw = json.loads(record.plan)
    raw["degrade"][0]["version"] += 1
    difference = compare(replace(record, plan=json.dumps(raw)), recipe)
    assert difference is not None and "version" in difference.reason and raw["degrade"][0]["at"] in difference.reason


def test_a_recipe_that_means_something_else_now_is_not_drawn(dataset: Dataset) -> None:
    changed = replace(dataset, info=dataset.info | {"recipe_digest": "0" * 32})
    result = replay(changed, sample=3)
    assert (result.equal, result.redrawn) == (3, False)


def test_changed_facts_name_what_changed() -> None:
    here = environment()
    assert changed_facts(here) == []
    there = here | {"python": "2.7", "libraries": here["libraries"] | {"numpy": "1.0"}}
    assert changed_facts(there) == [
        f"libraries.numpy was 1.0, here it is {here['libraries']['numpy']}",
        f"python was 2.7, here it is {here['python']}",
    ]
