"""From videos and folders of frames to pairs of clips, through the whole job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from degradekit import codecs
from degradekit.build import canary
from degradekit.describe import describe_plan, describe_record
from degradekit.dist import Const, Uniform
from degradekit.estimate import measure
from degradekit.job import BuildPlan, Summary, plan_build, run_build
from degradekit.lint import lint
from degradekit.plan import Plan
from degradekit.progress import Progress
from degradekit.recipe import Recipe, load_recipe, parse_recipe, probe_geometry
from degradekit.replay import replay
from degradekit.rng import Draws
from degradekit.shards.dataset import open_dataset
from degradekit.types import Geometry, Record

RECIPE = """
name: films
scale: 2
extract: {mode: random, size: 32, clip: {length: 4, stride: 2, cut_threshold: 40}}
target:
  flip: {op: flip, horizontal: 0.5}
degrade:
  blur: {op: gaussian_blur, size_range: 7, sigma_x_range: {uniform: [0.4, 2], over_time: {walk: 0.2}}}
  noise: {op: gaussian_noise, sigma_range: {uniform: [0, 0.05], over_time: {keyframes: 2}}}
  small: {op: resize, relative_to: target, factor_range: 1, mode: bicubic}
  stream: {op: video, codec: [h264, mpeg4], crf_range: [20, 35], qscale_range: {integer: [3, 12]}}
"""


def scene(t: int, seed: int = 0, h: int = 40, w: int = 52) -> np.ndarray:
    """A smooth picture that moves by a pixel a frame."""
    rng = np.random.default_rng(seed)
    wide = cv2.resize(rng.random((5, 9, 3)), (w + t, h), interpolation=cv2.INTER_CUBIC).clip(0.2, 0.6)
    return np.stack([(wide[:, i : i + w] * 255).astype(np.uint8) for i in range(t)])


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[..., Path]) -> Path:
    """Two videos, one of them with a cut, a folder of frames, a short one and a broken file."""
    folder = tmp_path_factory.mktemp("films")
    write_video(folder / "a.mp4", scene(8, 1))
    write_video(folder / "b/cut.mkv", np.concatenate([scene(4, 2), 255 - scene(4, 2)]))
    for name, count in (("000", 6), ("short", 3)):
        (folder / name).mkdir()
        for i, frame in enumerate(scene(count, 3)):
            assert cv2.imwrite(str(folder / name / f"{i:08d}.png"), frame[..., ::-1])
    (folder / "broken.mp4").write_bytes(b"nothing")
    return folder


def built(films: Path, out: Path, recipe: Recipe, **options: int) -> tuple[BuildPlan, Summary]:
    plan = plan_build(recipe, source=str(films), out=str(out), **{"variants": 2, "shard_size": 4, **options})
    return plan, run_build(plan, Progress(None), executor="inline")


@pytest.fixture(scope="module")
def out(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "set"
    built(films, folder, parse_recipe(RECIPE))
    return folder


def test_pairs_are_clips_and_replay_bit_for_bit(out: Path, films: Path) -> None:
    dataset = open_dataset(str(out))
    records = [record for record in map(dataset.read, range(len(dataset))) if isinstance(record, Record)]
    starts = {f"a.mp4@{i}" for i in (0, 2, 4)} | {"b/cut.mkv@0", "b/cut.mkv@4", "000@00000000", "000@00000002"}
    assert {record.key for record in records} == {f"{start}#r0" for start in starts}
    assert len(records) == 2 * len(starts)
    for record in records:
        assert record.gt.shape == (4, 32, 32, 3)
        assert record.lq.shape == (4, 16, 16, 3)
        assert record.columns["deg.stream.codec"] in ("h264", "mpeg4")
        frames = {"a.mp4": scene(8, 1), "000": scene(6, 3)}.get(str(record.meta["source"]))
        if frames is not None:
            y, x, first = (int(record.meta[name]) for name in ("y", "x", "frame"))
            hr = frames[first : first + 4, y : y + 32, x : x + 32]
            gt = codecs.decode(record.gt)
            assert (gt == hr).all() or (gt == hr[:, :, ::-1]).all()
    again = replay(dataset, sample=100)
    assert (again.equal, again.differences, again.redrawn) == (len(records), (), True)


def test_what_gives_no_clip_is_told(out: Path) -> None:
    entries = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    told = {entry["key"]: (entry["step"], entry["reason"]) for entry in entries}
    assert told.keys() == {"b/cut.mkv@2#r0", "broken.mp4@0#r0", "short@00000000#r0"}
    assert told["b/cut.mkv@2#r0"] == ("skip", "a scene ends within the clip, before its frame 2")
    assert told["broken.mp4@0#r0"][0] == told["short@00000000#r0"][0] == "read"
    assert told["broken.mp4@0#r0"][1].startswith("broken.mp4 cannot be read as a video")
    assert told["short@00000000#r0"][1].startswith("short has 3 frames from 00000000 on, a clip needs 4;")


def test_the_same_bytes_again_and_after_an_interruption(out: Path, films: Path, tmp_path: Path) -> None:
    plan, _ = built(films, tmp_path / "set", parse_recipe(RECIPE))
    shards = sorted((out / "data").glob("*.parquet"))
    assert len(shards) == plan.shards == 5
    for shard in shards:
        assert (tmp_path / "set/data" / shard.name).read_bytes() == shard.read_bytes()


def test_a_window_of_a_clip_does_not_depend_on_the_other_clips(films: Path, tmp_path: Path, out: Path) -> None:
    recipe = parse_recipe(RECIPE.replace("stride: 2", "stride: 4"))
    built(films / "a.mp4", tmp_path / "set", recipe)
    few, all_clips = open_dataset(str(tmp_path / "set")), open_dataset(str(out))
    for key in ("a.mp4@0#r0", "a.mp4@4#r0"):
        one, other = few.read(few.find(key, 1) or 0), all_clips.read(all_clips.find(key, 1) or 0)
        assert isinstance(one, Record)
        assert isinstance(other, Record)
        assert (one.meta, one.gt, one.lq) == (other.meta, other.gt, other.lq)


def test_windows_slide_over_clips_and_their_reduced_versions(films: Path, tmp_path: Path) -> None:
    text = RECIPE.replace("mode: random, size: 32", "mode: sliding, size: 16, step: 16, scales: [1, 0.5]")
    plan, summary = built(films, tmp_path / "set", parse_recipe(text.replace("stride: 2", "stride: 8")), variants=1)
    # 3 x 4 windows in 40x52 px and 2 x 2 in 20x26; two videos and a folder have one clip each, two sources have none.
    assert summary.pairs == 3 * (3 * 4 + 2 * 2)
    assert plan.gts == summary.pairs + 2
    reduced = open_dataset(str(tmp_path / "set"))
    index = reduced.find("a.mp4@0#s0.5-y0x0", 0)
    assert index is not None
    record = reduced.read(index)
    assert isinstance(record, Record)
    assert record.gt.shape == (4, 16, 16, 3)


def test_flat_clips_are_skipped_and_moving_ones_are_not(tmp_path: Path, write_video: Callable[..., Path]) -> None:
    frames = np.full((8, 40, 52, 3), 90, np.uint8)
    frames[7] = scene(1)[0]
    write_video(tmp_path / "a.mkv", frames)
    recipe = parse_recipe(
        RECIPE.replace(
            "size: 32, clip: {length: 4, stride: 2, cut_threshold: 40}", "size: 32, flat: 3, clip: {length: 4}"
        )
    )
    _, summary = built(tmp_path / "a.mkv", tmp_path / "set", recipe)
    assert (summary.pairs, summary.tombstones, summary.failures) == (2, 2, 0)


def test_clips_are_planned_measured_and_described(out: Path, films: Path, tmp_path: Path) -> None:
    recipe = parse_recipe(RECIPE)
    assert probe_geometry(recipe).shape == (4, 32, 32, 3)
    assert canary(recipe) == canary(parse_recipe(RECIPE))
    found = measure(plan_build(recipe, source=str(films), out=str(tmp_path)))
    assert found.pairs == found.tried == 10
    assert describe_plan(found.plans[0])[0] == "HR 32x32, 4 frames -> GT 32x32"
    record = open_dataset(str(out)).read(0)
    assert isinstance(record, Record)
    assert any("4x16x16x3 uint8" in line for line in describe_record(record))
    path = tmp_path / "films.yaml"
    path.write_text(RECIPE)
    assert lint(path, draws=20, pairs=2).clean


def test_an_array_of_frames_is_degraded_as_a_clip() -> None:
    recipe = parse_recipe(RECIPE)
    pair = recipe.degrade(scene(5), key="clip")
    assert (pair.gt.shape, pair.lq.shape) == ((5, 40, 52, 3), (5, 20, 26, 3))
    np.testing.assert_array_equal(pair.plan.make_lq(pair.gt), pair.lq)
    grey = recipe.degrade(scene(2)[..., :1], key="clip")
    assert grey.gt.shape == (2, 40, 52, 3)
    assert recipe.degrade(scene(1)[0], key="clip").gt.shape == (40, 52, 3)


def test_image_recipes_keep_their_digest() -> None:
    assert load_recipe("bicubic").to_json()["extract"].get("clip", "absent") == "absent"


def test_numbers_are_drawn_anew_where_a_scene_begins() -> None:
    recipe = parse_recipe(RECIPE)
    g = Geometry(8, 32, 32)
    whole, cut = recipe.draw(key="a", geometry=g), recipe.draw(key="a", geometry=g, cuts=(3, 6))
    (blur, noise, *_), (own_blur, own_noise, *_) = whole.degrade, cut.degrade
    assert own_blur.draw.sigma_x[:3] == blur.draw.sigma_x[:3]  # type: ignore[attr-defined]
    steps = np.abs(np.diff(own_blur.draw.sigma_x))  # type: ignore[attr-defined]
    assert steps[[0, 1, 3, 4, 6]].max() <= 0.2 < steps[[2, 5]].max()
    assert noise.draw.sigma[:2] == own_noise.draw.sigma[:2]  # type: ignore[attr-defined]
    assert Plan.from_json(cut.to_json()) == cut
    assert cut.cuts == (3, 6)
    assert "cuts" not in whole.to_json()


def test_a_held_number_is_one_for_each_scene() -> None:
    u = Draws(7, "blur", cuts=(2, 5))
    values = Uniform(0.0, 1.0).draw(u, "sigma", 7)
    assert isinstance(values, tuple)
    assert [len(set(values[a:b])) for a, b in ((0, 2), (2, 5), (5, 7))] == [1, 1, 1]
    assert len(set(values)) == 3
    assert values[0] == Uniform(0.0, 1.0).draw(Draws(7, "blur"), "sigma", 7)
    assert Const(0.5).draw(u, "sigma", 7) == 0.5
    assert Uniform(0.0, 1.0, over_time="iid").draw(u, "x", 7) == Uniform(0.0, 1.0, over_time="iid").draw(
        Draws(7, "blur"), "x", 7
    )


def test_a_clip_over_a_cut_is_kept_where_its_draws_restart(films: Path, tmp_path: Path) -> None:
    text = RECIPE.replace("cut_threshold: 40", "cut_threshold: 40, at_cut: restart")
    built(films, tmp_path / "set", parse_recipe(text), variants=1)
    dataset = open_dataset(tmp_path / "set")
    rows = [dataset.read(i) for i in range(len(dataset))]
    cuts = {row.key: Plan.from_json(row.plan).cuts for row in rows if isinstance(row, Record)}
    assert cuts["b/cut.mkv@2#r0"] == (2,)
    assert cuts["b/cut.mkv@0#r0"] == cuts["a.mp4@0#r0"] == ()
    result = replay(dataset, key="b/cut.mkv@2#r0")
    assert (result.equal, result.redrawn) == (1, True)
