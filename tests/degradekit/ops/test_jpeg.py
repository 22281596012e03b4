"""The JPEG op: which quality it draws, and that it is the round trip of every frame."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops.jpeg import Jpeg, JpegDraw
from degradekit.ops.libjpeg import jpeg_round_trip
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

X = np.random.default_rng(0).random((3, 20, 25, 3), np.float32)
G = Geometry(1, 20, 25)


def drawn(ranges: dict[str, Any], i: int, g: Geometry = G) -> JpegDraw:
    return Jpeg.model_validate(ranges).draw(Draws(sample_key(0, f"{i}.png", 0), "jpeg"), g)


def test_frames_are_files_of_their_own() -> None:
    y = JpegDraw((20, 50, 90), "4:2:0").apply(X)
    for t, quality in enumerate((20, 50, 90)):
        np.testing.assert_array_equal(y[t], jpeg_round_trip(X[t], quality, "4:2:0"))
    np.testing.assert_array_equal(JpegDraw(20, "4:2:0").apply(X[:1])[0], y[0])


def test_subsampling_counts_for_colour_and_not_for_grey() -> None:
    full, half = JpegDraw(75, "4:4:4"), JpegDraw(75, "4:2:0")
    assert np.abs(full.apply(X) - half.apply(X)).max() > 0.1
    grey = X[..., :1].copy()
    np.testing.assert_array_equal(full.apply(grey), half.apply(grey))


def test_a_second_pass_at_the_same_quality_changes_less_than_the_first() -> None:
    draw, x = JpegDraw(50, "4:4:4"), 0.3 + 0.4 * X  # nothing to clip
    once = draw.apply(x)
    assert np.abs(draw.apply(once) - once).mean() < 0.1 * np.abs(once - x).mean()


def test_values_outside_are_clipped_first() -> None:
    np.testing.assert_array_equal(
        JpegDraw(60, "4:2:0").apply(3 * X - 1), JpegDraw(60, "4:2:0").apply(np.clip(3 * X - 1, 0, 1))
    )


def test_quality_is_rounded_to_whole_numbers() -> None:
    counts = Counter(drawn({"quality_range": [30, 33]}, i).quality for i in range(600))
    assert set(counts) == {30, 31, 32, 33}
    assert 0.5 < (counts[30] + counts[33]) / counts[31] < 1.5  # the ends of a continuous range round from one side only
    assert all(type(quality) is int for quality in counts)
    assert drawn({"quality_range": 62.5}, 0).quality == 63


def test_over_time_gives_every_frame_a_quality() -> None:
    draw = drawn({"quality_range": {"uniform": [30, 95], "over_time": "iid"}}, 0, Geometry(5, 20, 25))
    assert isinstance(draw.quality, tuple) and len(draw.quality) == 5 and len(set(draw.quality)) > 1


@pytest.mark.parametrize(
    "ranges", [{"quality_range": [0, 50]}, {"quality_range": 101}, {"quality_range": 50, "subsampling": "4:1:1"}]
)
def test_ranges_outside_the_standard_are_refused(ranges: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"below 1|above 100|choose from 4:4:4"):
        Jpeg.model_validate(ranges)


def test_other_channel_counts_are_refused() -> None:
    with pytest.raises(OpError, match="4 channels"):
        JpegDraw(50, "4:2:0").apply(np.zeros((1, 8, 8, 4), np.float32))


def test_swapped_channels_lose_red_for_blue() -> None:
    draw = drawn({"quality_range": 50, "compat": {"swapped_channels": True}}, 0)
    assert draw.swapped and not drawn({"quality_range": 50}, 0).swapped
    x = np.random.default_rng(2).random((1, 64, 64, 3), np.float32)
    red, _, blue = np.abs(JpegDraw(50, "4:2:0").apply(x) - x).mean(axis=(0, 1, 2))
    swapped = draw.apply(x)
    swapped_red, _, swapped_blue = np.abs(swapped - x).mean(axis=(0, 1, 2))
    assert red < 0.9 * blue and swapped_blue < 0.9 * swapped_red
    np.testing.assert_array_equal(swapped, JpegDraw(50, "4:2:0").apply(x[..., ::-1].copy())[..., ::-1])
