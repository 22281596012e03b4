from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from degradekit.errors import StreamError
from degradekit.stream import PairStream
from degradekit.stream.report import Clock


@pytest.mark.parametrize(
    ("clock", "by", "words"),
    [
        (Clock(0, 10, 100, read=0.1, decode=0.2, waited=0.3, used=9.0), "trainer", "keeps up"),
        (Clock(0, 10, 100, read=2.0, decode=1.0, waited=3.0, used=1.0), "reading", "local disk"),
        (Clock(0, 10, 100, read=0.5, decode=2.5, waited=3.0, used=1.0), "decoding", "raw+lz4"),
        (Clock(4, 10, 100, read=4.0, decode=9.0, waited=3.0, used=1.0), "decoding", "workers"),
        (Clock(4, 10, 100, read=1.0, decode=1.0, waited=3.0, used=1.0), "handover", "pin_memory"),
    ],
)
def test_what_holds_training_up(clock: Clock, by: str, words: str) -> None:
    stall = clock.stall()
    assert stall.by == by
    assert words in stall.advice
    assert stall.advice in str(stall)
    assert stall.read == pytest.approx(10 * clock.read)
    assert stall.waiting == pytest.approx(clock.waited / (clock.waited + clock.used))


def test_a_stream_measures_itself(make_set: Callable[..., Path]) -> None:
    stream = PairStream(make_set(29), batch_size=4)
    with pytest.raises(StreamError, match="no batch was received yet"):
        stream.stalls()
    batches = list(stream)
    clock = stream.clock
    assert (clock.batches, clock.pairs, clock.workers) == (8, 29, 0)
    assert clock.read + clock.decode == pytest.approx(sum(map(sum, (batch["seconds"] for batch in batches))))
    assert clock.waited >= clock.read + clock.decode
    assert stream.stalls().waiting > 0
