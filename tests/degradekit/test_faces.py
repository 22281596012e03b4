"""Landmarks travel with geometry: through every op that moves pixels, and through a whole build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from degradekit import codecs
from degradekit.errors import RecipeError, StreamError
from degradekit.graph import Step
from degradekit.job import plan_build, run_build
from degradekit.ops import OPS
from degradekit.ops.base import Draw
from degradekit.plan import Plan
from degradekit.progress import Progress
from degradekit.recipe import load_recipe, parse_recipe
from degradekit.replay import replay
from degradekit.rng import Draws, sample_key
from degradekit.shards.dataset import open_dataset
from degradekit.source import Extract, Faces, Points
from degradekit.stream import PairStream
from degradekit.types import Array, Geometry, Record

POINTS: Points = ((33.0, 40.0), (62.0, 38.0), (48.0, 52.0), (38.0, 66.0), (60.0, 64.0))
MOVING: dict[str, dict[str, Any]] = {
    "flip": {"horizontal": 0.5, "vertical": 0.5, "transpose": 0.5},
    "crop": {"size": [80, 76]},
    "resize": {"relative_to": "current", "factor_range": [0.6, 1.7], "mode": ["area", "bicubic", "lanczos"]},
    "shifted_gaussian": {"size_range": 9, "sigma_range": 1, "shift_range": [-3, 3]},
    "subsample": {"step_range": 2, "offset_range": {"integer": [0, 1]}},
}


def dots(points: Points, h: int = 100, w: int = 96) -> Array:
    """A smooth dot at every point, each of another brightness."""
    ys, xs = np.mgrid[:h, :w]
    made = [
        (0.3 + 0.1 * i) * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 2.5**2)) for i, (x, y) in enumerate(points)
    ]
    return np.repeat(np.asarray(sum(made), np.float32)[None, ..., None], 3, axis=3)


def centre_near(picture: Array, x: float, y: float, reach: int) -> tuple[float, float, float]:
    """Centre of gravity around a place, and the brightness there."""
    x0, y0 = round(x), round(y)
    part = picture[y0 - reach : y0 + reach + 1, x0 - reach : x0 + reach + 1, 0].astype(float).clip(0)
    ys, xs = np.mgrid[: part.shape[0], : part.shape[1]]
    at = float((part * xs).sum() / part.sum()) + x0 - reach, float((part * ys).sum() / part.sum()) + y0 - reach
    return *at, float(part.max())


def test_every_op_that_moves_pixels_is_tried() -> None:
    moving = {op.name for op in OPS if op.draws.grid is not Draw.grid}
    assert set(MOVING) == moving


@pytest.mark.parametrize("name", MOVING)
def test_landmarks_go_where_the_pixels_go(name: str) -> None:
    op = next(op for op in OPS if op.name == name)
    for i in range(8):
        draw = op.model_validate(MOVING[name]).draw(Draws(sample_key(i, "a", 0), "x"), Geometry(1, 100, 96))
        gt, lq = Plan("0" * 32, 0, "a", 0, (1, 100, 96, 3), (Step("x", draw),), ()).move(POINTS)
        assert gt == lq
        picture = draw.apply(dots(POINTS))[0]
        reach = max(2, round(6 * picture.shape[1] / 100))
        for x, y in gt:
            found = centre_near(picture, x, y, reach)
            assert found[:2] == pytest.approx((x, y), abs=0.35), draw
        assert gt[0][0] < gt[1][0] or getattr(draw, "transpose", False) or getattr(draw, "vertical", False)


def test_a_mirrored_face_has_its_left_eye_on_the_left() -> None:
    flip = next(op for op in OPS if op.name == "flip").draws
    step = Step("flip", flip(True, False, False))  # type: ignore[call-arg]
    gt, _ = Plan("0" * 32, 0, "a", 0, (1, 100, 96, 3), (step,), ()).move(POINTS)
    assert gt[0] == (95 - 62, 38)
    assert gt[1] == (95 - 33, 40)
    assert gt[3][0] < gt[4][0]


RECIPE = """
name: faces
scale: 2
extract: {faces: {landmarks: faces.csv, size: 64}}
target:
  flip: {op: flip, horizontal: 0.5}
degrade:
  shift: {op: shifted_gaussian, size_range: 9, sigma_range: [0.5, 1], shift_range: 0.5}
  keep: {op: subsample, step_range: 2}
"""


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    folder = tmp_path / "portraits"
    folder.mkdir()
    lines = []
    for i in range(4):
        turn = np.array(cv2.getRotationMatrix2D((48, 50), 20.0 * i, 1.0 + 0.1 * i))
        points = tuple((float(x), float(y)) for x, y in np.array(POINTS) @ turn[:, :2].T + turn[:, 2])
        assert cv2.imwrite(str(folder / f"{i}.png"), np.rint(dots(points, 110, 104)[0] * 255).astype(np.uint8))
        if i != 3:
            lines.append(f"{i}.png," + ",".join(str(n) for point in points for n in point))
    (folder / "faces.csv").write_text("\n".join(lines))
    return folder


def records(portraits: Path, text: str, out: Path, variants: int = 2) -> list[Any]:
    recipe = parse_recipe(text)
    plan = plan_build(recipe, source=str(portraits), out=str(out), variants=variants, shard_size=4)
    run_build(plan, Progress(None), executor="inline")
    dataset = open_dataset(out)
    return [dataset.read(i) for i in range(len(dataset))]


def test_aligned_faces_are_built_with_their_landmarks(portraits: Path, tmp_path: Path) -> None:
    rows = records(portraits, RECIPE, tmp_path / "set")
    made = [row for row in rows if isinstance(row, Record)]
    assert sorted({row.key for row in made}) == ["0.png@0#whole", "1.png@0#whole", "2.png@0#whole"]
    assert [row.reason for row in rows if not isinstance(row, Record)] == [
        "faces.csv has no landmarks of 3.png; add them, or set extract.faces.missing to skip"
    ] * 2
    places = []
    for row in made:
        assert row.meta["source"] == row.key.partition("@")[0]
        gt, lq = codecs.decode(row.gt)[0], codecs.decode(row.lq)[0]
        assert (gt.shape, lq.shape) == ((64, 64, 3), (32, 32, 3))
        at_gt, at_lq = (json.loads(str(row.meta[f"{name}_landmarks"])) for name in ("gt", "lq"))
        for (x, y), (lx, ly) in zip(at_gt, at_lq, strict=True):
            assert centre_near(gt, x, y, 5)[:2] == pytest.approx((x, y), abs=0.35)
            assert (lx, ly) == pytest.approx(((x - 0.5) / 2, (y - 0.5) / 2), abs=2e-3)
        flipped = "true" in row.plan.partition('"transpose"')[0].partition('"horizontal":')[2][:5]
        places.append([63 - x if flipped else x for x, _ in (at_gt[1::-1] if flipped else at_gt[:2])])
    np.testing.assert_allclose(places, places[:1] * len(places), atol=2e-3)  # every face lies alike
    assert replay(open_dataset(tmp_path / "set")).equal == 6


def test_unaligned_faces_travel_with_their_crops(portraits: Path, tmp_path: Path) -> None:
    text = RECIPE.replace("size: 64}", "align: none, missing: skip}, mode: random, size: 60, scales: [1, 0.7]")
    rows = records(portraits, text, tmp_path / "set", variants=1)
    assert [row.step for row in rows if not isinstance(row, Record)] == ["skip"] * 2
    seen = 0
    for row in rows:
        if not isinstance(row, Record):
            continue
        gt = codecs.decode(row.gt)[0]
        for x, y in json.loads(str(row.meta["gt_landmarks"])):
            if 7 < x < 53 and 7 < y < 53:
                seen += 1
                assert centre_near(gt, x, y, 5)[:2] == pytest.approx((x, y), abs=0.4)
    assert seen > 10


def test_moved_landmarks_are_another_build(portraits: Path, tmp_path: Path) -> None:
    recipe = parse_recipe(RECIPE)
    digest = plan_build(recipe, source=str(portraits), out=str(tmp_path / "set")).source_digest
    text = (portraits / "faces.csv").read_text()
    (portraits / "faces.csv").write_text(text.replace("0.png,33.0", "0.png,33.5"))
    assert plan_build(recipe, source=str(portraits), out=str(tmp_path / "set")).source_digest != digest


def test_an_image_recipe_does_not_know_of_faces() -> None:
    assert "faces" not in Extract().model_dump(mode="json")
    assert Extract(faces=Faces(landmarks="a.txt")).model_dump(mode="json")["faces"]["size"] == 512
    with pytest.raises(ValidationError, match="remove clip or faces"):
        Extract.model_validate({"faces": {"landmarks": "a.txt"}, "clip": {"length": 3}})
    with pytest.raises(RecipeError, match=r"extract\.faces\.size"):
        parse_recipe(RECIPE.replace("size: 64", "size: 0"))
    with pytest.raises(RecipeError, match="the GT of probe#0 is 65x65 px"):
        parse_recipe(RECIPE.replace("size: 64", "size: 65"))
    assert parse_recipe(RECIPE).extract.window_size == (64, 64)
    assert load_recipe("bicubic").extract.faces is None


@pytest.mark.parametrize("source", ["stored", "made"])
def test_a_stream_gives_landmarks_as_its_images_show_them(portraits: Path, tmp_path: Path, source: str) -> None:
    text = RECIPE.replace("size: 64}", "size: 64, missing: skip}")
    data: dict[str, Any] = {"source": str(portraits), "recipe": parse_recipe(text), "on_corrupt": "skip"}
    if source == "stored":
        records(portraits, text, tmp_path / "set")
        data = {"data": tmp_path / "set", "on_corrupt": "skip"}
    columns = ("gt_landmarks", "lq_landmarks")
    views = set()
    stream = PairStream(**data, batch_size=6, crop=56, flip=True, rotate=True, columns=columns)
    for epoch in range(6):
        stream.set_epoch(epoch)
        for batch in stream:
            told = [one["view"] for one in stream.explain(batch) if "lost" not in one]
            views |= {(view["flip"], view["turns"]) for view in told}
            for role in ("gt", "lq"):
                for image, points in zip(batch[role], batch[f"{role}_landmarks"], strict=True):
                    side = len(image)
                    near = [(x, y) for x, y in points if side * 0.1 < min(x, y) and max(x, y) < side * 0.9]
                    assert len(near) >= 3
                    for x, y in near:
                        found = centre_near(image, x, y, 4 if role == "gt" else 2)
                        assert found[:2] == pytest.approx((x, y), abs=0.5)
            for view, points in zip(told, batch["gt_landmarks"], strict=True):
                assert view["turns"] or points[0][0] < points[1][0]
    assert len(views) > 5
    with pytest.raises(StreamError, match="columns names lq_landmarks, which need the lq: add it to roles"):
        PairStream(**data, roles=("gt",), columns=columns)


def test_landmarks_of_pairs_made_on_a_device_are_those_of_stored_ones(portraits: Path, tmp_path: Path) -> None:
    from degradekit.loader import PairLoader

    records(portraits, RECIPE.replace("size: 64}", "size: 64, missing: skip}"), tmp_path / "set")
    options: dict[str, Any] = {"batch_size": 6, "crop": 56, "flip": True, "rotate": True, "columns": ["gt_landmarks"]}
    options["on_corrupt"] = "skip"
    stored = [batch["gt_landmarks"] for batch in PairStream(tmp_path / "set", **options)]
    loader = PairLoader(PairStream(tmp_path / "set", lq="device", **options), device="cpu")
    assert [batch["gt_landmarks"] for batch in loader] == stored
    assert sum(points is not None for batch in stored for points in batch) > 3


def test_pictures_without_landmarks_have_none(portraits: Path) -> None:
    batch = next(iter(PairStream(source=str(portraits), recipe="bicubic", columns=["gt_landmarks"], crop=64)))
    assert set(batch["gt_landmarks"]) == {None}
