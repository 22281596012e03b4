"""JPEG with tables of one's own, and two JPEGs off each other's grid."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from degradekit.errors import OpError
from degradekit.ops.double_jpeg import DoubleJpeg, DoubleJpegDraw
from degradekit.ops.jpeg import JpegDraw
from degradekit.ops.jpeg_tables import JpegTables, JpegTablesDraw
from degradekit.ops.libjpeg import quantisation_tables
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry

RNG = np.random.default_rng(0)
U, G = Draws(sample_key(0, "cat.png", 0), "jpeg"), Geometry(1, 40, 56)


def picture(h: int = 40, w: int = 56, channels: int = 3) -> FloatImage:
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    waves = 0.5 + 0.3 * np.sin(x / 5)[..., None] * np.cos(y / np.float32([3, 4, 6])[:channels, None, None]).transpose(
        1, 2, 0
    )
    return np.ascontiguousarray(
        (waves + 0.1 * np.random.default_rng(0).random((h, w, channels), np.float32))[None].astype(np.float32)
    )


def test_the_standard_tables_are_plain_jpeg() -> None:
    luma, chroma = (tuple(table.ravel().tolist()) for table in quantisation_tables(50))
    for x in (picture(), picture(channels=1)):
        for quality in (5, 50, 90):
            y = JpegTablesDraw(luma, chroma, quality, "4:2:0").apply(x)
            np.testing.assert_array_equal(y, JpegDraw(quality, "4:2:0").apply(x))


def test_equals_a_file_with_those_tables() -> None:
    luma, chroma = (tuple(row) for row in np.random.default_rng(0).integers(1, 60, (2, 64)).tolist())
    x = picture()
    levels = np.floor(x[0] * 255 + 0.5).astype(np.uint8)
    file = io.BytesIO()
    # Pillow 13 takes tables in natural order, as this op does.
    Image.fromarray(levels).save(file, "JPEG", qtables=[list(luma), list(chroma)], subsampling="4:4:4")
    want = np.asarray(Image.open(file))
    y = JpegTablesDraw(luma, chroma, 50, "4:4:4").apply(levels[None] / np.float32(255))
    np.testing.assert_array_equal(np.rint(y[0] * 255).astype(np.uint8), want)


def test_rows_and_flat_lists_are_one() -> None:
    steps = list(range(1, 65))
    rows = [steps[8 * i : 8 * i + 8] for i in range(8)]
    ops = [JpegTables.model_validate({"luma": table, "chroma": table}) for table in (steps, rows)]
    assert ops[0] == ops[1]
    assert ops[0].draw(U, G) == JpegTablesDraw(tuple(steps), tuple(steps), 50, "4:2:0")


@pytest.mark.parametrize("bad", [[16] * 63, [0] + [16] * 63, [256] * 64, [1.5] * 64, [[16] * 8] * 7])
def test_what_is_no_table_is_refused(bad: Any) -> None:
    with pytest.raises(ValidationError, match="luma"):
        JpegTables.model_validate({"luma": bad, "chroma": [16] * 64})


def test_double_without_offset_is_two_passes() -> None:
    for x in (picture(), picture(channels=1)):
        y = DoubleJpegDraw(20, 80, 0, 0, "4:2:0").apply(x)
        np.testing.assert_array_equal(y, JpegDraw(80, "4:2:0").apply(JpegDraw(20, "4:2:0").apply(x)))


def blockiness(y: FloatImage, phase: int) -> float:
    """Mean jump between neighbouring columns at one place of the grid."""
    jumps = np.abs(np.diff(y.mean(-1), axis=2)).mean((0, 1))
    return float(jumps[phase::8].mean())


@pytest.mark.parametrize("offset", [1, 3, 6])
def test_the_first_grid_lies_off_the_second(offset: int) -> None:
    x = np.linspace(0, 1, 160, dtype=np.float32)[:, None] * np.ones((1, 24, 160, 1), np.float32)  # coarse steps remain
    y = DoubleJpegDraw(5, 98, offset, offset, "4:4:4").apply(x)
    jumps = [blockiness(y, phase) for phase in range(8)]
    assert int(np.argmax(jumps)) == 7 - offset


def test_double_keeps_any_size_and_place() -> None:
    ramp = np.linspace(0, 1, 61, dtype=np.float32)[:, None, None] * np.ones((1, 61, 47, 3), np.float32)
    assert np.abs(DoubleJpegDraw(95, 95, 15, 7, "4:2:0").apply(ramp) - ramp).max() < 0.03
    for size in ((1, 1), (3, 2), (9, 17)):
        assert DoubleJpegDraw(50, 50, 7, 15, "4:2:0").apply(picture(*size)).shape == (1, *size, 3)
    with pytest.raises(OpError, match="double_jpeg: encodes RGB or grey"):
        DoubleJpegDraw(50, 50, 0, 0, "4:2:0").apply(np.zeros((1, 8, 8, 2), np.float32))


def test_double_draws_whole_numbers() -> None:
    walk = {"uniform": [20, 90], "over_time": {"walk": 3}}
    op = DoubleJpeg.model_validate({"first_range": walk, "second_range": 74.5})
    draw = op.draw(U, Geometry(4, 40, 56))
    assert isinstance(draw.first, tuple)
    assert all(isinstance(quality, int) for quality in draw.first)
    assert draw.second == 75
    assert {op.draw(Draws(sample_key(0, f"{i}", 0)), G).offset_x for i in range(60)} == set(range(8))
