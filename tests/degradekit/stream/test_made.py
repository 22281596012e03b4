from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from degradekit.errors import StreamError
from degradekit.recipe import load_recipe
from degradekit.shards.dataset import open_dataset
from degradekit.stream import Batch, PairStream
from degradekit.types import Record


def pairs(batches: Any) -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    out = {}
    for batch in batches:
        for at, key in enumerate(batch["key"]):
            out[key, int(batch["variant"][at])] = (batch["gt"][at], batch["lq"][at])
    return out


def equal(here: dict[Any, Any], there: dict[Any, Any]) -> bool:
    return here.keys() == there.keys() and all(
        np.array_equal(a, b) for key in here for a, b in zip(here[key], there[key], strict=True)
    )


def test_virtual_lqs_are_the_stored_ones(built: Path) -> None:
    stored, virtual = (PairStream(built, batch_size=7, lq=lq) for lq in ("stored", "plan"))
    first, second = list(stored), list(virtual)
    assert [batch["key"] for batch in first] == [batch["key"] for batch in second]
    assert len(pairs(first)) == 48
    assert equal(pairs(first), pairs(second))


def test_pairs_made_on_the_way_are_what_the_build_stored(built: Path, small_recipe: Path) -> None:
    """Epoch e gives variant e, so two epochs give what a build with two variants stored, bit for bit."""
    stream = PairStream(
        source=built.parent / "source", recipe=small_recipe, batch_size=5, variants="rotate", on_corrupt="skip"
    )
    made: list[Batch] = [batch for _ in range(2) for batch in stream]
    assert equal(pairs(made), pairs(PairStream(built, batch_size=7)))
    assert {lost["key"] for lost in stream.lost} == {"broken.png#r0", "broken.png#r1"}
    later = pairs(stream)
    assert {variant for _, variant in later} == {2}


def test_pairs_made_on_the_way_tell_their_parameters(built: Path, small_recipe: Path) -> None:
    skip = ["broken.png#r0", "broken.png#r1"]
    stream = PairStream(
        source=built.parent / "source",
        recipe=load_recipe(small_recipe),
        skip=skip,
        columns=["deg.jpeg1.quality", "plan"],
    )
    assert stream.samples == 24
    dataset = open_dataset(built)
    batch = next(iter(pickle.loads(pickle.dumps(stream))))
    for key, quality, plan in zip(batch["key"], batch["deg.jpeg1.quality"], batch["plan"], strict=True):
        index = dataset.find(key)
        assert index is not None
        record = dataset.read(index)
        assert isinstance(record, Record)
        assert (record.columns["deg.jpeg1.quality"], record.plan) == (quality, plan)
    told = stream.explain(batch)
    assert [pair["key"] for pair in told] == batch["key"]
    assert [pair["parameters"]["deg.jpeg1.quality"] for pair in told] == batch["deg.jpeg1.quality"]


def test_a_broken_image_is_an_error_unless_it_may_be_skipped(built: Path, small_recipe: Path) -> None:
    with pytest.raises(StreamError, match=r"'broken.png#r\d'.*skip="):
        list(PairStream(source=built.parent / "source", recipe=small_recipe))


def test_what_the_recipe_leaves_out_is_no_error(write_flat: Callable[[], tuple[Path, Path]]) -> None:
    source, recipe = write_flat()
    stream = PairStream(source=source, recipe=recipe, batch_size=3)
    assert sorted(key for batch in stream for key in batch["key"]) == ["a.png#r0", "b.png#r0"]
    assert [lost["key"] for lost in stream.lost] == ["flat.png#r0"]


@pytest.fixture
def write_flat(tmp_path: Path) -> Callable[[], tuple[Path, Path]]:
    def write() -> tuple[Path, Path]:
        import cv2

        folder = tmp_path / "photos"
        folder.mkdir()
        rng = np.random.default_rng(0)
        for name in ("a", "b"):
            cv2.imwrite(str(folder / f"{name}.png"), rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
        cv2.imwrite(str(folder / "flat.png"), np.full((40, 40, 3), 90, np.uint8))
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(
            "scale: 4\nextract: {mode: random, size: 32, flat: 2}\n"
            "degrade:\n  down: {op: resize, relative_to: target, factor_range: 1, mode: area}\n"
        )
        return folder, recipe

    return write


def test_what_cannot_be_made_on_the_way(built: Path, small_recipe: Path) -> None:
    source = built.parent / "source"
    with pytest.raises(StreamError, match="source= and recipe= together"):
        PairStream(source=source)
    with pytest.raises(StreamError, match="source= and recipe= together"):
        PairStream(built, source=source, recipe=small_recipe)
    with pytest.raises(StreamError, match="needs stored parameters"):
        PairStream(source=source, recipe=small_recipe, where="deg.jpeg1.quality < 50").samples  # noqa: B018


def test_a_state_of_another_recipe_is_refused(built: Path, small_recipe: Path) -> None:
    source = built.parent / "source"
    state = PairStream(source=source, recipe=small_recipe).state_dict()
    with pytest.raises(StreamError, match="the state is of"):
        PairStream(source=source, recipe=load_recipe(small_recipe, seed=1)).load_state_dict(state)
