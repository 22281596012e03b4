"""Plans and pairs in words."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from degradekit.describe import caption, describe_alignment, describe_plan, describe_record, parameters, record_json
from degradekit.graph import Step
from degradekit.ops.flip import FlipDraw
from degradekit.plan import Plan
from degradekit.recipe import load_recipe
from degradekit.shards.dataset import open_dataset
from degradekit.types import Geometry, Record


def plan(small_recipe: Path, i: int = 0) -> Plan:
    return load_recipe(small_recipe).draw(key=f"image-{i}", geometry=Geometry(1, 64, 64))


def test_every_step_has_a_line_with_its_numbers(small_recipe: Path) -> None:
    drawn = plan(small_recipe)
    lines = describe_plan(drawn)
    assert len(lines) == 2 + len(drawn.target) + len(drawn.degrade)
    assert lines[0] == "HR 64x64 -> GT 64x64"
    assert lines[1 + len(drawn.target)] == "GT 64x64 -> LQ 16x16"
    for step, line in zip(drawn.degrade, lines[2 + len(drawn.target) :], strict=True):
        assert step.at in line and step.draw.name in line
        assert all(f"{name} {value}" in line for name, value in parameters(step.draw).items())


def test_changes_of_size_are_told_and_chain_up(small_recipe: Path) -> None:
    for i in range(20):
        sizes = [line.rpartition(", ")[2].split(" -> ") for line in describe_plan(plan(small_recipe, i)) if "x" in line]
        changes = [size for size in sizes[2:] if len(size) == 2]
        assert changes[-1][1] == "16x16"
        assert all(before[1] == after[0] for before, after in pairwise(changes))


def test_captions_leave_out_what_says_nothing(small_recipe: Path) -> None:
    steps = {step.at: step for step in plan(small_recipe).degrade}
    place, (quality, subsampling) = caption(steps["jpeg1"])
    assert place == "jpeg1" and quality.startswith("quality ") and subsampling == "4:2:0"
    op, size, sigma = caption(steps["blur1"])[1]
    assert (op, size.split()[0], sigma.split()[0]) == ("gaussian_blur", "size", "sigma_x")
    assert caption(steps["resize2"])[1] == ["16x16", "bicubic"]


def test_a_caption_says_when_nothing_was_done() -> None:
    assert caption(Step("flip", FlipDraw(False, False, False))) == ("flip", ["none"])
    assert caption(Step("flip", FlipDraw(True, False, False))) == ("flip", ["horizontal"])


def test_an_alignment_is_an_equation() -> None:
    assert describe_alignment((1.0, 0.0, 0.0, 0.0, 1.0, 0.0)) == "LQ pixel (x, y) shows GT (1 x, 1 y)"
    assert describe_alignment((0.0, -2.0, 0.0, 2.0, 0.0, -0.5)) == "LQ pixel (x, y) shows GT (-2 y, 2 x - 0.5)"


def test_a_record_is_told_whole(built: Path) -> None:
    record = next(r for r in map(open_dataset(built).read, range(9)) if isinstance(r, Record))
    lines = describe_record(record)
    assert lines[0] == f"{record.key}, variant {record.variant}"
    assert any("GT" in line and "64x64x3 uint8" in line for line in lines)
    assert "LQ pixel (x, y) shows GT (4 x + 1.5, 4 y + 1.5)" in "\n".join(lines)
    value = json.loads(json.dumps(record_json(record)))
    assert value["columns"] == record.columns and value["plan"] == json.loads(record.plan)
    assert np.allclose(value["alignment"], Plan.from_json(record.plan).alignment)
