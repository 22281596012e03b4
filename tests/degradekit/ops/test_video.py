"""Video codecs as an op: fidelity, inter frames, colours, sizes, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.errors import OpError, RecipeError
from degradekit.ops import video_codecs
from degradekit.ops.video import AUTO, Video, VideoDraw
from degradekit.ops.video_codecs import CODECS, PRESETS, Coding, missing, missing_form, round_trip
from degradekit.ops.yuv import Signal, from_planes, to_planes
from degradekit.recipe import parse_recipe
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry

BARS = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0), (0.5, 0.5, 0.5))
SIGNALS = [
    Signal(c, m, r) for c in ("4:4:4", "4:2:2", "4:2:0") for m in ("bt601", "bt709") for r in ("limited", "full")
]


def coded(codec: str = "h264", amount: float = 20, **more: Any) -> VideoDraw:
    base = VideoDraw(
        codec, CODECS[codec].quality, amount, "veryfast", "auto", 250, AUTO, 0, 25, "4:2:0", "bt709", "limited"
    )
    return replace(base, **more)


def moving(t: int = 5, h: int = 64, w: int = 80, channels: int = 3) -> FloatImage:
    """A pattern that moves by two px a frame, with a little fixed grain."""
    y, x = np.mgrid[0:h, 0 : w + 2 * t].astype(np.float32)
    scene = np.stack([0.5 + 0.3 * np.sin(x / (4 + c)) * np.cos(y / (9 - c)) for c in range(channels)], axis=-1)
    scene += np.random.default_rng(0).normal(0, 0.02, scene.shape)
    return np.stack([scene[:, 2 * i : 2 * i + w] for i in range(t)]).clip(0, 1).astype(np.float32)


def psnr(a: FloatImage, b: FloatImage) -> float:
    return -10 * math.log10(float(np.mean((a - b) ** 2)))


def sizes(draw: VideoDraw, x: FloatImage) -> list[int]:
    coding = Coding(**{name: getattr(draw, name) for name in Coding.__dataclass_fields__})
    return round_trip(to_planes(x, Signal(draw.subsampling, draw.matrix, draw.range)), coding)[1]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("t", [1, 5])
def test_fidelity_falls_as_the_quality_does(codec: str, t: int) -> None:
    x = moving(t)
    steps = (2, 8, 31) if CODECS[codec].quality == "qscale" else (10, 33, CODECS[codec].worst)
    fidelity = [psnr(coded(codec, amount).apply(x), x) for amount in steps]
    assert fidelity[0] > 31
    assert fidelity[0] > fidelity[1] + 0.5 > fidelity[2] + 1.5


@pytest.mark.parametrize("codec", CODECS)
def test_frames_are_predicted_from_each_other(codec: str) -> None:
    x = moving(9)
    amount = 6 if CODECS[codec].quality == "qscale" else 25
    intra, inter = sizes(coded(codec, amount, gop=1), x), sizes(coded(codec, amount), x)
    assert sum(intra) > 1.8 * sum(inter)
    assert max(inter) < 1.5 * max(intra)
    flat = np.broadcast_to(x[:1], x.shape)
    assert sum(sizes(coded(codec, amount), np.ascontiguousarray(flat))) < 1.6 * max(inter)


@pytest.mark.parametrize("codec", CODECS)
def test_the_same_bits_again(codec: str) -> None:
    x = moving(12, 64, 64)
    bits = [coded(codec, 20, preset="medium", b_frames=b).apply(x) for b in (AUTO, 0)]
    for i in range(6):
        junk = [np.full(1000 * k, 37 * i, np.uint8) for k in range(1, 60)]  # other leftovers in freed memory
        del junk
        for b, want in zip((AUTO, 0), bits, strict=True):
            np.testing.assert_array_equal(coded(codec, 20, preset="medium", b_frames=b).apply(x), want)


@pytest.mark.parametrize("signal", SIGNALS, ids="-".join)
def test_colour_bars_survive_lossless_coding(signal: Signal) -> None:
    x = np.repeat(np.float32(BARS), 16, axis=0)[None, None] * np.ones((3, 32, 1, 1), np.float32)
    draw = coded(amount=0, subsampling=signal.subsampling, matrix=signal.matrix, range=signal.range)
    y = draw.apply(np.ascontiguousarray(x))
    middle = np.abs(y - x).reshape(3, 32, len(BARS), 16, 3)[:, :, :, 4:12]  # chroma blurs over the borders of bars
    assert middle.max() * 255 < 2


@given(st.sampled_from(SIGNALS), st.integers(0, 2**32 - 1))
def test_planes_come_back_within_their_rounding(signal: Signal, seed: int) -> None:
    colours = np.random.default_rng(seed).random((1, 1, 6, 3), np.float32)
    x = np.repeat(np.repeat(colours, 6, axis=2), 4, axis=1)
    y = from_planes(to_planes(x, signal), signal).reshape(4, 6, 6, 3)[:, :, 2:4]
    assert np.abs(y - colours[0, :, :, None]).max() * 255 < 2


def test_limited_range_and_matrix_are_what_they_say() -> None:
    for red, signal in (((63, 102, 240), ("bt709", "limited")), ((54, 99, 255), ("bt709", "full"))):
        planes = to_planes(np.float32([1, 0, 0]).reshape(1, 1, 1, 3), Signal("4:4:4", *signal))
        assert tuple(int(plane.item()) for plane in planes) == red
    white = to_planes(np.full((1, 2, 2, 3), 2.5, np.float32), Signal("4:2:0", "bt601", "limited"))
    assert (white.y.max(), white.cb.max(), white.cr.max()) == (235, 128, 128)


@pytest.mark.parametrize("codec", CODECS)
def test_any_size_and_grey_survive(codec: str) -> None:
    for h, w in ((1, 1), (17, 34), (33, 15)):
        x = moving(2, h, w)
        assert coded(codec, 5).apply(x).shape == x.shape
    x = moving(2, 48, 66, channels=1)
    y = coded(codec, 5).apply(x)
    assert y.shape == x.shape
    assert psnr(y, x) > 32


def test_sides_are_continued_by_their_last_row_and_column() -> None:
    x = moving(3, 33, 47)
    larger = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="edge")
    np.testing.assert_array_equal(coded().apply(x), coded().apply(larger)[:, :33, :47])


def test_overshoot_saturates() -> None:
    x = np.where(np.arange(64) < 32, -0.5, 1.6).astype(np.float32)[:, None] * np.ones((2, 32, 64, 3), np.float32)
    y = coded(amount=10).apply(x)
    assert y[:, :, :28].max() < 0.05
    assert y[:, :, 36:].min() > 0.95


def test_lead_frames_mirror_the_clip_and_go() -> None:
    x = moving(4)
    y = coded("mpeg4", 31, lead=3).apply(x)
    longer = coded("mpeg4", 31).apply(np.ascontiguousarray(x[[3, 2, 1, 0, 1, 2, 3]]))
    np.testing.assert_array_equal(y, longer[3:])
    still = coded("mpeg4", 31, lead=5).apply(x[:1])
    assert still.shape == x[:1].shape
    assert (still != coded("mpeg4", 31).apply(x[:1])).any()


@pytest.mark.parametrize("codec", CODECS)
def test_bitrate_buys_fidelity(codec: str) -> None:
    x = moving(6)
    low, high = (coded(codec, kbit, control="bitrate") for kbit in (60, 900))
    assert psnr(high.apply(x), x) > psnr(low.apply(x), x) + 1
    assert 8 * sum(sizes(high, x)) <= 900_000 / 25 * 6
    still = [draw.apply(x[:1]) for draw in (low, high)]
    assert psnr(still[1], x[:1]) > psnr(still[0], x[:1]) + 1


@pytest.mark.parametrize("codec", ["vp9", "av1", "mpeg2", "mpeg4"])
def test_where_a_bitrate_is_searched_for_the_finest_quality_within_it_is_found(codec: str) -> None:
    x = moving(4)
    kbit = 8 * sum(sizes(coded(codec, 20), x)) / 1000 / 4 * 25 + 0.01
    found = coded(codec, kbit, control="bitrate").apply(x)
    finer = 8 * sum(sizes(coded(codec, 19), x)) / 1000 / 4 * 25
    assert finer > kbit
    np.testing.assert_array_equal(found, coded(codec, 20).apply(x))


def test_presets_profiles_and_b_frames_reach_the_encoder() -> None:
    x = moving(9)
    for codec in ("h264", "hevc", "vp9", "av1"):
        assert sizes(coded(codec, 30, preset=PRESETS[0]), x) != sizes(coded(codec, 30, preset=PRESETS[-2]), x), codec
    assert sizes(coded(profile="baseline", preset="medium"), x) != sizes(coded(profile="high", preset="medium"), x)
    for codec in ("h264", "hevc", "mpeg2", "mpeg4"):
        assert sizes(coded(codec, 20, b_frames=0), x) != sizes(coded(codec, 20, b_frames=3), x), codec


def test_draws_come_from_the_ranges() -> None:
    ranges = {"codec": ["h264", "mpeg4"], "crf_range": [18, 35], "qscale_range": {"integer": [2, 31]}}
    op = Video.model_validate(ranges | {"b_frames_range": {"integer": [0, 3]}, "preset": {"fast": 0.5, "slow": 0.5}})
    draws = [op.draw(Draws(sample_key(0, str(i), 0), "video"), Geometry(5, 64, 64)) for i in range(60)]
    for draw in draws:
        assert draw.control == CODECS[draw.codec].quality
        assert 18 <= draw.amount <= 35 if draw.codec == "h264" else draw.amount in range(2, 32)
    assert {draw.codec for draw in draws} == {"h264", "mpeg4"}
    assert {draw.b_frames for draw in draws} == {0, 1, 2, 3}
    rate = Video.model_validate({"codec": ["h264", "mpeg4"], "bitrate_range": [10, 100], "fps_range": 1})
    assert rate.draw(Draws(1, "video"), Geometry(5, 64, 64)).control == "bitrate"


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        ({"codec": "h264"}, "codec h264 needs crf_range or bitrate_range alone, not none"),
        ({"codec": "mpeg4", "crf_range": 20}, "mpeg4 needs qscale_range or bitrate_range alone, not crf_range"),
        ({"codec": ["h264", "mpeg4"], "crf_range": 20}, "needs crf_range and qscale_range or bitrate_range alone"),
        ({"codec": "h264", "crf_range": 20, "bitrate_range": 90}, "not bitrate_range and crf_range"),
        ({"codec": ["vp9", "hevc"], "crf_range": [20, 60]}, "crf_range is 20 to 60; hevc takes 0 to 51"),
        ({"codec": "av1", "crf_range": 0}, "crf_range is 0 to 0; av1 takes 1 to 63"),
        ({"codec": "av1", "crf_range": 20, "subsampling": ["4:2:0", "4:4:4"]}, "av1 does not encode 4:4:4"),
        ({"codec": "mpeg2", "bitrate_range": 20, "fps_range": 1}, "mpeg2 takes one of 24, 25, 30, 50, 60 frames"),
        ({"codec": "hevc", "crf_range": 20, "profile": "high"}, "hevc has no profile high; it has auto, main, main10"),
        ({"codec": "av1", "crf_range": 20, "profile": ["main", "simple"]}, "av1 has no profile simple; it has auto, m"),
        ({"codec": "hevc", "crf_range": 20, "profile": "main", "depth": "10-bit"}, "main of hevc does not hold 10-bit"),
        ({"codec": "h264", "crf_range": 20, "profile": "high422"}, "high422 of h264 does not hold 4:2:0; it holds 4:"),
        ({"codec": "mpeg4", "qscale_range": 2, "profile": "simple", "b_frames_range": 1}, "simple of mpeg4 has no B"),
        (
            {"codec": "mpeg2", "qscale_range": 2, "depth": "10-bit"},
            "mpeg2video.* does not encode mpeg2 of 4:2:0 10-bit",
        ),
        ({"codec": "h264", "crf_range": {"uniform": [18, 30], "over_time": "iid"}}, "crf_range: a stream has one"),
        ({"codec": "h265", "crf_range": 20}, "unknown word 'h265'"),
    ],
)
def test_what_cannot_be_encoded_is_refused_when_the_recipe_is_read(ranges: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Video.model_validate(ranges)


RECIPE = "scale: 1\ndegrade:\n  stream: {op: video, codec: {hevc: 0.5, h264: 0.5}, crf_range: 30}\n"


def test_a_codec_that_the_build_lacks_is_named_when_the_recipe_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    parse_recipe(RECIPE)
    missing.cache_clear()
    have = video_codecs._has
    monkeypatch.setattr(video_codecs, "_has", lambda name: name != "libx265" and have(name))
    words = (
        "degrade.stream: the FFmpeg inside the installed PyAV has no libx265, which hevc needs; choose from h264, vp9"
    )
    with pytest.raises(RecipeError, match=words):
        parse_recipe(RECIPE)
    with pytest.raises(OpError, match="has no libx265"):
        coded("hevc").apply(moving(1))
    missing.cache_clear()


def test_a_depth_that_the_encoder_lacks_is_named_when_the_recipe_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = RECIPE.replace("crf_range", "depth: {8-bit: 0.5, 10-bit: 0.5}, crf_range")
    parse_recipe(deep)
    missing_form.cache_clear()
    have = video_codecs._forms
    monkeypatch.setattr(video_codecs, "_forms", lambda name: [form for form in have(name) if name + form != LACKED])
    words = r"degrade.stream: libx265, as .* does not encode hevc of 4:2:0 10-bit \(yuv420p10le\); .* or from h264, av1"
    with pytest.raises(RecipeError, match=words):
        parse_recipe(deep)
    with pytest.raises(OpError, match="does not encode hevc of 4:2:0 10-bit"):
        coded("hevc", depth="10-bit").apply(moving(1))
    missing_form.cache_clear()


LACKED = "libx265yuv420p10le"


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_ten_bits_are_finer_and_the_same_again(codec: str) -> None:
    """A slope of two 8-bit levels keeps its steps where they are finer than a level."""
    slope = np.linspace(0.5, 0.5 + 2 / 219, 64, dtype=np.float32)
    x = np.ascontiguousarray(np.broadcast_to(slope[None, None, :, None], (2, 64, 64, 3)))
    eight, ten = (coded(codec, CODECS[codec].best, depth=depth) for depth in ("8-bit", "10-bit"))
    fine = ten.apply(x)
    assert np.abs(fine - x).max() < 0.6 * np.abs(eight.apply(x) - x).max()
    np.testing.assert_array_equal(ten.apply(x), fine)
    photo = moving(5)
    assert psnr(replace(ten, amount=20).apply(photo), photo) > 31


@pytest.mark.parametrize(
    "signal", [Signal("4:4:4", m, r, "10-bit") for m, r in (("bt601", "full"), ("bt709", "limited"))]
)
def test_planes_of_ten_bits(signal: Signal) -> None:
    x = np.array([[0, 0, 0], [1, 1, 1], [0.2, 0.7, 0.4]], np.float32).reshape(1, 1, 3, 3)
    planes = to_planes(x, signal)
    ends = [0, 1023] if signal.range == "full" else [64, 940]
    assert planes.y.dtype == np.uint16 and planes.y[0, 0, :2].tolist() == ends
    assert planes.cb[0, 0, :2].tolist() == [512, 512]
    np.testing.assert_allclose(from_planes(planes, signal), x, atol=2 / 1023)


PROFILES = [
    (codec, name) for codec, item in CODECS.items() for name in item.profiles if (codec, name) != ("vp9", "profile2")
]


@pytest.mark.parametrize(("codec", "name"), PROFILES)
def test_a_profile_is_what_the_stream_says(codec: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = CODECS[codec].profiles[name]
    found = []
    open_context = video_codecs._context

    def noted(name: str, mode: Any) -> Any:
        found.append(open_context(name, mode))
        return found[-1]

    monkeypatch.setattr(video_codecs, "_context", noted)
    coded(codec, 10, profile=name, subsampling=profile.subsampling[0], depth=profile.depths[0]).apply(moving(2))
    said = str(found[-1].profile).lower().replace(" profile", "").replace("constrained ", "")
    said = said.replace(" predictive", "").replace(":", "").replace(" ", "_")
    wanted = "rext" if codec == "hevc" and "4" in name else name
    assert said.replace("_", "") == wanted.replace("_", "")


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing.cache_clear()
    monkeypatch.setattr(video_codecs, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"needs the package av \(PyAV\).*pip install 'degradekit\[video\]'"):
        parse_recipe(RECIPE)
    missing.cache_clear()


def test_what_an_encoder_refuses_is_named() -> None:
    with pytest.raises(OpError, match="video: h264 refuses a clip of 1 frames of 64x80 px"):
        coded(profile="main", subsampling="4:4:4").apply(moving(1))
    with pytest.raises(OpError, match="video: encodes RGB or grey, the clip has 4 channels"):
        coded().apply(np.zeros((1, 8, 8, 4), np.float32))
