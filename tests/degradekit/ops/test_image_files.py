"""Image codecs as ops: WebP, AVIF, JPEG XL, JPEG 2000 and HEIF."""

from __future__ import annotations

import importlib.util
import math
from typing import Any

import numpy as np
import pytest

from degradekit.errors import OpError
from degradekit.ops import heif
from degradekit.ops.avif import Avif, AvifDraw
from degradekit.ops.base import Draw
from degradekit.ops.coded import eight_bits, through_files
from degradekit.ops.heif import Heif, HeifDraw
from degradekit.ops.jpeg2000 import Jpeg2000, Jpeg2000Draw
from degradekit.ops.jpegxl import JpegXl, JpegXlDraw
from degradekit.ops.webp import Webp, WebpDraw
from degradekit.recipe import parse_recipe
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry

# From nearly lossless to very lossy.
LADDERS: dict[str, list[Draw]] = {
    "webp": [WebpDraw(quality, 4) for quality in (100, 60, 10)],
    "avif": [AvifDraw(quality, 9, "4:2:0") for quality in (95, 60, 10)],
    "avif 4:4:4": [AvifDraw(quality, 9, "4:4:4") for quality in (95, 60, 10)],
    "jpegxl": [JpegXlDraw(distance, 3) for distance in (0.1, 3, 20)],
    "jpeg2000 ratio": [Jpeg2000Draw("ratio", ratio) for ratio in (3, 20, 100)],
    "jpeg2000 psnr": [Jpeg2000Draw("psnr", psnr) for psnr in (50, 33, 22)],
    "heif": [HeifDraw(quality, "4:4:4") for quality in (95, 50, 10)],
}
FINEST = [pytest.param(ladder[0], id=name) for name, ladder in LADDERS.items()]


def smooth(t: int = 1, h: int = 64, w: int = 80) -> FloatImage:
    """Waves of several frequencies, a little different in each channel and frame."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    frames = [[0.5 + 0.3 * np.sin(x / (3 + c) + i) * np.cos(y / (7 - c)) for c in range(3)] for i in range(t)]
    return np.ascontiguousarray(np.moveaxis(np.array(frames, np.float32), 1, -1))


def psnr(a: FloatImage, b: FloatImage) -> float:
    return -10 * math.log10(float(np.mean((a - b) ** 2)))


@pytest.mark.parametrize("name", LADDERS)
def test_fidelity_falls_from_near_the_input(name: str) -> None:
    x = smooth()
    fidelity = [psnr(draw.apply(x), x) for draw in LADDERS[name]]
    assert fidelity[0] > (30 if name == "webp" else 38)
    assert fidelity[0] > fidelity[1] + 1 > fidelity[2] + 2


@pytest.mark.parametrize("draw", FINEST)
def test_flat_colours_keep_their_colour(draw: Draw) -> None:
    for colour in ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.8, 0.2, 0.3), (0.1, 0.5, 0.2)):
        x = np.full((1, 32, 32, 3), colour, np.float32)
        assert np.abs(draw.apply(x) - x).max() < 4.01 / 255, colour


@pytest.mark.parametrize("draw", FINEST)
def test_any_size_survives(draw: Draw) -> None:
    for h, w in ((1, 1), (2, 3), (17, 9), (8, 40)):
        y = draw.apply(smooth(1, h, w))
        assert y.shape == (1, h, w, 3)
        assert (np.rint(y * 255) / np.float32(255) == y).all()


@pytest.mark.parametrize("draw", FINEST)
def test_overshoot_is_cut_and_never_wraps(draw: Draw) -> None:
    x = np.where(np.arange(32)[:, None, None] < 16, -0.4, 1.5).astype(np.float32) * np.ones((1, 1, 32, 3), np.float32)
    y = draw.apply(x)
    assert y[:, :12].max() < 0.1
    assert y[:, 20:].min() > 0.9


@pytest.mark.parametrize("draw", FINEST)
def test_grey_stays_one_channel(draw: Draw) -> None:
    x = smooth()[..., :1]
    y = draw.apply(x)
    assert y.shape == x.shape
    assert psnr(y, x) > 30
    with pytest.raises(OpError, match=f"{draw.name}: encodes RGB or grey, the clip has 4 channels"):
        draw.apply(np.zeros((1, 8, 8, 4), np.float32))


def test_each_frame_has_its_own_quality() -> None:
    x = smooth(3)
    held = [WebpDraw(quality, 4).apply(x) for quality in (90, 10, 90)]
    moving = WebpDraw((90, 10, 90), 4).apply(x)
    for t in range(3):
        np.testing.assert_array_equal(moving[t], held[t][t])


def test_finer_chroma_keeps_colour_edges() -> None:
    x = np.zeros((1, 32, 32, 3), np.float32)
    x[:, :, ::2] = (1, 0, 0)
    x[:, :, 1::2] = (0, 0.3, 1)
    fidelity = [psnr(AvifDraw(95, 9, chroma).apply(x), x) for chroma in ("4:2:0", "4:4:4")]
    assert fidelity[1] > fidelity[0] + 6


def test_jpeg2000_reaches_the_fidelity_it_is_asked_for() -> None:
    x = eight_bits(smooth(h=128, w=128)) / np.float32(255)
    for want in (25, 35, 45):
        assert abs(psnr(Jpeg2000Draw("psnr", want).apply(x), x) - want) < 3


def test_draws_come_from_the_ranges() -> None:
    u, g = Draws(sample_key(0, "cat.png", 0), "file"), Geometry(5, 64, 64)
    walk = {"uniform": [20, 90], "over_time": {"walk": 3}}
    draw = Webp.model_validate({"quality_range": walk, "method_range": {"integer": [0, 6]}}).draw(u, g)
    assert isinstance(draw.quality, tuple)
    assert len(draw.quality) == 5
    assert isinstance(draw.method, int)
    assert Avif.model_validate({"quality_range": 50}).draw(u, g) == AvifDraw(50, 6, "4:2:0")
    assert JpegXl.model_validate({"distance_range": 2}).draw(u, g) == JpegXlDraw(2, 7)
    assert Jpeg2000.model_validate({"psnr_range": 30}).draw(u, g) == Jpeg2000Draw("psnr", 30)
    assert Heif.model_validate({"quality_range": 30}).draw(u, g) == HeifDraw(30, "4:2:0")


@pytest.mark.parametrize("ranges", [{}, {"ratio_range": 10, "psnr_range": 30}])
def test_jpeg2000_needs_one_measure(ranges: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs either ratio_range or psnr_range"):
        Jpeg2000.model_validate(ranges)


def test_what_a_codec_refuses_is_named() -> None:
    def refuse(picture: object, t: int) -> Any:
        raise RuntimeError("no memory for it")

    with pytest.raises(OpError, match=r"^webp: the codec refuses a picture of 64x80 px \(no memory for it\)"):
        through_files(smooth(), "webp", refuse)
    with pytest.raises(OpError, match="webp: the codec refuses a picture of 1x16384 px"):
        WebpDraw(50, 0).apply(np.zeros((1, 1, 16384, 3), np.float32))


def test_a_recipe_with_heif_names_the_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "scale: 1\ndegrade:\n  photo: {op: heif, quality_range: 50}\n"
    assert parse_recipe(text).name == "recipe"
    monkeypatch.setattr(heif, "find_spec", lambda name: None)
    with pytest.raises(
        Exception, match=r"recipe: degrade.photo: heif needs the package pillow-heif.*degradekit\[heif\]"
    ):
        parse_recipe(text)
    with pytest.raises(OpError, match="needs the package pillow-heif"):
        HeifDraw(50, "4:2:0").apply(smooth())
    assert importlib.util.find_spec("pillow_heif") is not None
