"""Every defect is found by its check and by no other; a healthy dataset has none."""

from dataclasses import replace

import numpy as np
import pytest

from degradekit.audit import look
from degradekit.audit.gather import Options
from degradekit.audit.run import audit
from tests.degradekit.audit import catalogue as c

OPTIONS = Options(replay=12)


@pytest.fixture(scope="module")
def recipe():
    return c.recipe_of()


@pytest.fixture(scope="module")
def pairs(recipe):
    return [c.make(i, recipe) for i in range(c.SHARD * c.SHARDS)]


def findings(dataset, **kwargs):
    found = audit(dataset, options=OPTIONS, **kwargs)
    return {result.name: result for result in found.results if result.findings}


def redrawn(pairs, old, new):
    """The pairs as an engine draws them that has another range than the recipe says."""
    other = c.recipe_of(c.RECIPE.replace(old, new))
    assert other.digest != c.recipe_of().digest
    return [c.make(made.i, other, hr=made.hr) for made in pairs]


def undone(pairs, old, new):
    """Plans as the recipe says, pixels as if a step had not run."""
    return [replace(made, lq=other.lq) for made, other in zip(pairs, redrawn(pairs, old, new), strict=True)]


def remade(pairs, recipe, change, which=lambda i: True):
    """Pairs made from spoiled HR pictures: the GT is wrong, and the LQ is true to it."""
    return [c.make(made.i, recipe, hr=change(made)) if which(made.i) else made for made in pairs]


@pytest.mark.parametrize("planless", [False, True])
def test_a_healthy_dataset_has_no_finding(tmp_path, pairs, recipe, planless):
    found = audit(c.store(tmp_path, pairs, recipe, planless=planless), options=OPTIONS)
    assert {result.name: result.findings for result in found.results if result.findings} == {}
    skipped = {result.name for result in found.results if result.status == "not_run"}
    assert skipped == {"frames", "leakage", "comparison"} | (
        {"identity", "parameters", "truth", "replay"} if planless else set()
    )
    assert all(result.reason for result in found.results if result.status == "not_run")
    assert len(found.sample) == len(pairs)
    assert found.bound < 0.019


@pytest.mark.parametrize("planless", [False, True])
def test_a_shift_that_is_only_measured_is_not_believed_where_the_pair_is_made_again(
    tmp_path, pairs, recipe, planless, monkeypatch
):
    """A right pair whose shift is mismeasured: GT and plan acquit it; without a plan it is named."""
    measured = look.measure_pair
    victim = pairs[3].gt

    def mistaken(gt, lq, **kwargs):
        found = measured(gt, lq, **kwargs)
        if not np.array_equal(gt.reshape(victim.shape), victim):
            return found
        return replace(found, values={**found.values, "shift_x": 3.0, "shift_sigma": 0.1, "shift_fit": 0.9})

    monkeypatch.setattr(look, "measure_pair", mistaken)
    found = findings(c.store(tmp_path, pairs, recipe, planless=planless))
    assert found.keys() == ({"alignment"} if planless else set())


SPOILED = {
    "half_pixel": (c.half_pixel, lambda i: True, "alignment"),
    "channels": (c.swapped, lambda i: True, "colour"),
    "channels_of_some": (c.swapped, lambda i: i % 20 == 3, "colour"),
    "gamma": (c.gamma, lambda i: True, "colour"),
    "brightness": (c.brightness, lambda i: True, "colour"),
    "shard": (c.noisy(9), lambda i: 80 <= i < 120, "drift"),
    "same_noise": (c.same_noise, lambda i: True, "randomness"),
    "ruined": (c.washed, lambda i: i % 14 == 0, "quality"),
}


@pytest.mark.parametrize("defect", SPOILED)
def test_spoiled_pixels_of_an_imported_dataset(tmp_path, pairs, recipe, defect):
    change, which, check = SPOILED[defect]
    dataset = c.store(tmp_path, c.spoiled(pairs, change, which), recipe, planless=True)
    assert list(findings(dataset)) == [check]


def test_stride_sampling_is_named(tmp_path, pairs, recipe):
    dataset = c.store(tmp_path, c.spoiled(pairs, c.half_pixel), recipe, planless=True)
    finding = findings(dataset)["alignment"].findings[0]
    assert finding.severity == "error"
    assert "(s - 1) / 2" in finding.message
    assert finding.value == pytest.approx(1.5 * 2**0.5, abs=0.1)


@pytest.mark.parametrize("planless", [False, True])
def test_wrong_partners(tmp_path, pairs, recipe, planless):
    wrong = c.spoiled(pairs, lambda made: replace(made, lq=pairs[made.i - 20].lq), lambda i: i % 20 == 0)
    dataset = c.store(tmp_path, wrong, recipe, planless=planless)
    found = findings(dataset)
    if not planless:
        found.pop("replay", None)  # it makes any LQ again that is not its own
    assert list(found) == ["partner"]
    assert {pair.index for pair in found["partner"].findings[0].pairs} == {made.i for made in pairs if made.i % 20 == 0}


@pytest.mark.parametrize(
    ("defect", "old", "new", "check"),
    [
        ("truncated range", "[0.4, 3]", "[0.4, 2.4]", "parameters"),
        ("wrong gate", "p: 0.9", "p: 0.6", "parameters"),
        ("one mode", "[area, matlab_bicubic]", "area", "parameters"),
        ("frozen number", "[0, 15/255]", "7/255", "parameters"),
    ],
)
def test_other_parameters_than_the_recipe_draws(tmp_path, pairs, recipe, defect, old, new, check):
    dataset = c.store(tmp_path, redrawn(pairs, old, new), recipe)
    found = findings(dataset)
    assert list(found) == [check]
    place = {"[0.4, 3]": "deg.blur", "[area, matlab_bicubic]": "deg.down"}.get(old, "deg.noise")
    assert found[check].findings[0].message.startswith(place)


@pytest.mark.parametrize(
    ("step", "old", "new"),
    [("noise", "15/255", "0"), ("jpeg", "[50, 98]", "100"), ("blur", "[0.4, 3]", "0.1")],
)
def test_a_step_that_did_not_run(tmp_path, pairs, recipe, step, old, new):
    dataset = c.store(tmp_path, undone(pairs, old, new), recipe)
    found = findings(dataset)
    assert list(found) == ["truth", "replay"]
    assert step in found["truth"].findings[0].message.lower()


def test_pairs_that_nothing_was_done_to(tmp_path, pairs, recipe):
    dataset = c.store(tmp_path, c.spoiled(pairs, c.reduced, lambda i: i % 12 == 0), recipe)
    found = audit(dataset, options=replace(OPTIONS, replay=0))
    assert [result.name for result in found.results if result.findings] == ["identity"]
    assert found.result("identity").findings[0].affected == 14


@pytest.mark.parametrize("seeds", [1, 40])
def test_frozen_seeds(tmp_path, pairs, recipe, seeds):
    frozen = [c.make(made.i, recipe, hr=made.hr, drawn_as=f"worker{made.i % seeds}") for made in pairs]
    assert list(findings(c.store(tmp_path, frozen, recipe))) == ["randomness"]


@pytest.mark.parametrize(
    ("change", "which", "check"),
    [
        (c.enlarged, lambda i: True, "ground_truth"),
        (c.once_jpeg, lambda i: True, "ground_truth"),
        (c.letterboxed, lambda i: i % 4 == 0, "exposure"),
    ],
    ids=["enlarged", "once a JPEG", "letterboxed"],
)
def test_spoiled_ground_truth(tmp_path, pairs, recipe, change, which, check):
    dataset = c.store(tmp_path, remade(pairs, recipe, change, which), recipe)
    assert list(findings(dataset)) == [check]


@pytest.mark.parametrize("planless", [False, True])
def test_a_picture_under_two_names(tmp_path, pairs, recipe, planless):
    double = [c.make(made.i, recipe, hr=pairs[made.i - 1].hr) if made.i % 24 == 5 else made for made in pairs]
    found = findings(c.store(tmp_path, double, recipe, planless=planless))
    assert list(found) == ["duplicates"]
    assert found["duplicates"].findings[0].affected >= 6


@pytest.mark.parametrize("planless", [False, True])
def test_sources_on_both_sides_of_a_split(tmp_path, pairs, recipe, planless):
    train, val = pairs[:80], [replace(made, i=made.i - 70) for made in pairs[70:120]]
    first = c.store(tmp_path / "train", train, recipe, planless=planless)
    second = c.store(tmp_path / "val", val, recipe, planless=planless)
    found = findings(first, against=second)
    assert list(found) == ["leakage"]
    clean = c.store(tmp_path / "clean", [replace(made, i=made.i - 80) for made in pairs[80:]], recipe)
    assert list(findings(first, against=clean)) == []


def test_two_recipes_are_compared(tmp_path, pairs, recipe):
    first = c.store(tmp_path / "a", pairs[:80], recipe)
    other = c.spoiled([replace(made, i=made.i - 80) for made in pairs[80:]], c.noisy(25))
    found = findings(first, against=c.store(tmp_path / "b", other, recipe, planless=True))
    assert list(found) == ["comparison"]
    assert found["comparison"].severity == "info"
    assert "noise" in {finding.message.partition(":")[0] for finding in found["comparison"].findings}


def test_headers_that_do_not_fit(tmp_path, pairs, recipe):
    few = c.spoiled(pairs[:80], lambda made: replace(made, lq=made.lq[:31]), lambda i: i == 7)
    found = findings(c.store(tmp_path, few, recipe, planless=True))
    assert list(found) == ["headers"]
    assert found["headers"].findings[0].pairs[0].index == 7


def test_two_bit_depths(tmp_path, pairs, recipe):
    def deep(made):
        return replace(made, gt=made.gt.astype(np.uint16) * 257, lq=made.lq.astype(np.uint16) * 257)

    found = findings(c.store(tmp_path, c.spoiled(pairs[:80], deep, lambda i: i % 9 == 0), recipe, planless=True))
    assert list(found) == ["headers"]
    assert found["headers"].severity == "warning"


@pytest.mark.parametrize("format", ["parquet", "lmdb"])
def test_flipped_bits(tmp_path, pairs, recipe, format):
    dataset = c.store(tmp_path, pairs[:120], recipe, format=format)
    file = tmp_path / dataset.shards[1].file
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 4
    dataset.close()
    file.write_bytes(data)
    found = findings(dataset)
    assert list(found) == ["integrity"]
    assert "shard-000001" in found["integrity"].findings[0].message


def test_changed_pixels_do_not_replay(tmp_path, pairs, recipe):
    def touched(made):
        lq = made.lq.copy()
        lq[3, 4] ^= 32
        return replace(made, lq=lq)

    found = findings(c.store(tmp_path, c.spoiled(pairs, touched), recipe))
    assert list(found) == ["replay"]
    assert found["replay"].severity == "error"


def test_correlated_parameters(tmp_path, pairs, recipe):
    """Quality and blur drawn from one number: each has its distribution, together they do not."""
    order = sorted(pairs, key=lambda made: made.plan.columns()["deg.blur.sigma_x"])
    steps = sorted((made.plan.degrade[-1] for made in pairs), key=lambda step: step.draw.quality)
    tied = [
        replace(made, plan=replace(made.plan, degrade=(*made.plan.degrade[:-1], step)))
        for made, step in zip(order, steps, strict=True)
    ]
    tied = sorted((replace(made, lq=made.plan.make_lq(made.gt[None])[0]) for made in tied), key=lambda made: made.i)
    found = audit(c.store(tmp_path, tied, recipe), options=replace(OPTIONS, replay=0))
    assert [result.name for result in found.results if result.findings] == ["parameters"]
    messages = [finding.message for finding in found.result("parameters").findings]
    assert any("deg.blur.sigma_x and deg.jpeg.quality" in message for message in messages)


def test_spectra_are_held_against_real_images(tmp_path, pairs, recipe):
    import cv2

    for made in pairs[:20]:
        for name, image in (("near", made.lq), ("far", cv2.GaussianBlur(made.hr, (0, 0), 4))):
            (tmp_path / name).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / name / f"{made.i}.png"), image)
    dataset = c.store(tmp_path / "data", pairs[:80], recipe)
    for name, wanted in (("near", []), ("far", ["spectrum"])):
        found = audit(dataset, options=replace(OPTIONS, real=str(tmp_path / name)))
        assert [result.name for result in found.results if result.findings] == wanted
