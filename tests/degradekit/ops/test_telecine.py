"""Telecine: AA BB BC CD DD."""

from __future__ import annotations

import numpy as np
import pytest

from degradekit.ops.telecine import TelecineDraw

CLIP = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1).repeat(4, axis=1)


def fields(draw: TelecineDraw) -> list[tuple[int, int]]:
    y = draw.apply(CLIP)[:, :, 0, 0].astype(int)
    np.testing.assert_array_equal(y[:, :2], y[:, 2:])
    return [(int(a), int(b)) for a, b in y[:, :2]]


def test_two_cycles() -> None:
    assert fields(TelecineDraw(0, "odd")) == [
        (0, 0), (1, 1), (1, 2), (2, 3), (3, 3), (5, 5), (6, 6), (6, 7), (7, 8), (8, 8),
    ]  # fmt: skip


def test_the_second_field_may_be_the_even_lines() -> None:
    assert fields(TelecineDraw(0, "even"))[2:4] == [(2, 1), (3, 2)]


@pytest.mark.parametrize("phase", range(5))
def test_no_frame_lags_more_than_one(phase: int) -> None:
    found = fields(TelecineDraw(phase, "odd"))
    assert all(t - 1 <= film <= t for t, pair in enumerate(found) for film in pair)
    assert sum(a != b for a, b in found) in (3, 4)


def test_an_image_and_a_still_clip_stay() -> None:
    np.testing.assert_array_equal(TelecineDraw(3, "odd").apply(CLIP[:1]), CLIP[:1])
    still = np.repeat(np.random.default_rng(0).random((1, 5, 6, 3), np.float32), 7, axis=0)
    np.testing.assert_array_equal(TelecineDraw(2, "even").apply(still), still)
