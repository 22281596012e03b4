from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset
from degradekit.stream import PairStream
from degradekit.stream.where import parse_filter

COLUMNS = {"deg.jpeg1.quality": "int", "deg.blur1.sigma_x": "float", "deg.noise1.op": "str", "deg.a[1].on": "bool"}
HOLDS: list[tuple[str, Callable[[int], bool]]] = [
    ("deg.jpeg1.quality < 60 and deg.blur1.sigma_x > 1.5", lambda i: i % 100 < 60 and i / 8 > 1.5),
    ("5 <= deg.jpeg1.quality < 9 or 20 > deg.jpeg1.quality > 17", lambda i: 5 <= i < 9 or 17 < i < 20),
    ("deg.noise1.op == 'poisson_noise'", lambda i: i % 4 == 3),
    ("deg.noise1.op != 'poisson_noise'", lambda i: i % 4 == 1),
    ("deg.noise1.op is None", lambda i: i % 2 == 0),
    ("deg.noise1.op is not None and not index in [3, 5]", lambda i: i % 2 == 1 and i not in (3, 5)),
    ("deg.noise1.op not in ['poisson_noise']", lambda i: i % 4 == 1),
    ("deg.blur1.sigma_x * 8 + 1 == 6 or key == 'photos/0007.png#r0'", lambda i: i in (5, 7)),
    ("deg.jpeg1.quality - 3 > -2 and variant == 0 and index <= 4", lambda i: 1 < i <= 4),
]


@pytest.mark.parametrize(("text", "holds"), HOLDS)
def test_a_filter_keeps_what_it_says(
    any_format: Callable[..., Dataset], text: str, holds: Callable[[int], bool]
) -> None:
    stream = PairStream(any_format(29, dead=(6,)), batch_size=4, where=text)
    kept = sorted(index for batch in stream for index in batch["index"].tolist())
    assert kept == [index for index in range(29) if holds(index) and index != 6]


def test_shards_that_cannot_match_are_not_opened(
    make_set: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    shard = Dataset.shard
    monkeypatch.setattr(Dataset, "shard", lambda self, number: opened.append(number) or shard(self, number))
    assert PairStream(make_set(64), where="deg.jpeg1.quality < 3 or 40.5 < deg.jpeg1.quality < 41.5").samples == 4
    assert opened == [0, 5]


@pytest.mark.parametrize(
    ("text", "stats", "may"),
    [
        ("deg.jpeg1.quality >= 30", {"min": 3, "max": 29}, False),
        ("deg.jpeg1.quality > 29", {"min": 3, "max": 29}, False),
        ("deg.jpeg1.quality <= 2", {"min": 3, "max": 29}, False),
        ("30 < deg.jpeg1.quality", {"min": 3, "max": 29}, False),
        ("deg.jpeg1.quality == 30", {"min": 3, "max": 29}, False),
        ("deg.jpeg1.quality != 30", {"min": 3, "max": 29}, True),
        ("deg.jpeg1.quality == 3 and deg.jpeg1.quality > 29", {"min": 3, "max": 29}, False),
        ("deg.jpeg1.quality == 3 or deg.jpeg1.quality > 29", {"min": 3, "max": 29}, True),
        ("not deg.jpeg1.quality < 99", {"min": 3, "max": 29}, True),
        ("deg.jpeg1.quality < 30", {"count": 0}, False),
        ("deg.jpeg1.quality is None", {"count": 0}, True),
        ("deg.noise1.op == 'x'", {"min": 3, "max": 29}, True),
    ],
)
def test_statistics_exclude_only_what_cannot_be(text: str, stats: dict[str, float], may: bool) -> None:
    assert parse_filter(text, COLUMNS).may_match({"deg.jpeg1.quality": stats}) is may


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deg.jpg1.quality < 3", "did you mean deg.jpeg1.quality"),
        ("deg.jpeg1.quality <", "is no expression"),
        ("deg.jpeg1.quality", "is no condition"),
        ("__import__('os').system('true') == 0", "neither a column nor a number"),
        ("open('x') and index > 3", "is no condition"),
        ("index in key", "is not understood"),
        ("(lambda: 3)() > index", "neither a column"),
        ("index == [1][0]", "neither a column"),
        ("index ** 2 > 3", "neither a column"),
    ],
)
def test_what_is_no_filter(text: str, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        parse_filter(text, COLUMNS)


def test_names_with_brackets_and_truth_values() -> None:
    assert parse_filter("deg.a[1].on and index > 3", COLUMNS).columns == ("deg.a[1].on",)


def test_a_filter_that_keeps_nothing_is_an_error(make_set: Callable[..., Path]) -> None:
    with pytest.raises(StreamError, match="no pair for which deg"):
        PairStream(make_set(29), where="deg.jpeg1.quality > 500").samples  # noqa: B018


def test_a_curriculum_changes_the_filter_with_the_epoch(make_set: Callable[..., Path]) -> None:
    stream = PairStream(make_set(29), batch_size=4, where={0: "deg.jpeg1.quality >= 20", 2: "index >= 10", 3: None})
    sizes = [len([i for batch in stream for i in batch["index"].tolist()]) for _ in range(4)]
    assert sizes == [9, 9, 19, 29]


def test_variants_take_turns_from_epoch_to_epoch(any_format: Callable[..., Dataset]) -> None:
    stream = PairStream(any_format(24, variants=3, shard_size=6), batch_size=5, variants="rotate")
    epochs = [list(stream) for _ in range(3)]
    for batches in epochs:
        assert len({key for batch in batches for key in batch["key"]}) == 8
        assert sum(len(batch["key"]) for batch in batches) == 8
    seen = sorted(i for batches in epochs for batch in batches for i in batch["index"].tolist())
    assert seen == list(range(24))


def test_variants_that_a_filter_leaves_take_turns(make_set: Callable[..., Path]) -> None:
    place = make_set(24, variants=3, shard_size=6)
    stream = PairStream(place, batch_size=5, variants="rotate", where="index not in [0, 3, 4, 6, 7, 8]")
    epochs = [[i for batch in stream for i in batch["index"].tolist()] for _ in range(6)]
    assert {len(epoch) for epoch in epochs} == {7}  # the third GT has none left
    times = {i: sum(epoch.count(i) for epoch in epochs) for i in range(24)}
    assert [times[i] for i in range(9)] == [0, 3, 3, 0, 0, 6, 0, 0, 0]
    assert times[9] == 2
