"""LQs made on a device, here torch's CPU, are those of the CPU path: from shards and on the way, cut alike."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from degradekit.degrader import Degrader
from degradekit.errors import StreamError
from degradekit.loader import PairLoader, to_tensors
from degradekit.stream import Batch, PairStream

from .stream.conftest import make_set  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # more workers than this machine has cores
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),  # Python 3.12 and later, on a fork
]
FORK = multiprocessing.get_context("fork")
VIEWS = {"crop": 32, "flip": True, "rotate": True, "batch_size": 6}


def alike(here: Batch, there: Batch) -> bool:
    """The same pairs: GTs equal, LQs equal but where a rounding fell the other way."""
    assert here["key"] == there["key"]
    assert torch.equal(here["gt"], there["gt"])
    assert here["lq"].shape == there["lq"].shape
    off = (here["lq"].double() - there["lq"].double()).abs()
    return bool((off > 0).double().mean() < 0.01)


def epochs(loader: PairLoader, count: int = 1) -> list[Batch]:
    return [batch for _ in range(count) for batch in loader]


@pytest.mark.parametrize("workers", [0, 2])
def test_stored_pairs_are_made_again_and_cut_alike(built: Path, workers: int) -> None:
    options = {"num_workers": workers, "multiprocessing_context": FORK if workers else None}
    stored = epochs(PairLoader(PairStream(built, **VIEWS)), 2)
    made = epochs(PairLoader(PairStream(built, lq="device", **VIEWS), device="cpu", **options), 2)
    assert len(made) == len(stored) == 16
    assert all(alike(*both) for both in zip(stored, made, strict=True))
    assert made[0]["lq"].shape == (6, 3, 8, 8)
    assert "plan" not in made[0]


def test_pairs_of_images_are_what_a_build_would_have_stored(built: Path, small_recipe: Path) -> None:
    where: dict[str, Any] = {"source": built.parent / "source", "recipe": small_recipe, "variants": "rotate"}
    where |= {"skip": ["broken.png#r0", "broken.png#r1"], **VIEWS}
    usual = epochs(PairLoader(PairStream(**where)), 2)
    made = epochs(PairLoader(PairStream(lq="device", columns=["plan"], **where), device="cpu"), 2)
    assert all(alike(*both) for both in zip(usual, made, strict=True))
    assert {variant for batch in made for variant in batch["variant"].tolist()} == {0, 1}
    assert '"variant":1' in made[-1]["plan"][0]


def test_workers_do_not_make_what_the_device_makes(
    built: Path, small_recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from degradekit.plan import Plan

    def refuse(*_: object) -> None:
        raise AssertionError("an LQ was made on the CPU")

    stream = PairStream(source=built.parent / "source", recipe=small_recipe, lq="device", on_corrupt="skip")
    stream.pairs[0].reader(("gt",), validate=True)  # the canary makes pairs, once a process
    monkeypatch.setattr(Plan, "make_lq", refuse)
    batch = next(iter(stream))
    assert "lq" not in batch
    assert batch["gt"].shape[1:] == (64, 64, 3)
    assert len(batch["plan"]) == len(batch["gt"])


def test_floats_and_whole_images(built: Path) -> None:
    stored = epochs(PairLoader(PairStream(built, dtype="float32", batch_size=8)))
    made = epochs(PairLoader(PairStream(built, dtype="float32", batch_size=8, lq="device"), device="cpu"))
    assert made[0]["lq"].dtype == made[0]["gt"].dtype == torch.float32
    assert made[0]["gt"].shape == (8, 3, 64, 64)
    assert all(alike(*both) for both in zip(stored, made, strict=True))


def test_sixteen_bits(tmp_path: Path) -> None:
    for i in range(3):
        picture = np.random.default_rng(i).integers(0, 65536, (40, 40, 3), np.uint16)
        assert cv2.imwrite(str(tmp_path / f"{i}.png"), picture)
    recipe = tmp_path / "small.yaml"
    recipe.write_text(
        "scale: 4\nextract: {mode: random, size: 40}\n"
        "degrade: {down: {op: resize, relative_to: target, factor_range: 1, mode: area}}\n"
    )
    options: dict[str, Any] = {"source": str(tmp_path / "*.png"), "recipe": recipe, **VIEWS, "batch_size": 3}
    (usual,), (made,) = PairLoader(PairStream(**options)), PairLoader(PairStream(lq="device", **options), device="cpu")
    assert made["lq"].dtype == torch.uint16
    assert torch.equal(made["gt"].int(), usual["gt"].int())
    assert (made["lq"].int() - usual["lq"].int()).abs().max() <= 1


def test_a_resumed_loader_goes_on_with_the_same_pairs(built: Path) -> None:
    def loader() -> PairLoader:
        return PairLoader(PairStream(built, lq="device", **VIEWS), device="cpu")

    whole, stopped, resumed = epochs(loader()), loader(), loader()
    batches = iter(stopped)
    next(batches)
    resumed.load_state_dict(stopped.state_dict())
    rest = epochs(resumed)
    assert [batch["key"] for batch in rest] == [batch["key"] for batch in whole[1:]]
    assert all(torch.equal(a["lq"], b["lq"]) for a, b in zip(whole[1:], rest, strict=True))


def test_a_rank_that_got_nothing_has_empty_images(built: Path) -> None:
    """Forty-eight pairs for fifty ranks."""
    share: dict[str, Any] = {"batch_size": 1, "rank": 0, "world_size": 50, "crop": 32}
    usual = next(iter(PairLoader(PairStream(built, **share))))
    batch = next(iter(PairLoader(PairStream(built, lq="device", **share), device="cpu")))
    assert batch["key"] == usual["key"] == []
    assert batch["lq"].shape == usual["lq"].shape == (0, 3, 8, 8)
    assert batch["gt"].shape == usual["gt"].shape


def test_degrader_follows_any_loader(built: Path) -> None:
    stream = PairStream(built, lq="device", **VIEWS)
    batch = Degrader(stream, "cpu")(to_tensors(next(iter(stream))))
    wanted = to_tensors(next(iter(PairStream(built, **VIEWS))))
    assert alike(batch, wanted)


def test_what_does_not_fit_is_refused_at_once(
    built: Path,
    tmp_path: Path,
    make_set: Callable[..., Path],  # noqa: F811
) -> None:
    with pytest.raises(StreamError, match=r"lq='device' leaves LQs to a device: give PairLoader device='cuda'"):
        PairLoader(PairStream(built, lq="device"))
    with pytest.raises(StreamError, match="a device makes the LQs of a stream with lq='device'"):
        PairLoader(PairStream(built), device="cpu")
    with pytest.raises(StreamError, match="was imported and has no plans"):
        PairLoader(PairStream(make_set(8), lq="device"), device="cpu")
    with pytest.raises(StreamError, match="roles is"):
        PairStream(built, lq="device", roles=("gt",))
    with pytest.raises(StreamError, match="gives no lq_landmarks"):
        PairStream(built, lq="device", columns=["lq_landmarks"])
    recipe = tmp_path / "webp.yaml"
    recipe.write_text("scale: 1\nextract: {mode: random, size: 32}\ndegrade: {last: {op: webp, quality_range: 50}}\n")
    stream = PairStream(source=built.parent / "source", recipe=recipe, lq="device")
    with pytest.raises(StreamError, match=r"webp \(at last\) cannot run on a device"):
        PairLoader(stream, device="cpu")


def test_crops_are_checked_on_the_way(built: Path) -> None:
    with pytest.raises(StreamError, match="give a smaller crop"):
        next(iter(PairLoader(PairStream(built, lq="device", crop=128), device="cpu")))


def test_views_of_arrays_and_tensors_are_one(built: Path) -> None:
    """The window of every view, its mirror and its turns, compared through the GTs alone."""
    many = {"crop": 12, "flip": True, "rotate": True, "batch_size": 48}
    stored = np.concatenate([batch["gt"] for _, batch in zip(range(4), iter(PairStream(built, **many)), strict=False)])
    stream = PairStream(built, lq="device", **many)
    made = [batch["gt"] for _, batch in zip(range(4), PairLoader(stream, device="cpu"), strict=False)]
    np.testing.assert_array_equal(torch.cat(made).permute(0, 2, 3, 1).numpy(), stored)
