from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from degradekit.fields import uniform_field
from degradekit.ops.salt_pepper import SaltPepper, SaltPepperDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage

FIELD = Draws(sample_key(0, "cat.png", 0), "specks").field("specks")


def grey(t: int = 1) -> FloatImage:
    return np.full((t, 200, 200, 3), 0.5, np.float32)


def test_no_chance_changes_nothing() -> None:
    x = np.random.default_rng(0).uniform(-1, 2, (1, 20, 30, 3)).astype(np.float32)
    np.testing.assert_array_equal(SaltPepperDraw(0.0, 0.0, "pixel", FIELD).apply(x), x)


def test_all_salt_is_white_and_all_pepper_is_black() -> None:
    assert (SaltPepperDraw(1.0, 0.0, "channel", FIELD).apply(grey()) == 1).all()
    assert (SaltPepperDraw(0.0, 1.0, "pixel", FIELD).apply(grey()) == 0).all()
    half = SaltPepperDraw(0.5, 0.5, "channel", FIELD).apply(grey())
    assert set(np.unique(half)) == {0, 1}


@pytest.mark.parametrize("per", ["pixel", "channel"])
def test_specks_have_their_chances(per: str) -> None:
    y = SaltPepperDraw(0.05, 0.02, per, FIELD).apply(grey())
    places = 200 * 200 * (3 if per == "channel" else 1)
    assert (y == 1).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 / places))
    assert (y == 0).mean() == pytest.approx(0.02, abs=4 * np.sqrt(0.02 / places))
    together = ((y == 1).all(axis=-1) | (y == 0).all(axis=-1) | (y == 0.5).all(axis=-1)).all()
    assert together == (per == "pixel")


def test_specks_are_where_the_field_says() -> None:
    u = uniform_field(FIELD, 2 * 200 * 200).reshape(2, 200, 200, 1)
    expected = np.where(u < 0.1, 0, np.where(u >= 0.8, 1, 0.5)).repeat(3, axis=-1)
    np.testing.assert_array_equal(SaltPepperDraw(0.2, 0.1, "pixel", FIELD).apply(grey(2)), expected)


def test_frames_may_differ_in_density() -> None:
    y = SaltPepperDraw((0.0, 0.5), 0.0, "pixel", FIELD).apply(grey(2))
    assert (y[0] == 0.5).all()
    assert (y[1] == 1).mean() == pytest.approx(0.5, abs=0.02)


def test_more_than_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="together reach more than 1"):
        SaltPepper.model_validate({"salt_range": [0, 0.7], "pepper_range": 0.4})
