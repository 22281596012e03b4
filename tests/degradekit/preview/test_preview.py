"""The preview shows what a build would draw, and finds kernels and noise by what steps do."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from degradekit.describe import caption
from degradekit.dist import Const, Pick
from degradekit.errors import SourceError
from degradekit.ops.contrast import Contrast
from degradekit.ops.disc_blur import DiscBlurDraw
from degradekit.ops.gaussian_blur import GaussianBlurDraw
from degradekit.ops.gaussian_noise import GaussianNoise
from degradekit.ops.jpeg import Jpeg, JpegDraw
from degradekit.ops.kernels import gaussian
from degradekit.ops.resize import Resize
from degradekit.ops.unsharp_mask import UnsharpMask
from degradekit.page import Histogram, Page, Picture, Shares, render_html
from degradekit.preview import examples, preview
from degradekit.preview.draws import draws_section, histogram
from degradekit.preview.gallery import kernel_of, kernels_section, noise_section, residual
from degradekit.preview.ladder import ladder_section, moving, quality_section, rung
from degradekit.preview.pairs import stage_pictures
from degradekit.preview.view import busiest
from degradekit.recipe import Recipe, load_recipe, parse_recipe
from degradekit.rng import Draws
from degradekit.survey import Column, survey
from degradekit.types import Geometry

CLIPS = """
name: moving
scale: 2
extract: {mode: random, size: 48, small: pad, clip: {length: 5}}
degrade:
  noise: {op: gaussian_noise, sigma_range: {uniform: [1/255, 20/255], over_time: iid}}
  down: {op: resize, relative_to: target, factor_range: 1, mode: area}
"""


@pytest.fixture(scope="module")
def recipe(small_recipe: Path) -> Recipe:
    return load_recipe(small_recipe, seed=3)


@pytest.fixture(scope="module")
def page(recipe: Recipe, photos: Path) -> Page:
    return preview(recipe, source=str(photos), plans=200)


def pictures(page: Page, slug: str) -> list[Picture]:
    (section,) = [section for section in page.sections if section.slug == slug]
    return [figure for group in section.groups for figure in group.figures if isinstance(figure, Picture)]


def test_every_panel_is_there(page: Page) -> None:
    slugs = ["walk", "branches", "kernels", "noise", "quality", "draws", "ladder"]
    assert [section.slug for section in page.sections] == slugs
    facts = dict(page.facts)
    assert (page.title, facts["scale"], facts["HR crop"], facts["seed"]) == ("small", "x4", "64x64 px", "3")


def test_the_walk_shows_every_step_with_the_numbers_of_the_plan(recipe: Recipe, photos: Path, page: Page) -> None:
    shown = examples(recipe, str(photos), 3)
    walked = iter(pictures(page, "walk"))
    for example in shown:
        plan = recipe.draw(key=example.key, geometry=Geometry(*example.hr.shape))
        gt = plan.make_gt(example.hr)
        first = next(walked)
        assert first.title == "GT" and first.lines[0].startswith("flip: ")
        assert np.array_equal(first.pixels, gt)  # a GT of 64 px is shown whole
        for number, step in enumerate(plan.degrade, 1):
            stage = next(walked)
            assert stage.title.startswith(f"{number}  {step.at}")
            assert set(caption(step)[1]) <= {step.draw.name, *stage.lines}
        assert stage.title.endswith("= LQ, 16x16 px")
        assert np.array_equal(stage.pixels, plan.make_lq(gt))


def test_branches_are_the_variants_of_a_build(recipe: Recipe, photos: Path, page: Page) -> None:
    (example,) = examples(recipe, str(photos), 1)
    first, *others = pictures(page, "branches")
    assert first.title == "GT"
    for variant, picture in enumerate(others):
        plan = recipe.draw(key=example.key, geometry=Geometry(*example.hr.shape), variant=variant)
        assert np.array_equal(picture.pixels, plan.make_lq(plan.make_gt(example.hr)))
        assert f"jpeg1: quality {plan.degrade[-1].draw.quality}, 4:2:0" in picture.lines


def test_the_page_is_one_valid_file(page: Page) -> None:
    text = render_html(page)
    HTMLParser().feed(text)
    assert not re.search(r"https?:|<script", re.sub(r"base64,[\w+/=]+", "", text))
    images = re.findall(r'<img src="data:image/webp;base64,([\w+/=]+)" alt="([^"]+)"', text)
    assert len(images) == text.count("<img ") > 60
    for data, _ in images[::9]:
        Image.open(io.BytesIO(b64decode(data))).verify()
    for step in ("blur1", "resize1", "noise1:", "resize2", "jpeg1"):
        assert step in text


def test_histograms_count_the_plans(recipe: Recipe) -> None:
    found = survey(recipe, 200)
    groups = {group.title: group for group in draws_section(found).groups}
    quality = next(f for f in groups["deg.jpeg1"].figures if isinstance(f, Histogram))
    assert sum(quality.counts) == 200
    assert quality.marks[1] == np.median(found.columns["deg.jpeg1.quality"].values)
    size = next(f for f in groups["deg.blur1"].figures if isinstance(f, Histogram) and f.title == "size")
    values, counts = np.unique(found.columns["deg.blur1.size"].values, return_counts=True)
    assert (size.counts, size.ends) == (tuple(counts), (values[0], values[-1]))
    branch = next(f for f in groups["deg.noise1"].figures if isinstance(f, Shares))
    assert branch.shares == found.branches()["deg.noise1"]
    sigma = next(f for f in groups["deg.noise1"].figures if f.title == "sigma")
    assert sigma.lines == (f"in {100 * branch.shares['noise1:gaussian']:.1f} % of the pairs".replace(".0 %", " %"),)
    assert "always op resize" in groups["deg.resize2"].note
    table = groups["All columns as a table"].table
    assert table is not None and [row[0] for row in table.rows] == list(found.columns)


def test_values_on_a_lattice_have_a_bin_each() -> None:
    levels = np.repeat(np.arange(2, 26) / 255, np.arange(1, 25))
    bars = histogram(Column("deg.noise.sigma", levels), "sigma")
    assert bars.counts == tuple(range(1, 25)) and bars.ends == (2 / 255, 25 / 255)
    assert histogram(Column("deg.blur.size", np.array([7.0, 9, 13, 13])), "size").counts == (1, 1, 0, 2)
    qualities = histogram(Column("deg.jpeg.quality", np.arange(30.0, 96)), "quality")
    assert qualities.counts == (2,) * 33 and (qualities.low, qualities.high) == (29.5, 95.5)
    assert len(histogram(Column("deg.blur.sigma", np.random.default_rng(0).random(500)), "sigma").counts) == 30
    assert histogram(Column("deg.blur.sigma", np.array([2.0, 2.0])), "sigma").marks == (2, 2, 2)


def test_a_kernel_is_what_a_step_does_to_a_pixel() -> None:
    kernel = kernel_of(GaussianBlurDraw(15, 2.0, 1.0, 0.5))
    assert kernel is not None
    assert abs(kernel[41:56, 41:56] - gaussian(15, 2.0, 1.0, 0.5)).sum() < 0.005
    assert kernel_of(DiscBlurDraw(3.0)) is not None
    sharpen = UnsharpMask.model_validate({"size": 9, "sigma": 1, "amount_range": 0.5, "threshold_range": 0.04})
    contrast = Contrast.model_validate({"factor_range": 1.01}).draw(Draws(1), Geometry(1, 97, 97))
    for draw in (contrast, JpegDraw(quality=40, subsampling="4:2:0"), sharpen.draw(Draws(1), Geometry(1, 97, 97))):
        assert kernel_of(draw) is None


def test_noise_is_measured_on_a_ramp() -> None:
    draw = GaussianNoise.model_validate({"sigma_range": 10 / 255}).draw(Draws(2, "noise"), Geometry(1, 64, 64))
    added = residual(draw)
    assert added is not None and 255 * added.std() == pytest.approx(10, rel=0.03)
    assert residual(GaussianBlurDraw(15, 2.0, 1.0, 0.5)) is None
    rough = GaussianBlurDraw(15, 2.0, 2.0, 0.0, 0.2, Draws(2).field("kernel"))
    assert residual(rough) is None


def test_a_recipe_without_kernels_noise_or_codec_has_no_such_panels(photos: Path) -> None:
    plain = load_recipe("bicubic")
    assert kernels_section(plain) is None and noise_section(plain) is None
    page = preview(plain, source=str(photos / "*.jpg"), plans=20)
    assert [section.slug for section in page.sections] == ["walk", "branches", "draws", "ladder"]


def test_rungs_stand_at_the_quantiles() -> None:
    op = Resize.model_validate(
        {"relative_to": "current", "factor_range": {"mixture": [[0.5, 1], 1]}, "mode": {"area": 0.3, "bicubic": 0.7}}
    )
    assert list(moving(op)) == ["factor_range"]
    settled = rung(op, 0.25)
    assert settled.factor_range == Const(0.75) and settled.mode == Pick(("bicubic",))
    assert rung(op, 1.0).factor_range == Const(1.0)
    assert moving(rung(op, 0.5)) == {}


def test_the_ladder_has_five_rungs_for_each_op_and_says_their_numbers(recipe: Recipe) -> None:
    gt = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    groups = {group.title: group for group in ladder_section(recipe, gt).groups}
    assert set(groups) >= {"blur1: gaussian_blur", "jpeg1: jpeg", "noise1:poisson: poisson_noise", "flip: flip"}
    rungs = groups["blur1: gaussian_blur"].figures
    assert [figure.title for figure in rungs] == ["min", "25 %", "median", "75 %", "max"]
    assert rungs[0].lines == ("size 7", "sigma_x 0.4") and rungs[4].lines == ("size 15", "sigma_x 2")
    assert [f.lines[0] for f in groups["jpeg1: jpeg"].figures] == [f"quality {q}" for q in (30, 46, 63, 79, 95)]
    softest, hardest = (float(np.diff(f.pixels[0].astype(float), axis=0).std()) for f in (rungs[4], rungs[0]))
    assert softest < hardest / 3


def test_the_quality_ladder_gets_better(recipe: Recipe) -> None:
    gt = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    section = quality_section(recipe, gt)
    assert section is not None and section.groups[0].title == "jpeg, quality 30 to 95"
    before, *coded = section.groups[0].figures
    psnr = [float(figure.lines[0].removesuffix(" dB")) for figure in coded]
    assert psnr == sorted(psnr) and psnr[0] < psnr[-1]
    assert (coded[0].title, coded[-1].title, before.title) == ("quality 30", "quality 95", "before")
    assert Jpeg.name == "jpeg"


def test_a_recipe_of_clips_plays(photos: Path, tmp_path: Path) -> None:
    recipe = parse_recipe(CLIPS)
    folder = tmp_path / "clip"
    folder.mkdir()
    for i in range(5):
        picture = np.random.default_rng(i).integers(0, 256, (60, 60, 3), np.uint8)
        Image.fromarray(picture).save(folder / f"{i:03d}.png")
    page = preview(recipe, source=str(tmp_path), plans=20)
    assert {picture.pixels.shape[0] for picture in pictures(page, "walk")} == {5}
    assert render_html(page).count("prefers-reduced-motion: reduce") > 10


def test_bundled_photographs_stand_for_clips() -> None:
    (example,) = examples(parse_recipe(CLIPS), "sample", 1)
    assert example.key == "astronaut.png#r0" and example.hr.shape == (5, 48, 48, 3)
    assert np.array_equal(example.hr[0, 1:, 3:], example.hr[1, :-1, :-3])


def test_pictures_that_cannot_be_read_are_passed_over(recipe: Recipe, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"has no picture for this recipe: .*a\.png"):
        examples(recipe, str(tmp_path), 2)
    (tmp_path / "b.png").write_bytes(next(photos.rglob("*.png")).read_bytes())
    assert [example.key for example in examples(recipe, str(tmp_path), 2)] == ["b.png#r0"]


def test_the_shown_part_is_the_one_with_detail() -> None:
    clip = np.full((1, 100, 120, 3), 90, np.uint8)
    clip[0, 60:80, 30:50] = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    view = busiest(clip, 24)
    top, left = round(view.top * 100), round(view.left * 120)
    assert 55 <= top <= 60 and 25 <= left <= 30
    assert view.of(clip).shape == (1, 24, 24, 3)
    assert view.of(clip[:, ::4, ::4]).shape == (1, 6, 6, 3)
    assert busiest(clip[:, :8, :8], 24).of(clip[:, :8, :8]).shape == (1, 8, 8, 3)


def test_16_bit_is_shown_by_its_upper_byte(recipe: Recipe) -> None:
    hr = np.random.default_rng(0).integers(0, 65536, (1, 64, 64, 3), np.uint16)
    plan = recipe.draw(key="a", geometry=Geometry(*hr.shape))
    gt = plan.make_gt(hr)
    shown = list(stage_pictures(plan, hr, gt, busiest(gt, 96)))
    assert np.array_equal(shown[0].pixels, gt >> 8)
