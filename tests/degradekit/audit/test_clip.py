"""Clips: frames that stand still, lag, jump or are of another clip are found, healthy ones say nothing."""

import cv2
import numpy as np
import pytest

from degradekit.audit.gather import Options
from degradekit.audit.run import audit
from degradekit.codecs import encode
from degradekit.recipe import parse_recipe
from degradekit.shards.commit import commit
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.storage import open_store
from degradekit.types import Record
from tests.degradekit.audit import catalogue as c

RECIPE = c.RECIPE.replace("extract: {mode: whole}", "extract: {mode: whole, clip: {length: 7}}")
CLIPS, LENGTH = 24, 7


def filmed(i):
    """A camera that moves over a picture, three px a frame."""
    wide = c.leaves(i, side=192)
    return np.stack([wide[20 + t : 148 + t, 3 * t + 10 : 3 * t + 138] for t in range(LENGTH)])


@pytest.fixture(scope="module")
def recipe():
    return parse_recipe(RECIPE)


@pytest.fixture(scope="module")
def clips(recipe):
    return [recipe.degrade(filmed(i), key=f"{i:02d}@0#whole") for i in range(CLIPS)]


def store(folder, clips, recipe, *, planless=True):
    place = open_store(folder)
    schema = {} if planless else recipe.columns()
    records = []
    for i, clip in enumerate(clips):
        plan, columns = ("", {}) if planless else (clip.plan.to_json(), clip.plan.columns())
        gt, lq = (encode(np.ascontiguousarray(frames), "png") for frames in (clip.gt, clip.lq))
        records.append(Record(i, f"{i:02d}@0#whole", 0, gt, lq, plan, columns, {"source": f"{i:02d}.mp4"}))
    commit(place, 0, records, format="parquet", schema=schema)
    text, digest = ("", "") if planless else (RECIPE, recipe.digest)
    told = {"format": "parquet", "codec": "png", "shard_size": len(clips), "schema": schema}
    finish(place, BuildFacts(text, digest, 0, 4, variants=1, samples=len(clips), **told))
    return open_dataset(folder)


def found(dataset, **options):
    result = audit(dataset, options=Options(replay=0, **options)).result("frames")
    return result, [finding.message for finding in result.findings]


@pytest.mark.parametrize("planless", [True, False])
def test_healthy_clips(tmp_path, clips, recipe, planless):
    result, messages = found(store(tmp_path, clips, recipe, planless=planless))
    assert (result.status, messages) == ("ok", [])
    assert result.examined == CLIPS
    assert result.value.startswith("7 frames a clip")


def changed(clip, change):
    lq = clip.lq.copy()
    change(lq)
    return clip._replace(lq=lq)


def freeze(lq):
    lq[2:] = lq[1]


def lag(lq):
    lq[1:] = lq[:-1].copy()


def jump(lq):
    lq[6] = cv2.warpAffine(lq[6], np.float32([[1, 0, 1.2], [0, 1, 0]]), (32, 32), borderMode=cv2.BORDER_REPLICATE)


DEFECTS = {
    "freeze": (freeze, "stand still while their GTs move"),
    "lag": (lag, "show the GT of the frame before or after"),
    "jump": (jump, "have a frame that lies beside the others"),
}


@pytest.mark.parametrize("planless", [True, False])
@pytest.mark.parametrize("defect", DEFECTS)
def test_spoiled_clips(tmp_path, clips, recipe, defect, planless):
    change, words = DEFECTS[defect]
    bad = [changed(clip, change) if i % 3 == 0 else clip for i, clip in enumerate(clips)]
    result, messages = found(store(tmp_path, bad, recipe, planless=planless))
    assert result.status == "finding"
    assert all(words in message for message in messages)
    named = {pair.index for finding in result.findings for pair in finding.pairs}
    assert named <= {i for i in range(CLIPS) if i % 3 == 0}
    assert len(named) >= 6


def test_a_frame_of_another_clip(tmp_path, clips, recipe):
    bad = list(clips)
    bad[4] = changed(bad[4], lambda lq: lq.__setitem__(0, clips[11].lq[3]))
    result, messages = found(store(tmp_path, bad, recipe))
    assert messages == [f"1 of {CLIPS} LQ clips have a frame that shows another picture than its GT"]
    assert result.findings[0].pairs[0].index == 4


def test_repeated_frames_of_the_source(tmp_path, recipe):
    frames = [filmed(i) for i in range(CLIPS)]
    for clip in frames[::4]:
        clip[3] = clip[2]
    made = [recipe.degrade(clip, key=f"{i:02d}@0#whole") for i, clip in enumerate(frames)]
    _, messages = found(store(tmp_path, made, recipe))
    assert messages == [f"6 of {CLIPS} GT clips have a frame that repeats the one before"]


def test_what_a_plan_does_to_a_clip_is_meant(tmp_path, clips, recipe, monkeypatch):
    """Where every clip is in doubt, those that GT and plan make again are acquitted."""
    monkeypatch.setattr("degradekit.audit.clip.JITTER", 0.0)
    monkeypatch.setattr("degradekit.audit.clip.SIGMAS", 1e-6)
    _, messages = found(store(tmp_path / "none", clips, recipe))
    assert messages == [f"{CLIPS} of {CLIPS} LQ clips have a frame that lies beside the others"]
    clips = [changed(clip, freeze) if i == 5 else clip for i, clip in enumerate(clips)]
    result, messages = found(store(tmp_path / "plans", clips, recipe, planless=False))
    assert {pair.index for finding in result.findings for pair in finding.pairs} == {5}


def test_images_are_no_clips(tmp_path):
    recipe = c.recipe_of()
    dataset = c.store(tmp_path, [c.make(i, recipe) for i in range(4)], recipe)
    result, _ = found(dataset)
    assert (result.status, result.reason) == ("not_run", "the pairs are images, not clips")
