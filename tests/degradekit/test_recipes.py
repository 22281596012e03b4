"""Every shipped recipe: how its file opens, that it loads, draws, makes pairs and replays them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from degradekit.cost import synthetic_picture
from degradekit.errors import RecipeError
from degradekit.lint import lint
from degradekit.nodes import read_yaml
from degradekit.ops import video
from degradekit.plan import Plan
from degradekit.recipe import load_recipe, parse_recipe, recipe_names
from degradekit.types import Array, Geometry

NAMES = sorted(recipe_names())
CLIPS = ("animesr", "realbasicvsr")
PUBLISHED = (
    "real_esrgan", "real_esrgan_x2", "mmagic_real_esrgan", "bsrgan", "bsrgan_plus", "gfpgan", "gfpgan_no_colour",
    "codeformer", "realbasicvsr", "animesr", "apisr", "stablesr", "bicubic", "bd_matlab", "bd_duf",
    "downscale_nearest_aligned",
)  # fmt: skip
PRESETS = tuple(f"{kind}_{strength}" for kind in ("photo", "anime") for strength in ("light", "medium", "heavy"))


def picture(name: str, h: int = 64, w: int = 48) -> Array:
    image = synthetic_picture(h, w)
    return np.stack([np.roll(image, t, 1) for t in range(3)]) if name in CLIPS else image


def test_the_list_is_complete() -> None:
    assert set(PUBLISHED) | set(PRESETS) | {"classical", "real_esrgan_compat"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_opens_with_source_command_departures_and_what_to_expect(name: str) -> None:
    text = recipe_names()[name].read_text(encoding="utf-8")
    opening = text[: re.search(r"^(name|extends):", text, re.MULTILINE).start()]  # type: ignore[union-attr]
    assert all(line.startswith("#") for line in opening.splitlines())
    assert f"degradekit build recipes/{name}.yaml --source" in opening
    for word in ("arXiv:", "Depart", "# Expect") if name in PUBLISHED else ("Depart", "# Expect"):
        assert word in opening or (name, word) in {("bicubic", "arXiv:"), ("bd_duf", "arXiv:")}, word
    assert max(map(len, text.splitlines())) <= 150
    assert load_recipe(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_made_and_replayed_from_their_plan(name: str) -> None:
    image = picture(name)
    recipe = load_recipe(name)
    for i in range(3):
        gt, lq, plan = recipe.degrade(image, key=f"{i}.png")
        assert gt.shape[-3] == recipe.scale * lq.shape[-3] and gt.shape[-2] == recipe.scale * lq.shape[-2]
        assert lq.dtype == np.uint8 and lq.std() > 2
        again = Plan.from_json(plan.to_json())
        stored = gt if gt.ndim == 4 else gt[None]
        np.testing.assert_array_equal(again.make_lq(stored).reshape(lq.shape), lq)


@pytest.mark.parametrize("name", NAMES)
def test_the_linter_finds_nothing_to_change(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("degradekit.lint.TRIALS", 12)  # AVIF and HEVC take their time
    found = lint(name, draws=100, pairs=0)
    assert found.clean, [finding for finding in found.findings if finding.severity != "info"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_dataset_stores_is_the_recipe(name: str) -> None:
    recipe = load_recipe(name)
    stored = parse_recipe(recipe.text, where="a dataset", options=recipe.options)
    assert stored.digest == recipe.digest
    assert "extends" not in read_yaml(recipe.text, name)


OPTIONS = [
    (name, option)
    for name in NAMES
    for option in load_recipe(name).options
    if name not in ("anime_light", "anime_heavy")
]


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_every_option_changes_the_recipe_and_still_makes_pairs(name: str, option: str) -> None:
    plain = load_recipe(name)
    other = load_recipe(name, **{option: not plain.options[option]})
    assert other.digest != plain.digest
    other.degrade(picture(name), key="a.png")


@pytest.mark.parametrize("name", ["realbasicvsr", "animesr", "apisr"])
def test_a_recipe_that_lacks_its_codec_says_so_when_it_is_loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "h264 needs PyAV; pip install 'degradekit[video]'"
    monkeypatch.setattr(video, "missing", lambda codec: reason if codec == "h264" else "")
    with pytest.raises(RecipeError) as caught:
        load_recipe(name)
    assert reason in str(caught.value)
    assert re.search(r"degrade\.\w+", str(caught.value))


def test_an_option_that_is_off_asks_for_no_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "missing", lambda codec: "h264 is not there")
    load_recipe("anime_medium")
    with pytest.raises(RecipeError, match=r"degrade\.stream: h264 is not there"):
        load_recipe("anime_medium", video=True)


def shift(name: str) -> tuple[float, float]:
    plan = load_recipe(name).draw(key="a", geometry=Geometry(1, 64, 64))
    a, b, c, d, e, f = plan.alignment
    assert (a, b, d, e) == (4, 0, 0, 4)
    return c, f


def test_the_two_bd_conventions_are_a_pixel_and_a_half_apart() -> None:
    assert shift("bd_matlab") == (1.5, 1.5)
    assert shift("bd_duf") == (0, 0)
    assert shift("bicubic") == shift("downscale_nearest_aligned") == (1.5, 1.5)
    ys, xs = np.mgrid[0:64, 0:64].astype(np.uint8) * 4
    ramp = np.stack([xs, ys, xs], axis=-1)
    centred, corner = (
        load_recipe(name).degrade(ramp, key="a").lq[3:-3, 3:-3].astype(int) for name in ("bd_matlab", "bd_duf")
    )
    np.testing.assert_array_equal(centred - corner, 6)  # 1.5 px of 4 levels each, in both directions


def psnr(a: Array, b: Array) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def test_mixing_the_two_bd_conventions_costs_more_than_any_method_gains() -> None:
    image = synthetic_picture(256, 256)
    lq: dict[str, Any] = {name: load_recipe(name).degrade(image, key="a").lq for name in ("bd_matlab", "bd_duf")}
    assert psnr(lq["bd_matlab"], lq["bd_duf"]) < 32


def test_presets_grow_stronger() -> None:
    image = synthetic_picture(160, 160)

    def distance(name: str) -> float:
        recipe = load_recipe(name)
        pairs = [recipe.degrade(image, key=f"{i}") for i in range(24)]
        return float(np.mean([psnr(pair.lq, load_recipe("bicubic").degrade(pair.gt, key="a").lq) for pair in pairs]))

    for kind in ("photo", "anime"):
        light, medium, heavy = (distance(f"{kind}_{strength}") for strength in ("light", "medium", "heavy"))
        assert light > medium + 1 > heavy + 2


def test_gfpgan_aligns_faces_as_its_opening_says() -> None:
    opening = recipe_names()["gfpgan"].read_text(encoding="utf-8")
    extract = re.search(r"^#\s+(extract: .*)\.$", opening, re.MULTILINE)
    assert extract is not None
    recipe = parse_recipe(f"extends: gfpgan\n{extract[1]}")
    assert recipe.extract.faces is not None and recipe.extract.faces.size == 512
    assert recipe.digest != load_recipe("gfpgan").digest
