"""The op: against published code's numbers, identity, series over time, what a recipe may not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from degradekit.ops.unsharp_mask import UnsharpMask, UnsharpMaskDraw
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry

GOLDEN = Path(__file__).parents[2] / "golden" / "unsharp_mask.npz"


def draw(t: int = 1, **ranges: Any) -> UnsharpMaskDraw:
    given = {"size": 51, "amount_range": 0.5, "threshold_range": "10/255"} | ranges
    return UnsharpMask.model_validate(given).draw(Draws(sample_key(0, "a", 0), "sharpen"), Geometry(t, 32, 32))


def noise(t: int = 1) -> FloatImage:
    return np.random.default_rng(0).random((t, 40, 50, 3), dtype=np.float32)


@pytest.mark.parametrize(("name", "amount", "threshold"), [("w05_t10", 0.5, "10/255"), ("w08_t5", 0.8, "5/255")])
def test_equals_basicsr_within_half_a_level(name: str, amount: float, threshold: str) -> None:
    with np.load(GOLDEN) as golden:
        x = golden["image"][None] / np.float32(255)
        y = draw(amount_range=amount, threshold_range=threshold).apply(x)
        assert np.abs(y[0, ::3, ::3] - golden[name]).max() < 0.5 / 255


def test_amount_0_leaves_the_image() -> None:
    x = noise()
    assert draw(amount_range=0).apply(x) is x


def test_a_threshold_of_1_leaves_the_image() -> None:
    np.testing.assert_array_equal(draw(threshold_range=1).apply(noise()), noise())


def test_sigma_0_is_opencvs_rule() -> None:
    assert draw().sigma == 8.0
    assert draw(size=7).sigma == 1.4
    assert draw(sigma=2.5).sigma == 2.5


def test_edges_become_steeper_and_flat_areas_stay() -> None:
    x = np.full((1, 64, 200, 3), 0.3, np.float32)
    x[:, :, 100:] = 0.7
    y = draw().apply(x)
    assert y[0, 32, 100, 0] - y[0, 32, 99, 0] > 0.54
    np.testing.assert_allclose(y[:, :, :40], x[:, :, :40], atol=1e-6)


def test_an_amount_for_each_frame() -> None:
    step = draw(t=3, amount_range={"uniform": [0.2, 2], "over_time": "iid"})
    assert isinstance(step.amount, tuple)
    y = step.apply(noise(3))
    for t, amount in enumerate(step.amount):
        alone = UnsharpMaskDraw(51, 8.0, amount, step.threshold).apply(noise(3)[t : t + 1])
        np.testing.assert_array_equal(y[t], alone[0])


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"size": 50}, "no centre: write an odd number, such as 51"),
        ({"size": 0}, "greater than or equal to 1"),
        ({"threshold_range": 10}, "write 10/255"),
        ({"amount_range": -1}, "below 0"),
        ({"sigma": -1}, "greater than or equal to 0"),
        ({"radius": 3}, "Extra inputs"),
    ],
)
def test_what_a_recipe_may_not_say(ranges: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        draw(**ranges)
