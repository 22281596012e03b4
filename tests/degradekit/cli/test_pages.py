"""preview, explain and recipe diff on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from degradekit.plan import Plan
from degradekit.shards.dataset import open_dataset
from degradekit.types import Record, Tombstone

Run = Callable[..., tuple[int, str, str]]


def test_preview_writes_both_kinds_of_page(
    small_recipe: Path, photos: Path, tmp_path: Path, degradekit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = degradekit("preview", small_recipe, "--source", photos, "--plans", 50)
    assert (code, err) == (0, "")
    assert [line.partition(",")[0] for line in out.splitlines()] == ["preview-small.html", "preview-small.png"]
    assert "blur1" in (tmp_path / "preview-small.html").read_text()
    with Image.open(tmp_path / "preview-small.png") as picture:
        assert picture.width == 1600


def test_explain_prints_every_step_and_the_proof(built: Path, tmp_path: Path, degradekit: Run) -> None:
    rows = list(map(open_dataset(built).read, range(16)))
    record = next(row for row in rows if isinstance(row, Record) and row.variant == 1)
    page = tmp_path / "page.html"
    code, out, err = degradekit("explain", built, "--key", record.key, "--variant", 1, "--out", page)
    assert (code, err) == (0, "")
    for step in Plan.from_json(record.plan).degrade:
        assert step.at in out
    assert "the last step gives the stored LQ bit for bit (256 pixels)" in out and str(page) in out
    assert "bit for bit" in page.read_text()


def test_explain_says_why_there_is_nothing_to_explain(built: Path, degradekit: Run) -> None:
    dataset = open_dataset(built)
    dead = next(row for row in map(dataset.read, range(len(dataset))) if isinstance(row, Tombstone))
    code, _, err = degradekit("explain", built, "--key", dead.key)
    assert code == 2 and f"{dead.key}, variant 0, could not be made (read)" in err
    assert degradekit("explain", built, "--key", "nothing")[0] == 2


def test_diff_prints_what_differs(small_recipe: Path, tmp_path: Path, degradekit: Run) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(small_recipe.read_text().replace("[30, 95]", "[50, 95]"))
    code, out, _ = degradekit("recipe", "diff", small_recipe, other, "--plans", 100)
    assert code == 1
    first, change, _, head, effect = out.splitlines()
    assert first.endswith("1 difference") and change.split() == [
        "degrade/jpeg1.quality_range",
        "[30,95]",
        "->",
        "[50,95]",
    ]
    assert head.split() == ["column", "effect", "in", "pairs", "drawn"] and effect.split()[0] == "deg.jpeg1.quality"
    code, out, _ = degradekit("recipe", "diff", small_recipe, other, "--plans", 100, "--json")
    assert json.loads(out)["changes"][0]["path"] == "degrade/jpeg1.quality_range"
    code, out, _ = degradekit("recipe", "diff", small_recipe, small_recipe, "--plans", 10)
    assert code == 0 and "say the same" in out
    code, out, _ = degradekit("recipe", "diff", small_recipe, "bicubic", "--plans", 10)
    assert "what is gone: gt.flip.op" in out


def test_diff_shows_what_an_option_does(degradekit: Run) -> None:
    words = ("recipe", "diff", "real_esrgan", "real_esrgan", "--plans", 10, "--set", "gt_usm=true")
    code, out, _ = degradekit(*words)
    assert code == 1
    assert "degrade/sharpen" in out and "target/sharpen" in out and "what is new: gt.sharpen.op" in out


def test_a_page_needs_an_ending_and_a_place(small_recipe: Path, photos: Path, tmp_path: Path, degradekit: Run) -> None:
    words = ("preview", small_recipe, "--source", photos, "--plans", 10, "--out")
    code, _, err = degradekit(*words, tmp_path / "page.pdf")
    assert code == 2 and "written as .html or .png" in err
    code, _, err = degradekit(*words, tmp_path / "nowhere" / "page.html")
    assert code == 2 and "choose a file that can be written" in err
