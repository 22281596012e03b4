"""Whole builds: the same bytes everywhere, resume after any stop, refusals, failures, lazy planning."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from degradekit.build import ShardTask, build_shard
from degradekit.errors import BuildError, ShardError
from degradekit.job import BuildPlan, plan_build, run_build
from degradekit.progress import Progress
from degradekit.recipe import load_recipe
from degradekit.shards.dataset import open_dataset
from degradekit.shards.verify import verify_dataset
from degradekit.source import ImageRef

Run = Callable[..., tuple[int, str, str]]


def hashes(out: Path) -> dict[str, bytes]:
    """Every file that decides the dataset; clocks and progress are none of them."""
    names = [*(out / "data").iterdir(), out / "dataset.json", out / "manifest.parquet", out / "quarantine.jsonl"]
    return {path.name: path.read_bytes() for path in names}


def plan(recipe: Path, photos: Path, out: Path, *, per_image: int | None = None, **rest: object) -> BuildPlan:
    options: dict[str, object] = {"shard_size": 4, "variants": 2} | rest
    return plan_build(load_recipe(recipe, per_image=per_image), source=str(photos), out=str(out), **options)  # type: ignore[arg-type]


def build(recipe: Path, photos: Path, out: Path, **rest: object) -> BuildPlan:
    made = plan(recipe, photos, out, **rest)
    run_build(made, Progress(None), executor="inline")
    return made


@pytest.fixture(scope="module", params=["parquet", "lmdb"])
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Format and folder of a build made in one go."""
    photos = request.getfixturevalue("photos")
    recipe = request.getfixturevalue("small_recipe")
    out = tmp_path_factory.mktemp("reference") / str(request.param)
    build(recipe, photos, out, format=request.param)
    return request.param, out


def test_default_shards_hold_whole_gts(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    sizes = {v: plan(small_recipe, photos, tmp_path, variants=v, shard_size=None).shard_size for v in (1, 3, 700)}
    assert sizes == {1: 512, 3: 510, 700: 700}


def test_a_build_holds_what_the_plan_says(reference: tuple[str, Path], photos: Path, small_recipe: Path) -> None:
    kind, out = reference
    made = plan(small_recipe, photos, out, format=kind)
    dataset = open_dataset(out)
    assert len(dataset) == made.pairs == 12 * 2 * 2
    assert verify_dataset(out) == []
    keys = set()
    for index in range(len(dataset)):
        record = dataset.read(index)
        assert record.index == index
        assert record.gt.shape == (1, 64, 64, 3)
        assert record.lq.shape == (1, 16, 16, 3)
        keys.add((record.key, record.variant))
    assert len(keys) == made.pairs
    assert {"bild.03 ü.png#r0", "sub dir/bild.03 ü.png#r0"} & {key for key, _ in keys}


def test_order_and_repetition_do_not_matter(
    reference: tuple[str, Path], photos: Path, small_recipe: Path, tmp_path: Path
) -> None:
    kind, out = reference
    made = plan(small_recipe, photos, tmp_path / "again", format=kind)
    for task in [*reversed(list(made.tasks())), made.task(0)]:
        build_shard(made.spec, task)
    run_build(made, Progress(None), executor="inline", force=True)
    assert hashes(tmp_path / "again") == hashes(out)


def test_formats_hold_the_same(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    roots = set()
    for kind in ("parquet", "lmdb"):
        build(small_recipe, photos, tmp_path / kind, format=kind)
        roots.add(json.loads((tmp_path / kind / "dataset.json").read_text())["roots"]["logical"])
    assert len(roots) == 1


@pytest.mark.ray
@pytest.mark.parametrize(("kind", "workers"), [("parquet", 1), ("parquet", 4), ("lmdb", 2)])
def test_ray_makes_the_same_bytes(kind: str, workers: int, photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    build(small_recipe, photos, tmp_path / "inline", format=kind)
    made = plan(small_recipe, photos, tmp_path / "ray", format=kind)
    run_build(made, Progress(None), executor="ray", workers=workers)
    assert hashes(tmp_path / "ray") == hashes(tmp_path / "inline")


def start(recipe: Path, photos: Path, out: Path, *extra: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "degradekit", "build", str(recipe), "--source", str(photos), "--out", str(out)]
    command += ["--shard-size", "4", "--variants", "2", *extra]
    # Shells start background jobs with Ctrl-C ignored, and children inherit that; they inherit no handler.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_shards(process: subprocess.Popen[str], out: Path, count: int) -> None:
    until = time.monotonic() + 120
    while len(list((out / "data").glob("*.json"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "no shard was made in two minutes"
        time.sleep(0.01)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_driver_goes_on_where_it_was(
    stop: signal.Signals, photos: Path, small_recipe: Path, tmp_path: Path
) -> None:
    build(small_recipe, photos, tmp_path / "whole", per_image=40)
    process = start(small_recipe, photos, tmp_path / "out", "--executor", "inline", "--per-image", "40")
    wait_for_shards(process, tmp_path / "out", 3)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if stop == signal.SIGKILL else 130), errors
    assert not (tmp_path / "out" / "dataset.json").exists()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "data").glob("*.json")}
    assert 3 <= len(before) < 240
    process = start(small_recipe, photos, tmp_path / "out", "--executor", "inline", "--per-image", "40")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "are there already" in errors
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "data").glob("*.json")}
    assert {name: after[name] for name in before} == before, "a finished shard was made again"
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


@pytest.mark.ray
def test_killed_workers_change_nothing(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    import psutil

    build(small_recipe, photos, tmp_path / "whole", per_image=60)
    process = start(small_recipe, photos, tmp_path / "out", "--executor", "ray", "--workers", "2", "--per-image", "60")
    killed = 0
    for shards in (2, 20, 60):
        wait_for_shards(process, tmp_path / "out", shards)
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                if child.name().startswith("ray::build_sh"):
                    child.kill()
                    killed += 1
            except psutil.NoSuchProcess:
                continue
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert killed >= 2
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


@pytest.mark.ray
def test_an_image_that_kills_its_worker_is_found(
    photos: Path, small_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from degradekit import executors

    def deadly(function: Callable[..., object]) -> Callable[..., object]:
        def run(spec: object, job: object) -> object:
            units = getattr(job, "units", job)
            if any("07" in unit.key and unit.key not in getattr(job, "poisoned", ()) for unit in units):  # type: ignore[attr-defined]
                os.kill(os.getpid(), signal.SIGSEGV)
            return function(spec, job)

        return run

    monkeypatch.setattr(executors, "build_shard", deadly(executors.build_shard))
    monkeypatch.setattr(executors, "rehearse", deadly(executors.rehearse))
    made = plan(small_recipe, photos, tmp_path / "out", shard_size=24)
    summary = run_build(made, Progress(None), executor="ray", workers=2)
    assert (summary.pairs, summary.tombstones, summary.failures) == (44, 4, 4)
    entries = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert {(entry["key"].partition("#")[0], entry["step"]) for entry in entries} == {("bild.07 ü.jpg", "worker")}
    assert verify_dataset(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"variants": 4}, "variants was 2 and is 4"),
        ({"format": "lmdb"}, "format was parquet and is lmdb"),
        ({"codec": "png"}, r"codec was delta\+zstd and is png"),
        ({"limit": 8}, "pairs was 48 and is 8"),
        ({"recipe": "sigma_x_range: [0.4, 2.5]"}, "recipe was"),
        ({"photo": "new.png"}, "source was"),
    ],
)
def test_a_changed_build_is_refused_by_name(
    change: dict[str, object], named: str, photos: Path, small_recipe: Path, tmp_path: Path
) -> None:
    out, folder = tmp_path / "out", tmp_path / "photos"
    shutil.copytree(photos, folder)
    build(small_recipe, folder, out)
    before = hashes(out)
    recipe = tmp_path / "recipe.yaml"
    text = small_recipe.read_text()
    recipe.write_text(text.replace("sigma_x_range: [0.4, 2]", str(change.pop("recipe", "sigma_x_range: [0.4, 2]"))))
    if name := change.pop("photo", None):
        shutil.copy(next(folder.glob("*.jpg")), folder / str(name))
    loaded = load_recipe(recipe, seed=int(change.pop("seed", 0)))  # type: ignore[call-overload]
    options: dict[str, object] = {"shard_size": 4, "variants": 2} | change
    other = plan_build(loaded, source=str(folder), out=str(out), **options)  # type: ignore[arg-type]
    with pytest.raises(BuildError, match=named):
        run_build(other, Progress(None), executor="inline")
    assert hashes(out) == before
    run_build(other, Progress(None), executor="inline", force=True)
    assert verify_dataset(out) == []


def test_a_foreign_folder_is_never_touched(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(BuildError, match=r"is not empty and no degradekit dataset \(it holds thesis.txt\)"):
            run_build(plan(small_recipe, photos, tmp_path), Progress(None), executor="inline", force=force)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_finished_build_is_left_alone(photos: Path, small_recipe: Path, tmp_path: Path, degradekit: Run) -> None:
    arguments = ("build", small_recipe, "--source", photos, "--out", tmp_path / "out", "--shard-size", 8)
    assert degradekit(*arguments)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.name != "progress.json"}
    code, out, _ = degradekit(*arguments)
    assert code == 0
    assert "nothing to do" in out
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_adding_an_image_moves_no_other_pair(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    build(small_recipe, folder, tmp_path / "before")
    shutil.copy(next(folder.glob("*.jpg")), folder / "aaa.jpg")
    build(small_recipe, folder, tmp_path / "after")
    before, after = open_dataset(tmp_path / "before"), open_dataset(tmp_path / "after")
    assert len(after) == len(before) + 4
    for index in range(len(before)):
        record = before.read(index)
        twin = after.read(after.find(record.key, record.variant) or 0)
        assert replace(twin, index=index) == record


def test_broken_images_become_tombstones(photos: Path, small_recipe: Path, tmp_path: Path, degradekit: Run) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    jpeg = next(folder.glob("*.jpg"))
    (folder / "truncated.jpg").write_bytes(jpeg.read_bytes()[:400])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("not a picture")
    out = tmp_path / "out"
    arguments = ("build", small_recipe, "--source", folder, "--out", out, "--shard-size", 8, "--executor", "inline")
    code, _, errors = degradekit(*arguments)
    assert code == 1
    assert "6 pairs failed" in errors
    entries = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    assert {entry["key"] for entry in entries} == {
        f"{name}#r{i}" for name in ("truncated.jpg", "empty.png", "text.jpg") for i in (0, 1)
    }
    assert all(entry["step"] == "read" and str(folder) not in entry["reason"] for entry in entries)
    assert verify_dataset(out) == []
    healthy = open_dataset(out)
    assert sum(hasattr(healthy.read(i), "lq") for i in range(len(healthy))) == 24
    code, _, errors = degradekit(*arguments[:5], tmp_path / "stopped", *arguments[6:], "--max-failures", 1)
    assert code == 1
    assert "more than --max-failures 1" in errors


def test_small_and_flat_patches_follow_their_policy(tmp_path: Path, degradekit: Run) -> None:
    import cv2

    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "big.png"), rng.integers(0, 256, (80, 80, 3), np.uint8))
    cv2.imwrite(str(folder / "small.png"), rng.integers(0, 256, (40, 80, 3), np.uint8))
    cv2.imwrite(str(folder / "flat.png"), np.full((80, 80, 3), 90, np.uint8))
    text = "scale: 4\nextract: {{mode: random, size: 64, small: {}, flat: 2}}\n"
    text += "degrade: {{down: {{op: resize, relative_to: target, factor_range: 1, mode: area}}}}\n"
    for policy, exit_code, steps in (
        ("pad", 0, {"flat.png#r0": "skip"}),
        ("skip", 0, {"flat.png#r0": "skip", "small.png#r0": "skip"}),
        ("refuse", 1, {"flat.png#r0": "skip", "small.png#r0": "read"}),
    ):
        recipe, out = tmp_path / f"{policy}.yaml", tmp_path / policy
        recipe.write_text(text.format(policy))
        code, _, _ = degradekit("build", recipe, "--source", folder, "--out", out)
        assert code == exit_code
        entries = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
        assert {entry["key"]: entry["step"] for entry in entries} == steps


def test_planning_is_lazy(small_recipe: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ten million pairs over a hundred thousand images that do not exist."""
    from degradekit import job
    from degradekit.source import Listing

    images = tuple(ImageRef(f"folder {i // 1000}/photo {i:06d}.png", f"/nowhere/{i:06d}.png") for i in range(100_000))
    monkeypatch.setattr(job, "list_images", lambda source: Listing(source, images, {}))
    recipe = load_recipe(small_recipe, per_image=50)
    tracemalloc.start()
    made = plan_build(recipe, source="nowhere", out=str(tmp_path), variants=2, shard_size=512)
    tasks = made.tasks()
    first = next(tasks)
    count = 1 + sum(1 for _ in tasks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (made.pairs, made.shards, count) == (10_000_000, 19532, 19532)
    assert sum(unit.count for unit in first.units) == 256
    assert peak < 200 * 2**20
    assert made.task(19531).units[-1].first + made.task(19531).units[-1].count == 50


def test_tasks_cover_every_crop_once(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    made = plan(small_recipe, photos, tmp_path, shard_size=6, per_image=7)
    crops = [(unit.key, unit.first + i) for task in made.tasks() for unit in task.units for i in range(unit.count)]
    assert len(crops) == len(set(crops)) == 12 * 7
    sizes = [2 * sum(unit.count for unit in task.units) for task in made.tasks()]
    assert sizes == [6] * 28
    assert [task.first for task in made.tasks()] == [6 * i for i in range(28)]


def test_a_machine_that_computes_other_pixels_is_refused(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    made = plan(small_recipe, photos, tmp_path / "out")
    foreign = replace(made.spec, canary="0" * 16)
    with pytest.raises(ShardError, match=r"computes other pixels \(canary"):
        build_shard(foreign, ShardTask(0, 0, made.task(0).units))


def test_a_shard_size_must_hold_whole_gts(photos: Path, small_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="use --shard-size 9"):
        plan(small_recipe, photos, tmp_path, shard_size=10, variants=3)
