import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from degradekit.errors import RecipeError, SourceError
from degradekit.rng import Draws, sample_key
from degradekit.source import Extract, plan_windows, scaled_size, source_items, split_key
from degradekit.types import Window


def half(_name):
    return 0.5


def test_an_empty_request_is_the_whole_image():
    assert Extract().crops == ("whole",)
    assert Extract().window_size is None
    assert plan_windows((37, 52), Extract(), 4, uniform=half) == {"whole": Window(0, 0, 36, 52)}


@pytest.mark.parametrize("size", [400, [400, 400], (400, 400)])
def test_one_number_is_a_square(size):
    assert Extract(mode="random", size=size).window_size == (400, 400)


def test_round_trip_through_json():
    request = Extract(mode="sliding", size=[64, 96], step=32, threshold=8, scales=(1, 0.5), shortest=80, flat=2.5)
    assert Extract.model_validate(request.model_dump(mode="json")) == request


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mode": "random"}, "mode random needs a size"),
        ({"mode": "sliding", "size": 8}, "mode sliding needs a step"),
        ({"size": 8}, "mode whole takes no size"),
        ({"mode": "random", "size": 8, "step": 4}, "takes no step"),
        ({"mode": "random", "size": 8, "threshold": 4}, "takes no step and no threshold"),
        ({"mode": "sliding", "size": 8, "step": 4, "per_image": 2}, "takes no per_image"),
        ({"mode": "random", "size": True}, "size"),
        ({"mode": "random", "size": 0}, "greater than or equal to 1"),
        ({"mode": "random", "size": [8, 8, 8]}, "size"),
        ({"mode": "random", "size": 8, "per_image": 0}, "greater than or equal to 1"),
        ({"scales": []}, "one at least"),
        ({"scales": [0.5, 0.5]}, "different factors"),
        ({"scales": [2]}, "less than or equal to 1"),
        ({"scales": [0]}, "greater than 0"),
        ({"alpha": "grey"}, "'white', 'black', 'drop' or 'refuse'"),
        ({"sizes": 8}, "Extra inputs are not permitted"),
    ],
)
def test_requests_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(ValidationError) as caught:
        Extract.model_validate(fields)
    assert words in str(caught.value)


def test_requests_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Extract().mode = "random"


@given(
    image=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    window=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    per_image=st.integers(1, 4),
    small=st.sampled_from(["pad", "skip"]),
    scales=st.lists(st.floats(0.05, 1), min_size=1, max_size=3, unique_by=lambda factor: f"{factor:g}"),
    seed=st.integers(0, 2**32),
)
def test_random_windows_lie_inside_and_are_known_beforehand(image, window, per_image, small, scales, seed):
    size = (4 * window[0], 4 * window[1])
    request = Extract(mode="random", size=size, per_image=per_image, small=small, scales=scales, shortest=20)
    windows = plan_windows(image, request, 4, uniform=Draws(sample_key(seed, "a.png", None)).uniform)
    assert request.crops is not None and len(request.crops) == per_image * (len(scales) + 1)
    assert set(windows) <= set(request.crops)
    if small == "pad":
        assert tuple(windows) == request.crops
    for crop in windows.values():
        h, w = scaled_size(image, crop.scale)
        assert (crop.h, crop.w) == size
        assert 0 <= crop.y <= max(0, h - crop.h) and 0 <= crop.x <= max(0, w - crop.w)
        assert small == "pad" or (crop.y + crop.h <= h and crop.x + crop.w <= w)


def test_random_windows_reach_every_place():
    request = Extract(mode="random", size=4, per_image=400)
    windows = plan_windows((6, 5), request, 4, uniform=Draws(sample_key(0, "a.png", None)).uniform)
    assert {(w.y, w.x) for w in windows.values()} == {(y, x) for y in range(3) for x in range(2)}
    ends = plan_windows((6, 5), Extract(mode="random", size=4), 4, uniform=lambda name: np.nextafter(1.0, 0.0))
    assert ends == {"r0": Window(2, 1, 4, 4)}


def test_a_window_does_not_depend_on_the_other_crops():
    uniform = Draws(sample_key(0, "a.png", None)).uniform
    few = plan_windows((60, 80), Extract(mode="random", size=8), 4, uniform=uniform)
    many = plan_windows((60, 80), Extract(mode="random", size=8, per_image=5, scales=(0.5, 1)), 4, uniform=uniform)
    assert many["r0"] == few["r0"]
    assert len({(window.y, window.x) for window in many.values()}) > 5


@given(
    length=st.integers(8, 400),
    window=st.integers(1, 8),
    step=st.integers(1, 40),
    threshold=st.integers(0, 20),
)
def test_sliding_grid_follows_basicsr(length, window, step, threshold):
    starts = np.arange(0, length - window + 1, step)
    if length - (starts[-1] + window) > threshold:
        starts = np.append(starts, length - window)
    request = Extract(mode="sliding", size=window, step=step, threshold=threshold)
    rows = plan_windows((length, window), request, 1, uniform=half)
    columns = plan_windows((window, length), request, 1, uniform=half)
    assert list(rows) == [f"y{start}x0" for start in starts]
    assert [crop.x for crop in columns.values()] == starts.tolist()
    assert request.crops is None


def test_sliding_covers_both_axes_and_scaled_versions():
    request = Extract(mode="sliding", size=[8, 12], step=8, scales=(1, 0.5))
    windows = plan_windows((20, 30), request, 4, uniform=half)
    assert windows["y12x18"] == Window(12, 18, 8, 12) and windows["s0.5-y2x3"] == Window(2, 3, 8, 12, 0.5)
    assert len(windows) == 3 * 4 + 2 * 2


@pytest.mark.parametrize("mode", ["random", "sliding"])
def test_policies_for_small_images(mode):
    fields = {"mode": mode, "size": 40, "step": 20 if mode == "sliding" else None}
    crop = "r0" if mode == "random" else "y0x0"
    with pytest.raises(SourceError, match=r"30x50 px, smaller than the window of 40x40 px; set extract.small to pad"):
        plan_windows((30, 50), Extract(**fields), 4, uniform=half)
    assert plan_windows((30, 50), Extract(**fields, small="skip"), 4, uniform=half) == {}
    padded = plan_windows((30, 50), Extract(**fields, small="pad"), 4, uniform=lambda name: 0.0)
    assert padded[crop] == Window(0, 0, 40, 40)


def test_policies_count_for_each_version():
    request = Extract(mode="random", size=40, scales=(1, 0.5), small="skip")
    assert list(plan_windows((60, 60), request, 4, uniform=half)) == ["r0"]
    with pytest.raises(SourceError, match=r"60x60 px, 30x30 px when scaled by 0.5"):
        plan_windows((60, 60), Extract(mode="random", size=40, scales=(1, 0.5)), 4, uniform=half)


def test_whole_images_smaller_than_the_scale():
    with pytest.raises(SourceError, match="3x90 px, smaller than the window of 4x4 px"):
        plan_windows((3, 90), Extract(), 4, uniform=half)
    assert plan_windows((3, 90), Extract(small="pad"), 4, uniform=half) == {"whole": Window(0, 0, 4, 88)}


def test_shortest_side_is_reached_and_never_enlarged():
    request = Extract(mode="random", size=400, scales=(1,), shortest=400, small="pad")
    for image in ((1365, 2040), (677, 401), (400, 500), (399, 900), (1, 7)):
        window = plan_windows(image, request, 4, uniform=half)["short400-r0"]
        assert min(scaled_size(image, window.scale)) == min(400, *image)


def test_window_must_be_a_multiple_of_the_scale():
    with pytest.raises(
        RecipeError, match=r"extract.size 402x400 is no multiple of the recipe's scale 4; write \[404, 400\]"
    ):
        plan_windows((900, 900), Extract(mode="random", size=[402, 400]), 4, uniform=half)


def test_items_carry_key_window_and_facts():
    windows = {"s0.5-r1": Window(1, 2, 4, 4, 0.5)}
    (item,) = source_items("a b/ü.png", "/x/a b/ü.png", windows, meta={"depth": 8})
    assert (item.key, item.window, item.meta) == ("a b/ü.png#s0.5-r1", windows["s0.5-r1"], {"depth": 8})
    assert split_key(item.key) == ("a b/ü.png", "s0.5-r1")
