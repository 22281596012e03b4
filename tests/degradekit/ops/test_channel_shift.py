"""Channel shift: constants, one for each channel."""

from __future__ import annotations

import numpy as np

from degradekit.ops.channel_shift import ChannelShift, ChannelShiftDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import Geometry

X = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)


def test_no_shift_is_the_identity() -> None:
    np.testing.assert_array_equal(ChannelShiftDraw(0, 0, 0).apply(X), X)


def test_each_channel_gets_its_own_and_saturates() -> None:
    x = np.full((1, 1, 1, 3), 0.5, np.float32)
    np.testing.assert_allclose(ChannelShiftDraw(0.1, -0.6, 0.7).apply(x).ravel(), [0.6, 0, 1], atol=1e-6)


def test_frames_have_their_own_shift() -> None:
    y = ChannelShiftDraw((0.0, 1.0), 0, 0).apply(X)
    np.testing.assert_array_equal(y[0], X[0])
    assert (y[1, ..., 0] == 1).all()


def test_channels_are_drawn_apart_from_the_whole_range() -> None:
    op = ChannelShift.model_validate({"shift_range": ["-20/255", "20/255"]})
    draws = [op.draw(Draws(sample_key(0, str(i), 0), "cast"), Geometry(1, 8, 8)) for i in range(400)]
    red, green, blue = (np.array([getattr(d, c) for d in draws]) * 255 for c in ("red", "green", "blue"))
    for values in (red, green, blue):
        assert abs(values.mean()) < 4 * 40 / 12**0.5 / 20
        assert values.min() < -18 and values.max() > 18
    assert max(abs(np.corrcoef(a, b)[0, 1]) for a, b in ((red, green), (green, blue), (red, blue))) < 0.2
