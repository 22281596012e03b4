from __future__ import annotations

import gc
import json
import pickle
import tracemalloc
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.stream import Batch, PairStream

from .conftest import gt_pixels, lq_pixels


def indices(batches: list[Batch]) -> list[list[int]]:
    return [batch["index"].tolist() for batch in batches]


def flat(lists: Iterable[list[int]]) -> list[int]:
    return [index for part in lists for index in part]


def epoch_of(stream: PairStream) -> list[int]:
    return [index for batch in stream for index in batch["index"].tolist()]


def test_every_format_gives_every_pair_once_with_its_pixels(any_format: Callable[..., Dataset]) -> None:
    stream = PairStream(any_format(29), batch_size=4)
    batches = list(stream)
    assert [len(batch["key"]) for batch in batches] == [4] * 7 + [1]
    assert len(stream) == 8
    seen = set()
    for batch in batches:
        for at, index in enumerate(batch["index"].tolist()):
            assert np.array_equal(batch["gt"][at], gt_pixels(index)[0])
            assert np.array_equal(batch["lq"][at], lq_pixels(index)[0])
            assert batch["key"][at] == f"photos/{index:04d}.png#r0"
            seen.add(index)
    assert seen == set(range(29))


def test_formats_agree_on_the_order(make_set: Callable[..., Path]) -> None:
    parquet, lmdb = (PairStream(make_set(29, format=name), batch_size=5) for name in ("parquet", "lmdb"))
    assert indices(list(parquet)) == indices(list(lmdb))


def test_epochs_follow_one_another_in_other_orders(make_set: Callable[..., Path]) -> None:
    stream = PairStream(make_set(29), batch_size=8)
    first, second = epoch_of(stream), epoch_of(stream)
    assert stream.epoch == 2
    assert first != second
    assert sorted(first) == sorted(second) == list(range(29))
    stream.set_epoch(0)
    assert epoch_of(stream) == first
    assert epoch_of(PairStream(make_set(29), batch_size=8, shuffle_seed=1)) != first
    assert epoch_of(PairStream(make_set(29), batch_size=8, shuffle=False)) == list(range(29))


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_global_batches_do_not_depend_on_ranks_or_workers(
    make_set: Callable[..., Path], ranks: int, workers: int
) -> None:
    place = make_set(53)
    alone = indices(list(PairStream(place, batch_size=8)))
    shares = [
        turns(PairStream(place, batch_size=8 // ranks, rank=rank, world_size=ranks), workers) for rank in range(ranks)
    ]
    assert [flat(parts) for parts in zip(*map(indices, shares), strict=True)] == alone


def turns(stream: PairStream, workers: int) -> list[Batch]:
    """What a loader's workers give, taken in turns as a loader does."""
    makers = [stream.batches(worker, workers) for worker in range(workers)]
    out: list[Batch] = []
    while makers:
        batch = next(makers[len(out) % workers], None)
        if batch is None:
            return out
        out.append(batch)
    return out


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_an_epoch_interrupted_at_any_step_goes_on_exactly_once(
    make_set: Callable[..., Path], ranks: int, workers: int
) -> None:
    """Interrupt at every step; go on with other ranks, workers and batch size; nothing is lost or comes twice."""
    place = make_set(53)
    whole = epoch_of(PairStream(place, batch_size=4))
    steps = len(PairStream(place, batch_size=4))
    for step in range(steps + 1):
        before = PairStream(place, batch_size=4)
        received = []
        for batch in turns(before, workers) if workers else before:
            if len(received) == step:
                break
            received.append(batch)
            state = json.dumps(before.state_dict(after=batch))
        if not received:
            state = json.dumps(before.state_dict()) if workers else json.dumps(PairStream(place).state_dict())
        assert len(state) < 1024
        parts = []
        for rank in range(ranks):
            resumed = PairStream(place, batch_size=3, rank=rank, world_size=ranks)
            resumed.load_state_dict(json.loads(state))
            if step == steps:
                assert (resumed.epoch, resumed.state_dict()["position"]) == (1, 0)
                continue
            parts.append(indices(turns(resumed, (workers + 1) % 3 + 1)))
        tail = [index for group in zip(*parts, strict=True) for part in group for index in part]
        assert flat(indices(received)) + tail == whole


def test_the_state_counts_what_was_received(make_set: Callable[..., Path]) -> None:
    stream = PairStream(make_set(29), batch_size=4)
    for step, _ in enumerate(stream, start=1):
        assert stream.state_dict()["position"] == 4 * step
        if step == 3:
            break
    assert len(epoch_of(stream)) == 29 - 12  # an epoch that was left goes on
    assert stream.epoch == 1


def test_a_foreign_state_is_refused_by_name(make_set: Callable[..., Path]) -> None:
    one, other = make_set(29), make_set(21)
    state = PairStream(one).state_dict()
    with pytest.raises(StreamError, match=f"{open_dataset(one).id}.*{open_dataset(other).id}"):
        PairStream(other).load_state_dict(state)
    with pytest.raises(StreamError, match="another shuffle_seed, where"):
        PairStream(one, shuffle_seed=3, where="index < 9").load_state_dict(state)
    with pytest.raises(StreamError, match="version"):
        PairStream(one).load_state_dict(state | {"version": 9})


@pytest.mark.parametrize(("count", "ranks"), [(16, 4), (17, 4), (19, 4), (21, 4), (3, 2), (9, 2)])
def test_every_rank_gets_as_many_batches_and_nothing_is_lost(
    make_set: Callable[..., Path], count: int, ranks: int
) -> None:
    shares = [list(PairStream(make_set(count), batch_size=2, rank=r, world_size=ranks)) for r in range(ranks)]
    assert len({len(share) for share in shares}) == 1
    assert all(len(batch["key"]) for share in shares for batch in share)
    assert sorted(i for share in shares for part in indices(share) for i in part) == list(range(count))
    dropped = [
        list(PairStream(make_set(count), batch_size=2, rank=r, world_size=ranks, drop_last=True)) for r in range(ranks)
    ]
    assert {len(batch["key"]) for share in dropped for batch in share} <= {2}
    assert {len(share) for share in dropped} == {count // (2 * ranks)}


def test_tombstones_are_never_drawn(any_format: Callable[..., Dataset]) -> None:
    stream = PairStream(any_format(29, dead=(0, 8, 9, 28)), batch_size=4)
    assert stream.samples == 25
    assert sorted(epoch_of(stream)) == sorted(set(range(29)) - {0, 8, 9, 28})


def test_threads_change_nothing(make_set: Callable[..., Path]) -> None:
    one, three = (list(PairStream(make_set(29), batch_size=8, threads=n, flip=True)) for n in (0, 3))
    for a, b in zip(one, three, strict=True):
        assert np.array_equal(a["gt"], b["gt"])
        assert np.array_equal(a["lq"], b["lq"])


def test_a_stream_can_be_pickled_midway(make_set: Callable[..., Path]) -> None:
    stream = PairStream(make_set(29), batch_size=4)
    next(iter(stream))
    copy = pickle.loads(pickle.dumps(stream))
    assert epoch_of(copy) == epoch_of(stream)


def test_arguments_that_do_not_fit(make_set: Callable[..., Path], tmp_path: Path) -> None:
    place = make_set(29)
    for options, message in [
        ({"batch_size": 0}, "batch_size=0 is too small"),
        ({"rank": 2, "world_size": 2}, "rank=2 is not one of"),
        ({"crop": 6}, "no multiple of the scale 4"),
        ({"columns": ["deg.jpeg9.quality"]}, "has no column deg.jpeg9.quality"),
        ({"roles": ["hr"]}, "roles"),
        ({"weights": [1, 2]}, "2 weights for 1"),
        ({"local": "elsewhere"}, "needs one place"),
        ({"skip": ["nobody.png#r0"]}, "skip names 'nobody.png#r0'"),
    ]:
        with pytest.raises(StreamError, match=message):
            PairStream(place, **options)
    with pytest.raises(StreamError, match="needs one place"):
        PairStream()


def test_what_drop_last_leaves_out_ends_the_epoch(make_set: Callable[..., Path]) -> None:
    stream = PairStream(make_set(29), batch_size=8, drop_last=True)
    assert [len(epoch_of(stream)) for _ in range(2)] == [24, 24]
    assert (stream.epoch, stream.state_dict()["position"]) == (2, 0)
    state = PairStream(make_set(29), batch_size=1).state_dict() | {"position": 28}
    stream.load_state_dict(state)
    assert epoch_of(stream) == []
    assert stream.epoch == 1


@pytest.mark.parametrize("ranks", [1, 2])
def test_skipped_keys_leave_all_others_in_their_order(make_set: Callable[..., Path], ranks: int) -> None:
    place = make_set(29)
    whole = epoch_of(PairStream(place, batch_size=4))
    keys = [f"photos/{whole[at]:04d}.png#r0" for at in (0, 5, 6, 20)]
    wanted = [index for at, index in enumerate(whole) if at not in (0, 5, 6, 20)]
    shares = [list(PairStream(place, batch_size=4 // ranks, skip=keys, rank=r, world_size=ranks)) for r in range(ranks)]
    assert flat(map(flat, zip(*map(indices, shares), strict=True))) == wanted
    assert {len(batch["key"]) for batch in shares[0][:-1]} == {4 // ranks}
    skipping = PairStream(place, batch_size=4, skip=keys)
    assert (len(skipping), skipping.samples) == (7, 25)
    assert [pair["index"] for pair in skipping.explain(5)] == wanted[20:24]


def test_keys_can_be_skipped_after_an_interruption(make_set: Callable[..., Path]) -> None:
    place = make_set(29)
    whole = epoch_of(PairStream(place, batch_size=4))
    before = PairStream(place, batch_size=4)
    received = list(islice(before, 3))
    resumed = PairStream(place, batch_size=4, skip=[f"photos/{whole[at]:04d}.png#r0" for at in (2, 13)])
    resumed.load_state_dict(before.state_dict())
    assert flat(indices(received)) + epoch_of(resumed) == whole[:13] + whole[14:]


def test_a_rank_without_a_pair_gets_an_empty_batch(make_set: Callable[..., Path]) -> None:
    shares = [list(PairStream(make_set(3), batch_size=2, rank=rank, world_size=4)) for rank in range(4)]
    assert [batch["gt"].shape for share in shares for batch in share] == [(0, 16, 16, 3)] + [(1, 16, 16, 3)] * 3
    assert sorted(flat(flat(map(indices, shares)))) == [0, 1, 2]


def test_memory_does_not_grow_with_the_epoch(make_set: Callable[..., Path]) -> None:
    """Six thousand pairs of an epoch of 10^12: what is held after them is what was held after the first thousand."""
    stream = PairStream(make_set(29, codec="raw"), batch_size=500, epoch_size=10**12, roles=["lq"])
    tracemalloc.start()
    batches = iter(stream)
    held = []
    for number in range(12):
        next(batches)
        if number in (1, 11):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 50_000
    assert len(stream.explain(10**9)) == 500
