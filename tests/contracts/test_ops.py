"""What every op promises, checked for every op in OPS."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from degradekit.apply import to_float
from degradekit.dist import Dist
from degradekit.graph import Step
from degradekit.ops import DRAWS, OPS, Draw, Op
from degradekit.plan import Plan
from degradekit.rng import Draws, sample_key
from degradekit.steps import Mask
from degradekit.types import FloatImage, Geometry

GOLDEN = Path(__file__).parents[1] / "golden"
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "avif": [{"quality_range": [20, 95], "speed_range": 9, "subsampling": ["4:4:4", "4:2:0"]}],
    "box_blur": [{"width_x_range": [1, 7]}, {"width_x_range": [1, 7], "width_y_range": [1, 7]}],
    "brightness": [{"factor_range": [0.5, 1.5]}, {"factor_range": {"uniform": [0.5, 1.5], "over_time": {"walk": 0.1}}}],
    "camera_noise": [{}, {"shot_range": 0.005, "read_range": 0.0001, "pattern": ["rggb", "bggr"]}],
    "channel_shift": [{"shift_range": ["-20/255", "20/255"]}],
    "chroma_subsampling": [
        {"layout": ["4:2:0", "4:2:2", "4:1:1", "4:1:0"], "down": ["box", "triangle"], "up": ["nearest", "linear"]}
    ],
    "chromatic_aberration": [
        {"scale_range": [-0.02, 0.02], "shift_range": {"uniform": [-1.5, 1.5], "over_time": "iid"}},
        {"shift_range": [-2, 2]},
    ],
    "contrast": [{"factor_range": [0.5, 1.5]}],
    "crop": [{"size": 24}],
    "diffjpeg": [{"quality_range": [30, 95]}, {"quality_range": {"uniform": [30, 95], "over_time": "iid"}}],
    "disc_blur": [{"radius_range": [0.3, 4]}, {"radius_range": {"uniform": [0.3, 4], "over_time": {"walk": 0.1}}}],
    "dither": [
        {
            "levels_range": {"choice": [2, 4]},
            "method": ["bayer4", "floyd_steinberg", "jarvis"],
            "scan": ["raster", "serpentine"],
        }
    ],
    "double_jpeg": [{"first_range": [10, 50], "second_range": [60, 95], "subsampling": ["4:4:4", "4:2:0"]}],
    "film_grain": [
        {
            "sigma_range": [0, "20/255"],
            "size_range": [0.2, 1.5],
            "persistence_range": [0, 1],
            "correlation": ["grey", "independent"],
        }
    ],
    "flip": [{"horizontal": 0.5, "vertical": 0.5, "transpose": 0.5}],
    "gamma": [
        {"exponent_range": {"log_uniform": [0.5, 2]}},
        {"exponent_range": {"uniform": [0.5, 2], "over_time": "iid"}},
    ],
    "gaussian_blur": [
        {"size_range": {"integer": [7, 21], "step": 2}, "sigma_x_range": [0.2, 3]},
        {
            "size_range": 9,
            "sigma_x_range": {"uniform": [0.2, 3], "over_time": {"walk": 0.02}},
            "sigma_y_range": [0.2, 3],
            "rotation_range": ["-pi", "pi"],
        },
    ],
    "gaussian_noise": [
        {"sigma_range": ["1/255", "30/255"], "correlation": {"independent": 0.4, "grey": 0.4, "full": 0.2}},
        {"sigma_range": {"uniform": [0, 0.1], "over_time": "iid"}},
    ],
    "generalized_blur": [{"size_range": 11, "sigma_x_range": [0.5, 3], "beta_range": {"mixture": [[0.5, 1], [1, 4]]}}],
    "grey": [{}, {"matrix": ["bt601", "bt709"]}],
    "halftone": [
        {
            "cell_range": [3, 8],
            "angle_range": [0, "pi/2"],
            "inks": ["grey", "rgb", "cmyk"],
            "shape": ["dot", "diamond", "line"],
        }
    ],
    "halo": [
        {
            "distance_range": [1, 3],
            "amount_range": [0.1, 1],
            "direction": ["horizontal", "both"],
            "lines": ["both", "light", "dark"],
        }
    ],
    "haze": [
        {"transmission_range": [0.4, 0.9], "airlight_range": [0.7, 1]},
        {"transmission_range": 0.6, "unevenness_range": [0.05, 0.2], "size_range": [0.1, 0.5]},
    ],
    "heif": [{"quality_range": [20, 95], "subsampling": ["4:4:4", "4:2:0"]}],
    "hue": [{"turn_range": [-0.1, 0.1]}],
    "interlace": [
        {"source": "next", "shift_range": [-3, 3], "second": ["odd", "even"], "display": ["comb", "blend", "bob"]},
        {"source": "shift", "shift_range": [-3, 3]},
    ],
    "jpeg": [
        {"quality_range": [30, 95]},
        {"quality_range": 75, "subsampling": ["4:4:4", "4:2:2", "4:2:0"]},
        {"quality_range": [30, 95], "compat": {"swapped_channels": True}},
    ],
    "jpeg2000": [{"ratio_range": {"log_uniform": [5, 100]}}, {"psnr_range": [25, 45]}],
    "jpeg_tables": [{"luma": [20] * 64, "chroma": [[40] * 8] * 8, "quality_range": {"integer": [30, 80]}}],
    "jpegxl": [{"distance_range": [0.5, 15], "effort_range": 3}],
    "kernel_pool": [{"kernels": str(GOLDEN / "kernel_pool.npz")}],
    "levels": [{"black_range": [0, 0.2], "white_range": [0.8, 1], "out_black_range": [0, 0.1]}],
    "matrix_error": [{"written": ["bt601", "bt709"], "read": ["bt601", "bt709"]}],
    "median_blur": [{"size_range": {"choice": [1, 3, 7]}}],
    "moire": [
        {
            "pitch_range": [0.8, 1.2],
            "angle_range": [-0.1, 0.1],
            "contrast_range": [0.5, 1],
            "curvature_range": [-0.05, 0.05],
        }
    ],
    "motion_blur": [
        {"length_range": [0, 9], "angle_range": ["-pi", "pi"]},
        {"length_range": {"uniform": [0, 9], "over_time": "iid"}, "angle_range": 1},
    ],
    "noise_patches": [{"patches": str(GOLDEN / "noise_patches.npz"), "strength_range": [0.5, 2]}],
    "oversharpen": [
        {"sigma_range": [0.5, 2], "amount_range": [1, 4], "threshold_range": [0, "4/255"], "space": ["rgb", "luma"]}
    ],
    "palette": [
        {"colours_range": {"choice": [16, 256]}, "method": ["median_cut", "k_means"], "dither": ["none", "sierra"]}
    ],
    "perlin_noise": [
        {
            "sigma_range": [0, 0.1],
            "period_range": [3, 20],
            "octaves_range": {"integer": [1, 4]},
            "lattice": ["square", "simplex"],
            "correlation": ["grey", "independent"],
        }
    ],
    "pixelate": [{"block_range": [1, 6]}],
    "plateau_blur": [{"size_range": 11, "sigma_x_range": [0.5, 3], "beta_range": [1, 2]}],
    "poisson_noise": [
        {"form": "content", "scale_range": [0.05, 3], "grey_probability": 0.4},
        {"scale_range": [0.05, 3]},
        {"form": "content", "compat": {"byte_range": True}},
        {"form": "photons", "photons_range": {"log_uniform": [100, 10000]}},
    ],
    "quantise": [
        {"levels_range": {"choice": [4, 8, 16]}, "rounding": ["nearest", "truncate"]},
        {"levels_range": {"integer": [6, 60]}, "space": ["luma", "ycbcr"]},
    ],
    "rain": [{"density_range": [0, 0.01], "length_range": [0, 20], "angle_range": [1.2, 1.9], "opacity_range": [0, 1]}],
    "range_error": [{"mode": ["full_as_limited", "limited_as_full"]}],
    "resize": [
        {"relative_to": "current", "factor_range": [0.3, 1.5], "mode": ["area", "bilinear", "bicubic"]},
        {"relative_to": "target", "factor_range": 1, "mode": ["nearest", "lanczos", "matlab_bicubic"]},
        {"relative_to": "source", "factor_range": [0.3, 1.1], "mode": ["mitchell", "b_spline"], "linear_light": True},
        {"factor_range": [0.3, 1.5], "mode": ["bilinear", "bicubic"], "compat": {"drift": True}},
    ],
    "salt_pepper": [{"salt_range": [0, 0.05], "pepper_range": [0, 0.05], "per": ["pixel", "channel"]}],
    "saturation": [{"factor_range": [0, 1.5]}],
    "shifted_gaussian": [
        {"size_range": 15, "sigma_range": [0.1, 2], "shift_range": [-0.5, 1.5]},
        {"size_range": 12, "sigma_range": 1.6, "shift_range": 0.5, "border": "repeat"},
    ],
    "sinc": [{"size_range": {"integer": [7, 21], "step": 2}, "cutoff_range": ["pi/3", "pi"]}],
    "skew_blur": [
        {
            "size_range": 13,
            "sigma_x_range": [0.5, 2],
            "sigma_y_range": [0.5, 2],
            "rotation_range": ["-pi", "pi"],
            "skew_x_range": [-4, 4],
            "skew_y_range": [-4, 4],
            "kernel_noise_range": [0, 0.25],
        }
    ],
    "speckle_noise": [{"sigma_range": ["2/255", "25/255"], "correlation": ["independent", "grey", "chroma", "full"]}],
    "subsample": [{"step_range": 4}, {"step_range": {"integer": [2, 3]}, "offset_range": {"integer": [0, 1]}}],
    "telecine": [{"second": ["odd", "even"]}],
    "trajectory_blur": [
        {"length_range": [3, 15], "anxiety_range": {"log_uniform": [0.0005, 0.01]}},
        {"length_range": 10, "anxiety_range": 0.005, "over_time": "iid"},
    ],
    "uniform_noise": [{"amplitude_range": [0, "20/255"], "correlation": ["independent", "grey"]}],
    "unsharp_mask": [{"size": 51, "sigma": 8, "amount_range": 0.5, "threshold_range": "10/255"}],
    "variable_blur": [
        {"sigma_low_range": [0, 1], "sigma_high_range": [1, 4], "map": ["gradient", "smooth"]},
        {"sigma_low_range": 0, "sigma_high_range": {"uniform": [0, 2], "over_time": {"walk": 0.1}}, "map": "smooth"},
    ],
    "video": [
        {"codec": ["h264", "hevc"], "crf_range": [18, 40], "preset": "veryfast", "gop_range": {"integer": [1, 12]}},
        {"codec": ["mpeg2", "mpeg4"], "qscale_range": {"integer": [2, 31]}, "lead_range": {"integer": [0, 3]}},
        {"codec": ["hevc", "av1"], "crf_range": 30, "depth": ["8-bit", "10-bit"], "preset": "ultrafast"},
        {"codec": ["vp9", "av1", "mpeg4"], "bitrate_range": {"log_uniform": [50, 1000]}, "range": ["limited", "full"]},
    ],
    "vignette": [{"strength_range": [0.1, 0.6], "centre_range": [-0.1, 0.1]}],
    "webp": [{"quality_range": [20, 95], "method_range": {"integer": [0, 4]}}],
}
FILTERS = (
    "box_blur",
    "disc_blur",
    "gaussian_blur",
    "generalized_blur",
    "kernel_pool",
    "motion_blur",
    "plateau_blur",
    "sinc",
    "skew_blur",
    "trajectory_blur",
    "variable_blur",
)
"""Ops that leave a ramp a ramp, so that it shows where their pixels come from although they override no grid."""
CASES = [pytest.param(op, ranges, id=f"{op.name}-{i}") for op in OPS for i, ranges in enumerate(EXAMPLES[op.name])]


def select(wanted: Callable[[type[Op], str], bool]) -> list[Any]:
    """The cases that a test is about, told by the op and the JSON of its ranges."""
    return [case for case in CASES if wanted(case.values[0], json.dumps(case.values[1]))]  # type: ignore[arg-type]


GEOMETRY = Geometry(1, 40, 36, 3, target=(10, 9))


def clip(t: int = 1) -> FloatImage:
    ramp = np.linspace(0, 1, 36, dtype=np.float32)[None, None, :, None]
    noise = np.random.default_rng(0).random((t, 40, 36, 3), np.float32)
    return np.ascontiguousarray(0.6 * ramp + 0.4 * noise)


def drawn(op: type[Op], ranges: dict[str, Any], key: str = "cat.png", g: Geometry = GEOMETRY) -> Draw:
    return op.model_validate(ranges).draw(Draws(sample_key(0, key, 0), "node"), g)


def test_every_op_has_an_example_and_a_draw_of_its_name() -> None:
    assert sorted(op.name for op in OPS) == sorted(EXAMPLES)
    assert all(op.draws.name == op.name and DRAWS[op.name] is op.draws for op in OPS)


@pytest.mark.parametrize(("op", "ranges"), CASES)
def test_drawing_depends_on_the_key_alone(op: type[Op], ranges: dict[str, Any]) -> None:
    assert drawn(op, ranges) == drawn(op, ranges)
    many = {json.dumps(drawn(op, ranges, f"{i}.png").to_json()) for i in range(20)}
    fixed = not any(isinstance(value, list | dict) for value in ranges.values())
    assert fixed or len(many) > 1 or op.name == "resize"


@pytest.mark.parametrize(("op", "ranges"), CASES)
def test_a_plan_survives_json_and_replays_bit_for_bit(op: type[Op], ranges: dict[str, Any]) -> None:
    draw = drawn(op, ranges)
    plan = Plan("0" * 32, 0, "cat.png", 0, (1, 40, 36, 3), (), (Step("node", draw),))
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.to_json() == plan.to_json()
    np.testing.assert_array_equal(again.degrade[0].draw.apply(clip()), draw.apply(clip()))


@pytest.mark.parametrize(("op", "ranges"), CASES)
def test_apply_keeps_its_contract(op: type[Op], ranges: dict[str, Any]) -> None:
    for i in range(8):
        draw = drawn(op, ranges, f"{i}.png")
        x = clip()
        before = x.copy()
        y = draw.apply(x)
        np.testing.assert_array_equal(x, before, err_msg="apply changed its input")
        assert y.dtype == np.float32
        assert y.shape == draw.out_geometry(GEOMETRY).shape
        assert np.isfinite(y).all()


OVER_FRAMES = ("film_grain", "rain", "salt_pepper", "telecine", "video")
FRAME_BY_FRAME = select(
    lambda op, text: "noise" not in op.name and op.name not in OVER_FRAMES and "over_time" not in text
)


@pytest.mark.parametrize(("op", "ranges"), FRAME_BY_FRAME)
def test_a_held_clip_equals_its_frames_but_for_noise(op: type[Op], ranges: dict[str, Any]) -> None:
    draw = drawn(op, ranges)
    x = clip(3)
    y = draw.apply(x)
    for t in range(3):
        np.testing.assert_array_equal(y[t], draw.apply(x[t : t + 1])[0])


@pytest.mark.parametrize(("op", "ranges"), CASES)
def test_clips_of_five_frames_work(op: type[Op], ranges: dict[str, Any]) -> None:
    g = Geometry(5, 40, 36, 3, target=(10, 9))
    draw = drawn(op, ranges, g=g)
    y = draw.apply(clip(5))
    assert y.shape == draw.out_geometry(g).shape
    Plan.from_json(Plan("0" * 32, 0, "k", 0, (5, 40, 36, 3), (), (Step("node", draw),)).to_json())


@pytest.mark.parametrize(("op", "ranges"), select(lambda op, text: op.draws.moves_only))
def test_integers_are_moved_as_they_are_where_only_pixels_move(op: type[Op], ranges: dict[str, Any]) -> None:
    draw = drawn(op, ranges)
    x = np.random.default_rng(1).integers(0, 256, (1, 40, 36, 3), np.uint8)
    y = draw.apply(x)  # type: ignore[arg-type]
    assert y.dtype == np.uint8
    np.testing.assert_array_equal(y / np.float32(255), draw.apply(x / np.float32(255)))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize(("op", "ranges"), select(lambda op, text: op.draws.reads_levels))
def test_levels_are_read_as_the_floats_that_they_stand_for(op: type[Op], ranges: dict[str, Any], depth: type) -> None:
    draw = drawn(op, ranges)
    x = np.random.default_rng(1).integers(0, np.iinfo(depth).max, (2, 40, 36, 3), depth, endpoint=True)
    np.testing.assert_array_equal(draw.apply(x), draw.apply(to_float(x)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("op", "ranges"), select(lambda op, text: op.name in FILTERS or op.draws.grid is not Draw.grid)
)
def test_the_grid_says_where_pixels_come_from(op: type[Op], ranges: dict[str, Any]) -> None:
    """A linear ramp of coordinates, sent through the step, must show the coordinates that the grid predicts."""
    ranges = {**ranges, **({"mode": "bilinear"} if op.name == "resize" else {})}
    draw = drawn(op, ranges)
    ys, xs = np.mgrid[0:40, 0:36].astype(np.float32)
    y = draw.apply(np.stack([xs, ys, xs], axis=-1)[None] / 64) * 64
    h, w = draw.out_geometry(GEOMETRY).size
    a, b, c, d, e, f = draw.grid(GEOMETRY)
    oy, ox = np.mgrid[0:h, 0:w]
    inside = np.s_[h // 3 : h - h // 3, w // 3 : w - w // 3]
    np.testing.assert_allclose(y[0, ..., 0][inside], (a * ox + b * oy + c)[inside], atol=0.15)
    np.testing.assert_allclose(y[0, ..., 1][inside], (d * ox + e * oy + f)[inside], atol=0.15)


@pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
def test_the_docstring_has_its_sections(op: type[Op]) -> None:
    text = op.__doc__ or ""
    for section in ("Args:", "Source:", "Example:"):
        assert section in text, f"{op.__name__} has no {section}"
    for name in op.model_fields:
        assert re.search(rf"^\s+{name}:", text, re.MULTILINE), f"{op.__name__} does not explain {name}"


@pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
def test_the_json_form_of_the_ranges_parses_back(op: type[Op]) -> None:
    for ranges in EXAMPLES[op.name]:
        model = op.model_validate(ranges)
        assert op.model_validate(model.model_dump(mode="json")).model_dump(mode="json") == model.model_dump(mode="json")


def test_a_range_moves_over_time_or_refuses_to() -> None:
    """No range ignores ``over_time``: a clip's draw has a number for every frame, or the recipe is refused."""
    g, names, good = Geometry(3, 40, 36, 3, target=(10, 9)), set(), set()
    for op, ranges in (*(case.values for case in CASES), (Mask, {})):
        for name, (low, high) in _supports(op, ranges):  # type: ignore[arg-type]
            names.add(f"{op.name}.{name}")  # type: ignore[union-attr]
            held = op.model_validate({**ranges, name: {"choice": [low, high]}})  # type: ignore[union-attr, dict-item]
            moving = {**ranges, name: {"choice": [low, high], "over_time": "iid"}}  # type: ignore[dict-item]
            try:
                models = held, op.model_validate(moving)  # type: ignore[union-attr]
            except ValidationError as error:
                assert "over_time" in str(error), f"{op.name}.{name}: {error}"  # type: ignore[union-attr]
                good.add(f"{op.name}.{name}")  # type: ignore[union-attr]
                continue
            before, after = (_series(model.draw(Draws(sample_key(0, "k", 0), "node"), g)) for model in models)
            if after - before:  # in one example at least: some ranges belong to one mode of an op
                good.add(f"{op.name}.{name}")  # type: ignore[union-attr]
    assert names == good
    assert len(names) > 90


def _supports(op: type[Op], ranges: dict[str, Any]) -> list[tuple[str, tuple[float, float]]]:
    model = op.model_validate(ranges)
    values = {name: getattr(model, name) for name in op.model_fields}
    supports = [(name, value.support()) for name, value in values.items() if isinstance(value, Dist)]
    return [(name, ends) for name, ends in supports if ends != (0, 0)]  # what is switched off


def _series(draw: Draw) -> set[str]:
    values = {f.name: getattr(draw, f.name) for f in fields(draw)}
    return {name for name, value in values.items() if isinstance(value, tuple) and len(value) == 3}
