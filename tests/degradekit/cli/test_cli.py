"""The command line: what it prints, and its exit codes 0, 1, 2 and 3."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from degradekit import codecs
from degradekit.canonical import canonical_json
from degradekit.cli import VERBS
from degradekit.recipe import recipe_names
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.types import Record

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def dataset(built: Path) -> Dataset:
    return open_dataset(built)


@pytest.fixture
def record(dataset: Dataset) -> Record:
    return next(r for r in map(dataset.read, range(9)) if isinstance(r, Record))


@pytest.fixture
def damaged(built: Path, tmp_path: Path) -> Path:
    """A copy of the dataset with one byte of one shard turned over."""
    copy = tmp_path / "damaged"
    shutil.copytree(built, copy)
    shard = sorted((copy / "data").glob("*.parquet"))[1]
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 0xFF
    shard.write_bytes(data)
    return copy


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, degradekit: Run) -> None:
    code, out, _ = degradekit(verb, "--help")
    assert code == 0 and (VERBS[verb].__doc__ or "").split("\n")[0].split(",")[0] in " ".join(out.split())


def test_without_a_verb_the_help_is_printed(degradekit: Run) -> None:
    code, out, _ = degradekit()
    assert code == 2 and all(verb in out for verb in VERBS)


def test_an_unknown_verb_is_refused(degradekit: Run) -> None:
    code, _, err = degradekit("degrade")
    assert code == 2 and "degrade" in err


def test_the_version_is_printed(degradekit: Run) -> None:
    code, out, _ = degradekit("--version")
    assert code == 0 and out.count(".") == 2


@pytest.mark.parametrize("verb", ["verify", "replay", "inspect", "sheet"])
def test_no_dataset_is_exit_3(verb: str, degradekit: Run, tmp_path: Path) -> None:
    extra = ["--out", tmp_path / "sheet.png"] if verb == "sheet" else []
    code, out, err = degradekit(verb, tmp_path / "nothing", *extra)
    assert (code, out) == (3, "") and "holds no dataset" in err and err.count("\n") == 1


def test_verify_passes_a_good_dataset(built: Path, degradekit: Run) -> None:
    code, out, err = degradekit("verify", built, "--workers", 1)
    assert (code, err) == (0, "") and out == "48 pairs and 4 tombstones in 7 shards: no problem\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_verify_names_the_damaged_shard(workers: int, damaged: Path, degradekit: Run) -> None:
    code, out, _ = degradekit("verify", damaged, "--workers", workers)
    assert code == 1 and "shard-000001" in out and out.splitlines()[-1].endswith("in 7 shards")
    assert "shard-000000" not in out


def test_replay_passes_a_good_dataset(built: Path, degradekit: Run) -> None:
    code, out, _ = degradekit("replay", built, "--sample", 5)
    assert (code, out) == (0, "5 of 5 pairs are equal bit for bit (plans drawn again and equal)\n")


def test_replay_tells_what_differs(
    built: Path, record: Record, degradekit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from degradekit.plan import Plan

    make = Plan.make_lq
    monkeypatch.setattr(Plan, "make_lq", lambda self, gt: make(self, gt) ^ np.uint8(1))
    monkeypatch.setattr("degradekit.replay.environment", lambda: {"python": "9.9"})
    code, out, _ = degradekit("replay", built, "--key", record.key, "--variant", record.variant)
    assert code == 1 and f"differs: {record.key}, variant 0: 256 of 256 pixels differ by up to 1 levels" in out
    assert "0 of 1 pairs are equal" in out and "here it is 9.9" in out
    code, out, _ = degradekit("replay", built, "--sample", 2, "--json")
    assert code == 1 and len(json.loads(out)["differences"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "--sample", "0"),
        ("replay", "--sample", "many"),
        ("inspect", "--limit", "-1"),
        ("sheet", "--out", "x.png", "--count", "0"),
        ("verify", "--workers", "0"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(arguments: tuple[str, ...], built: Path, degradekit: Run) -> None:
    verb, *rest = arguments
    code, _, err = degradekit(verb, built, *rest)
    assert code == 2 and f"{rest[-1]!r} is no whole number" in err


def test_replay_refuses_a_sample_and_a_key(built: Path, degradekit: Run) -> None:
    assert degradekit("replay", built, "--sample", 2, "--key", "x")[0] == 2


def test_inspect_lists_samples(built: Path, dataset: Dataset, degradekit: Run) -> None:
    code, out, _ = degradekit("inspect", built, "--limit", 10)
    lines = out.splitlines()
    assert code == 0 and len(lines) == 11 and "42 more" in lines[-1]
    assert all(dataset.read(i).key in lines[i] for i in range(10))
    code, out, _ = degradekit("inspect", built, "--limit", 100, "--json")
    rows = json.loads(out)
    assert [row["index"] for row in rows] == list(range(52))
    assert sum(row["status"] != "ok" for row in rows) == 4


def test_inspect_tells_a_pair(built: Path, record: Record, degradekit: Run) -> None:
    code, out, _ = degradekit("inspect", built, "--key", record.key, "--variant", record.variant)
    assert code == 0 and f"{record.key}, variant 0 of 0..1 (index {record.index}: shard" in out
    assert "LQ pixel (x, y) shows GT (4 x + 1.5, 4 y + 1.5)" in out and "jpeg1" in out


def test_inspect_json_is_canonical_and_complete(built: Path, record: Record, degradekit: Run) -> None:
    code, out, _ = degradekit("inspect", built, "--key", record.key, "--json")
    value = json.loads(out)
    assert code == 0 and canonical_json(value) == out.strip()
    assert value["plan"] == json.loads(record.plan) and value["columns"] == record.columns
    assert (value["shard"], value["row"]) == divmod(record.index, 8)


def test_inspect_saves_exact_pixels(built: Path, record: Record, degradekit: Run, tmp_path: Path) -> None:
    assert degradekit("inspect", built, "--key", record.key, "--save", tmp_path / "new" / "pair")[0] == 0
    folder = tmp_path / "new" / "pair"
    for name, image in (("gt.png", record.gt), ("lq.png", record.lq)):
        assert np.array_equal(np.asarray(Image.open(folder / name)), codecs.decode(image)[0])
    assert (folder / "plan.json").read_text() == record.plan + "\n"


def test_inspect_helps_with_an_unknown_key(built: Path, record: Record, degradekit: Run) -> None:
    code, _, err = degradekit("inspect", built, "--key", record.key.replace("#r", "#"))
    assert code == 2 and "did you mean" in err
    code, _, err = degradekit("inspect", built, "--key", record.key, "--variant", 5)
    assert code == 2 and "no variant 5" in err


def test_inspect_tells_why_a_pair_is_missing(built: Path, dataset: Dataset, degradekit: Run) -> None:
    code, out, _ = degradekit("inspect", built, "--key", dataset.tombstones()[0].key)
    assert code == 1 and "could not be made: read" in out


def test_sheet_writes_a_picture(built: Path, degradekit: Run, tmp_path: Path) -> None:
    code, out, _ = degradekit("sheet", built, "--out", tmp_path / "sheet.png", "--count", 3)
    assert (code, out) == (0, f"{tmp_path / 'sheet.png'}\n")
    with Image.open(tmp_path / "sheet.png") as page:
        assert page.format == "PNG" and page.width > 1400 and page.height > 700
    assert degradekit("sheet", built, "--out", tmp_path / "no" / "sheet.png")[0] == 2


def test_recipe_lint_passes_and_fails(degradekit: Run, tmp_path: Path) -> None:
    code, out, _ = degradekit("recipe", "lint", "bicubic", "--pairs", 2)
    assert code == 0 and "nothing to remark" in out and "apply.resize" in out and "together" in out
    bad = tmp_path / "bad.yaml"
    bad.write_text(recipe_names()["bicubic"].read_text() + "options: {unused: true}\n")
    code, out, _ = degradekit("recipe", "lint", bad, "--pairs", 0, "--json")
    value = json.loads(out)
    assert code == 1 and value["findings"][0]["path"] == "options.unused" and value["clean"] is False


def test_recipe_lint_refuses_what_cannot_be_loaded(degradekit: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("scale: 4\ndegrade:\n  a: {op: gausian_blur}\n  b: {op: jpeg, quality_range: 300}\n")
    code, _, err = degradekit("recipe", "lint", bad)
    assert code == 2 and "did you mean 'gaussian_blur'" in err and "degrade.b.quality_range" in err
    assert degradekit("recipe", "lint", "real_esrgan", "--set", "gt_usm")[0] == 2
    assert degradekit("recipe", "lint")[0] == 2


def test_recipe_show_resolves_options(degradekit: Run) -> None:
    code, out, _ = degradekit("recipe", "show", "real_esrgan", "--set", "gt_usm=true", "--plan", "cat.png#r0")
    assert code == 0 and "gt_usm on" in out and "p 0.8" in out and "deg.jpeg1.quality" in out
    target, degrade = out.split("degrade: GT -> LQ")
    assert "sharpen: unsharp_mask" in target and "sharpen: unsharp_mask" not in degrade
    assert "plan of cat.png#r0 under seed 0" in out and "GT 400x400 -> LQ 100x100" in out


def test_recipe_show_prints_a_file_that_extends_no_other(degradekit: Run, tmp_path: Path) -> None:
    from degradekit.recipe import load_recipe, parse_recipe

    (tmp_path / "mine.yaml").write_text("extends: real_esrgan\nchange: {degrade.jpeg1.quality_range: 50}")
    code, out, _ = degradekit("recipe", "show", tmp_path / "mine.yaml", "--yaml")
    assert code == 0 and parse_recipe(out).digest == load_recipe(tmp_path / "mine.yaml").digest
    assert "\nextends:" not in out


def test_recipe_show_prints_a_blend_and_what_is_in_it(degradekit: Run, tmp_path: Path) -> None:
    blend = "{blend: {mask: {shape: text}, spots: {op: grey}}}"
    (tmp_path / "part.yaml").write_text(f"scale: 1\ndegrade:\n  part: {blend}")
    code, out, _ = degradekit("recipe", "show", tmp_path / "part.yaml")
    assert code == 0 and "\n  part: blend(shape text" in out and "\n    spots: grey(matrix bt601)" in out


def test_recipe_show_json_has_the_digest_and_the_plan(degradekit: Run) -> None:
    from degradekit.recipe import load_recipe

    code, out, _ = degradekit("recipe", "show", "classical", "--json", "--plan", "cat.png#r0", "--seed", 3)
    value = json.loads(out)
    recipe = load_recipe("classical", seed=3)
    assert code == 0 and value["digest"] == recipe.digest and value["columns"] == recipe.columns()
    assert value["plan"]["key"] == "cat.png#r0" and value["plan"]["seed"] == 3


def test_recipe_schema_is_json_schema(degradekit: Run) -> None:
    code, out, _ = degradekit("recipe", "schema")
    assert code == 0 and json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_dry_run_writes_nothing(small_recipe: Path, photos: Path, degradekit: Run, tmp_path: Path) -> None:
    out_folder = tmp_path / "set"
    code, out, _ = degradekit(
        "build", small_recipe, "--source", photos, "--out", out_folder, "--variants", 2, "--dry-run"
    )
    assert code == 0 and "would build 48 pairs" in out and not out_folder.exists()


def test_doctor_prints_a_line_for_each_check(degradekit: Run, tmp_path: Path) -> None:
    code, out, _ = degradekit("doctor", "--out", tmp_path)
    assert code == 0 and all(line.split()[0] in ("ok", "warn") for line in out.splitlines())
    (tmp_path / "file").write_text("")
    code, out, _ = degradekit("doctor", "--out", tmp_path / "file", "--json")
    assert code == 1 and json.loads(out)[-1]["state"] == "fail"
