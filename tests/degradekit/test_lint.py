"""The linter: each finding on a recipe that has just that mistake, none on the shipped ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from degradekit.cost import measure_cost, synthetic_picture
from degradekit.errors import RecipeError
from degradekit.lint import Finding, Lint, lint
from degradekit.recipe import load_recipe, recipe_names

FINISH = "down: {op: resize, relative_to: target, factor_range: 1, mode: area}"


def run(folder: Path, body: str, head: str = "extract: {mode: random, size: 64}", draws: int = 200) -> Lint:
    """Lint a recipe of the given steps."""
    path = folder / "recipe.yaml"
    path.write_text(f"scale: 4\n{head}\ndegrade:\n" + "".join(f"  {line}\n" for line in body.splitlines()))
    return lint(path, draws=draws, pairs=0)


def only(found: Lint) -> Finding:
    assert len(found.findings) == 1, found.findings
    return found.findings[0]


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_clean(name: str) -> None:
    found = lint(name, draws=300, pairs=0)
    assert found.clean, found.findings
    assert found.digest == load_recipe(name).digest


def test_a_plain_recipe_has_no_finding(tmp_path: Path) -> None:
    assert run(tmp_path, f"noise: {{op: gaussian_noise, sigma_range: 0.1}}\n{FINISH}").findings == ()


def test_a_dead_option_is_named(tmp_path: Path) -> None:
    head = "options: {used: true, unused: false}\nextract: {mode: random, size: 64}"
    body = f"noise: {{when: not used, op: gaussian_noise, sigma_range: 0.1}}\n{FINISH}"
    finding = only(run(tmp_path, body, head))
    assert (finding.severity, finding.path) == ("warning", "options.unused")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("noise: {p: 0, op: gaussian_noise, sigma_range: 0.1}", "degrade.noise.p"),
        ("noise: {repeat: 0, op: gaussian_noise, sigma_range: 0.1}", "degrade.noise.repeat"),
        (
            "noise:\n  one_of:\n    a: {p: 1, op: gaussian_noise, sigma_range: 0.1}\n"
            "    b: {p: 0, op: gaussian_noise, sigma_range: 0.2}",
            "degrade.noise.b.p",
        ),
        ("inner:\n  chain:\n    noise: {p: 0, op: gaussian_noise, sigma_range: 0.1}", "degrade.inner.noise.p"),
    ],
)
def test_what_never_runs_is_named(body: str, path: str, tmp_path: Path) -> None:
    finding = only(run(tmp_path, f"{body}\n{FINISH}"))
    assert (finding.severity, finding.path) == ("warning", path)
    assert "0" in finding.message


def test_a_series_of_a_constant_is_pointless_and_of_an_image_a_note(tmp_path: Path) -> None:
    body = "noise: {op: gaussian_noise, sigma_range: {const: 0.1, over_time: iid}}\n"
    constant = only(run(tmp_path, body + FINISH))
    assert (constant.severity, constant.path) == ("warning", "degrade.noise.sigma_range.over_time")
    moving = only(run(tmp_path, body.replace("const: 0.1", "uniform: [0.1, 0.2]") + FINISH))
    assert (moving.severity, moving.path) == ("info", "degrade.noise.sigma_range.over_time")


def test_a_resize_to_the_same_size_is_named_by_its_share(tmp_path: Path) -> None:
    same = "same: {op: resize, relative_to: current, factor_range: %s, mode: area}\n"
    always = only(run(tmp_path, same % 1 + FINISH))
    assert (always.severity, always.path) == ("warning", "degrade.same")
    assert "every draw" in always.message
    often = only(run(tmp_path, same % "{choice: [0.5, 1], p: [0.75, 0.25]}" + FINISH, draws=1000))
    share = float(often.message.split("%")[0].split()[-1])
    assert often.severity == "info" and abs(share - 25) < 4 * 100 * (0.25 * 0.75 / 1000) ** 0.5 + 0.5


@pytest.mark.parametrize(
    "step",
    [
        "op: gaussian_noise, sigma_range: 0",
        "op: gaussian_blur, size_range: 21, sigma_x_range: 0.1",
        "op: unsharp_mask, size: 51, sigma: 8, amount_range: 0, threshold_range: 10/255",
    ],
)
def test_a_step_without_effect_is_named(step: str, tmp_path: Path) -> None:
    finding = only(run(tmp_path, f"idle: {{{step}}}\n{FINISH}"))
    assert (finding.severity, finding.path) == ("warning", "degrade.idle")
    assert "no pixel" in finding.message and "every draw" in finding.message


def test_a_share_of_draws_without_effect_is_weighed(tmp_path: Path) -> None:
    body = "noise: {op: gaussian_noise, sigma_range: {choice: [0, 0.1], p: [%s]}}\n"
    assert only(run(tmp_path, body % "0.7, 0.3" + FINISH)).severity == "warning"
    assert only(run(tmp_path, body % "0.2, 0.8" + FINISH)).severity == "info"
    assert run(tmp_path, body % "0.01, 0.99" + FINISH).findings == ()


def test_odd_sizes_before_halved_chroma_are_counted(tmp_path: Path) -> None:
    jpeg = "jpeg: {op: jpeg, quality_range: 50%s}"
    small = "small: {op: resize, relative_to: current, factor_range: {choice: [63/64, 1/2]}, mode: area}\n"
    finding = only(run(tmp_path, small + jpeg % ", subsampling: '4:2:0'" + "\n" + FINISH))
    share = float(finding.message.split("%")[0].split()[-1])
    assert (finding.severity, finding.path) == ("info", "degrade.jpeg") and 30 < share < 70
    assert run(tmp_path, small + jpeg % ", subsampling: '4:4:4'" + "\n" + FINISH).findings == ()


def test_a_kernel_that_cuts_its_gaussian_is_named(tmp_path: Path) -> None:
    blur = "blur: {op: gaussian_blur, size_range: %d, sigma_x_range: 3}\n"
    finding = only(run(tmp_path, blur % 5 + FINISH))
    assert (finding.severity, finding.path) == ("warning", "degrade.blur")
    assert "weight" in finding.message
    assert run(tmp_path, blur % 21 + FINISH).findings == ()


def test_a_rare_wrong_size_is_an_error(tmp_path: Path) -> None:
    body = (
        "down:\n  one_of:\n    right: {p: 0.995, op: resize, relative_to: target, factor_range: 1, mode: area}\n"
        "    wrong: {p: 0.005, op: resize, relative_to: target, factor_range: 0.5, mode: area}"
    )
    finding = run(tmp_path, body, draws=2000).findings[0]
    assert (finding.severity, finding.path) == ("error", "degrade")
    assert "8x8" in finding.message and "16x16" in finding.message


def test_a_branch_that_no_draw_reaches_is_a_note(tmp_path: Path) -> None:
    body = f"rare: {{p: 1.0e-9, op: gaussian_noise, sigma_range: 0.1}}\n{FINISH}"
    finding = only(run(tmp_path, body, draws=2000))
    assert (finding.severity, finding.path) == ("info", "degrade.rare") and "2000" in finding.message


def test_whole_images_are_drawn_in_several_shapes(tmp_path: Path) -> None:
    head = "extract: {mode: whole}"
    assert run(tmp_path, FINISH, head).clean


def test_an_invalid_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="sigma"):
        run(tmp_path, f"noise: {{op: gaussian_noise, sigma_range: 3}}\n{FINISH}")


def test_errors_come_first_and_json_says_all(tmp_path: Path) -> None:
    body = (
        "idle: {op: gaussian_noise, sigma_range: 0}\n"
        "down:\n  one_of:\n    right: {p: 0.995, op: resize, relative_to: target, factor_range: 1, mode: area}\n"
        "    wrong: {p: 0.005, op: resize, relative_to: target, factor_range: 0.5, mode: area}"
    )
    found = run(tmp_path, body, draws=2000)
    assert [finding.severity for finding in found.findings] == ["error", "warning"]
    assert found.to_json()["clean"] is False and not found.clean
    assert found.to_json()["findings"][1]["path"] == "degrade.idle"


def test_the_cost_names_every_op_that_ran(small_recipe: Path) -> None:
    recipe = load_recipe(small_recipe)
    costs = measure_cost(recipe, pairs=6)
    stages = {cost.stage for cost in costs}
    assert {"draw", "apply.gaussian_blur", "apply.resize", "apply.jpeg"} <= stages
    assert [cost.milliseconds for cost in costs] == sorted((cost.milliseconds for cost in costs), reverse=True)
    assert all(cost.milliseconds >= 0 for cost in costs)


def test_the_synthetic_picture_is_detailed_and_always_the_same() -> None:
    picture = synthetic_picture(96, 128)
    assert picture.shape == (96, 128, 3) and picture.dtype == np.uint8
    assert np.array_equal(picture, synthetic_picture(96, 128))
    assert 20 < picture.std() < 90
    assert np.abs(np.diff(picture.astype(int), axis=1)).mean() > 2


def test_faults_that_are_asked_for_are_noted() -> None:
    found = [
        f for f in lint("real_esrgan_compat", draws=20, pairs=0).findings if "fault of other software" in f.message
    ]
    assert {(f.severity, f.path) for f in found} == {
        ("info", f"degrade.{node}") for node in ("resize1", "jpeg1", "final.jpeg2")
    }
    assert "(drift)" in next(f.message for f in found if f.path == "degrade.resize1")
    assert not any("fault" in f.message for f in lint("real_esrgan", draws=20, pairs=0).findings)
