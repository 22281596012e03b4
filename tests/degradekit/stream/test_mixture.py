from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from degradekit.errors import StreamError
from degradekit.stream import PairStream


def drawn(stream: PairStream) -> list[tuple[int, int]]:
    return [pair for batch in stream for pair in zip(batch["part"].tolist(), batch["index"].tolist(), strict=True)]


@pytest.fixture
def places(make_set: Callable[..., Path]) -> list[Path]:
    return [make_set(29), make_set(24, format="lmdb", seed=1), make_set(7, seed=2)]


def test_without_weights_an_epoch_is_every_pair_of_every_dataset_once(places: list[Path]) -> None:
    stream = PairStream(places, batch_size=8)
    for _ in range(2):
        assert sorted(drawn(stream)) == [(0, i) for i in range(29)] + [(1, i) for i in range(24)] + [
            (2, i) for i in range(7)
        ]


def test_weights_are_met_exactly_and_in_every_batch(places: list[Path]) -> None:
    stream = PairStream(places, batch_size=10, weights=[0.5, 0.3, 0.2], epoch_size=300)
    for batch in stream:
        assert Counter(batch["part"].tolist()) == {0: 5, 1: 3, 2: 2}
    pairs = drawn(stream)
    assert Counter(part for part, _ in pairs) == {0: 150, 1: 90, 2: 60}


def test_a_dataset_is_drawn_from_evenly_however_often_it_comes(places: list[Path]) -> None:
    """Passes go on over the ends of epochs, so no pair is ever ahead of another by more than one."""
    stream = PairStream(places, batch_size=10, weights=[1, 1, 2], epoch_size=50)
    counts: Counter[tuple[int, int]] = Counter()
    for _ in range(5):
        counts.update(drawn(stream))
    for part, size in enumerate((29, 24, 7)):
        times = [counts[part, index] for index in range(size)]
        assert max(times) - min(times) <= 1
        assert abs(sum(times) - 250 * (0.5 if part == 2 else 0.25)) <= 1
    assert sum(counts.values()) == 250


def test_an_epoch_smaller_than_the_dataset_goes_on_where_the_last_one_ended(places: list[Path]) -> None:
    stream = PairStream(places[0], batch_size=5, epoch_size=10)
    pairs = [index for _ in range(3) for _, index in drawn(stream)]
    assert len(stream) == 2
    assert sorted(pairs[:29]) == list(range(29))


def test_weights_change_with_the_epoch(places: list[Path]) -> None:
    stream = PairStream(places, batch_size=10, weights={0: [1, 0, 0], 2: [1, 1, 0], 3: [0, 0, 1]}, epoch_size=20)
    shares = [Counter(part for part, _ in drawn(stream)) for _ in range(4)]
    assert shares == [{0: 20}, {0: 20}, {0: 10, 1: 10}, {2: 20}]
    stream.set_epoch(2)
    assert Counter(part for part, _ in drawn(stream)) == shares[2]


def test_a_mixture_resumes_in_the_middle_of_an_epoch(places: list[Path]) -> None:
    options: dict[str, Any] = {"weights": [3, 2, 1], "epoch_size": 61}
    whole = drawn(PairStream(places, batch_size=4, **options))
    for step in range(1, 15):
        before = PairStream(places, batch_size=4, **options)
        iterator = iter(before)
        for _ in range(step):
            next(iterator)
        state = json.dumps(before.state_dict())
        assert len(state) < 1024
        resumed = PairStream(places, batch_size=7, **options)
        resumed.load_state_dict(json.loads(state))
        assert drawn(resumed) == whole[4 * step :]


def test_each_dataset_keeps_its_own_filter_and_its_own_kind(places: list[Path]) -> None:
    easy = PairStream(places[0], where="deg.jpeg1.quality >= 20")
    stream = PairStream([easy, places[2]], batch_size=4)
    assert sorted(drawn(stream)) == [(0, i) for i in range(20, 29)] + [(1, i) for i in range(7)]
    with pytest.raises(StreamError, match="2 weights for 3 datasets"):
        PairStream(places, weights=[1, 2])


def test_the_meter_sees_good_and_bad_mixing(make_set: Callable[..., Path]) -> None:
    place = make_set(256, shard_size=64)
    good = PairStream(place, batch_size=8).mixing()
    bad = PairStream(place, batch_size=8, shuffle=False).mixing()
    assert (bad.batches, bad.neighbourhoods) == (32, 1.0)
    assert good.ideal == bad.ideal == pytest.approx(4 * (1 - 0.75**8))
    assert good.neighbourhoods == pytest.approx(good.ideal, rel=0.1)
    assert good.twins == 0
    assert "32 batches of 8.0 pairs" in str(good)
    twins = PairStream(make_set(24, variants=3, shard_size=6), batch_size=6, shuffle=False).mixing(2)
    assert (twins.batches, twins.twins) == (2, 4)
    halves = PairStream([place, make_set(24)], batch_size=8, weights=[1, 1]).mixing()
    assert (halves.parts, halves.spread) == ((0.5, 0.5), 0.0)
