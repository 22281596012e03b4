import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.source import Clip, Extract, scene_cuts


@given(st.integers(1, 9), st.integers(1, 4), st.none() | st.integers(1, 9), st.integers(0, 60))
def test_clips_lie_within_the_sequence_and_leave_no_room(length, interval, stride, count):
    clip = Clip(length=length, interval=interval, stride=stride)
    starts = clip.starts(count)
    frames = [list(range(start, start + clip.span, interval)) for start in starts]
    assert all(len(clip_frames) == length and clip_frames[-1] < count for clip_frames in frames)
    assert list(starts) == sorted(set(starts))
    step = stride or length * interval
    following = (starts[-1] if starts else -step) + step
    assert following + clip.span > count


def test_by_default_clips_follow_each_other():
    assert list(Clip(length=5).starts(15)) == [0, 5, 10]
    assert list(Clip(length=7, stride=1).starts(9)) == [0, 1, 2]
    assert list(Clip(length=3).starts(2)) == []


@pytest.mark.parametrize("levels", [np.uint8(1), np.uint16(257)])
def test_a_cut_is_a_jump_of_the_mean_luma_difference(levels):
    clip = np.full((6, 8, 9, 3), 40, np.uint8) * levels
    clip[4:] = 100 * levels
    assert scene_cuts(clip, 59) == (4,)
    assert scene_cuts(clip, 61) == ()
    rolled = np.roll(np.arange(8, dtype=np.uint8)[None, :, None, None] * np.ones((6, 1, 9, 3), np.uint8), 1, axis=1)
    assert scene_cuts(rolled, 1) == ()


def test_requests_are_checked_and_survive_json():
    extract = Extract(mode="random", size=64, clip={"length": 15, "interval": 2, "cut_threshold": 30})
    assert extract.frames == 15
    assert Extract.model_validate(extract.model_dump(mode="json")) == extract
    for bad in (
        {},
        {"length": 0},
        {"length": 5, "stride": 0},
        {"length": 5, "cut_threshold": 300},
        {"length": 5, "fps": 1},
    ):
        with pytest.raises(ValidationError, match="clip"):
            Extract(clip=bad)


def test_an_image_recipe_does_not_know_of_clips():
    assert Extract().frames == 1
    assert "clip" not in Extract().model_dump(mode="json")
