"""Dry runs: right counts, a size that holds, and not a byte written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from degradekit.estimate import PAIRS, estimate, measure
from degradekit.job import BuildPlan, plan_build, run_build
from degradekit.progress import Progress
from degradekit.recipe import load_recipe


def plan(small_recipe: Path, photos: Path, out: object, **rest: object) -> BuildPlan:
    options: dict[str, object] = {"variants": 2, "shard_size": 20} | rest
    return plan_build(load_recipe(small_recipe), source=str(photos), out=str(out), **options)  # type: ignore[arg-type]


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_an_estimate_counts_and_writes_nothing(
    small_recipe: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = measure(plan(small_recipe, photos, tmp_path / "new" / "set"))
    assert (found.images, found.gts, found.pairs, found.shards) == (12, 24, 48, 3)
    assert PAIRS <= found.tried <= 3 * PAIRS
    assert found.tombstones == () and len(found.plans) == 3
    assert everything(tmp_path) == set()
    assert found.cpu_seconds > 0
    assert {"read", "draw", "encode", "apply.gaussian_blur", "apply.jpeg"} <= set(found.stages)


def test_the_size_is_that_of_the_build(small_recipe: Path, photos: Path, tmp_path: Path) -> None:
    made = plan(small_recipe, photos, tmp_path / "set")
    expected = measure(made).bytes
    run_build(made, Progress(None), executor="inline")
    size = sum(file.stat().st_size for file in (tmp_path / "set" / "data").glob("*.parquet"))
    assert abs(expected - size) < 0.25 * size


def test_the_first_plans_are_those_of_the_build(small_recipe: Path, photos: Path, tmp_path: Path) -> None:
    from degradekit.shards.dataset import open_dataset

    made = plan(small_recipe, photos, tmp_path / "set")
    plans = measure(made).plans
    run_build(made, Progress(None), executor="inline")
    dataset = open_dataset(tmp_path / "set")
    assert [drawn.to_json() for drawn in plans] == [dataset.read(i).plan for i in range(3)]


def test_few_pairs_are_all_tried(small_recipe: Path, photos: Path, tmp_path: Path) -> None:
    assert measure(plan(small_recipe, photos, tmp_path, limit=6)).tried == 6


def test_a_full_disk_and_broken_images_are_warned_of(
    small_recipe: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    shutil.copytree(photos, source)
    for image in source.rglob("*.jpg"):
        image.write_bytes(b"no picture")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: type(usage)(usage.total, usage.used, 10_000))
    text = estimate(plan(small_recipe, source, tmp_path / "set"))
    assert "do not fit into the 10 kB that are free" in text
    assert "pairs failed" in text and ".jpg" in text


def test_a_source_of_nothing_but_broken_images_is_told(small_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = measure(plan(small_recipe, tmp_path, tmp_path / "set"))
    assert (found.tried, len(found.tombstones), found.plans) == (4, 4, ())
    assert "4 of 4 pairs failed; broken.png#" in estimate(plan(small_recipe, tmp_path, tmp_path / "set"))


def test_an_object_store_has_no_free_space_to_compare(small_recipe: Path, photos: Path) -> None:
    found = measure(plan(small_recipe, photos, "s3://bucket/set", limit=4))
    assert found.free_bytes is None and found.fits


def test_the_text_says_what_was_asked(small_recipe: Path, photos: Path, tmp_path: Path) -> None:
    text = estimate(plan(small_recipe, photos, tmp_path / "set"), workers=3)
    assert "48 pairs (24 GTs of 12 images, 2 LQ each) in 3 shards" in text
    assert "nothing was written" in text and "with 3 workers" in text
    assert "apply.jpeg" in text and text.count("GT 64x64 -> LQ 16x16") == 3
