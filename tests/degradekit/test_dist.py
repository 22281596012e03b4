"""Distributions: forms, bounds, exactness of what is drawn, behaviour over time."""

from __future__ import annotations

import json
import math
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from degradekit.dist import (
    Choice,
    Const,
    Dist,
    Histogram,
    Integer,
    Keyframes,
    LogUniform,
    Mixture,
    OverTime,
    Pick,
    PowerUniform,
    Uniform,
    Walk,
    Within,
    Words,
    evaluate,
    parse_dist,
    parse_pick,
)
from degradekit.rng import Draws, sample_key

FORMS = [
    (8, Const(8)),
    ("25/255", Const(25 / 255)),
    ("-pi / 3", Const(-math.pi / 3)),
    (["1/255", "30/255"], Uniform(1 / 255, 30 / 255)),
    ({"uniform": [0, 1]}, Uniform(0, 1)),
    ({"log_uniform": [100, 10000]}, LogUniform(100, 10000)),
    ({"power_uniform": ["1/8", "1/0.8"], "exponent": -1}, PowerUniform(1 / 8, 1.25, -1)),
    ({"power_uniform": [0.5, "8**0.5"], "exponent": 2}, PowerUniform(0.5, 8**0.5, 2)),
    ({"integer": [7, 21], "step": 2}, Integer(7, 21, 2)),
    ({"choice": [7, 9, 11]}, Choice((7, 9, 11))),
    ({"choice": [7, 9], "p": [0.25, 0.75]}, Choice((7, 9), (0.25, 0.75))),
    ({"mixture": [[0.5, 1], 2]}, Mixture((Uniform(0.5, 1), Const(2)))),
    ({"histogram": [0, 1, 4], "weights": [1, 3]}, Histogram((0, 1, 4), (1, 3))),
    ({"uniform": [0, 1], "over_time": "iid"}, Uniform(0, 1, over_time="iid")),
    ({"uniform": [0, 1], "over_time": {"walk": "1/50"}}, Uniform(0, 1, over_time=Walk(0.02))),
    ({"integer": [1, 9], "step": 2, "over_time": {"keyframes": 4}}, Integer(1, 9, 2, over_time=Keyframes(4))),
]


def draws(i: int) -> Draws:
    return Draws(sample_key(3, f"image-{i}", 0), "node")


@pytest.mark.parametrize(("form", "dist"), FORMS, ids=[str(form) for form, _ in FORMS])
def test_a_form_parses_and_its_json_parses_back(form: object, dist: Dist) -> None:
    assert parse_dist(form) == dist
    assert parse_dist(json.loads(json.dumps(dist.to_json()))) == dist


@pytest.mark.parametrize(("form", "dist"), FORMS, ids=[str(form) for form, _ in FORMS])
def test_draws_stay_in_the_support_and_fill_it(form: object, dist: Dist) -> None:
    values = np.array([dist.sample(draws(i), "x") for i in range(2000)])
    lo, hi = dist.support()
    assert values.min() >= lo
    assert values.max() <= hi
    assert values.min() - lo <= 0.02 * (hi - lo) + 1e-12
    assert hi - values.max() <= 0.02 * (hi - lo) + 1e-12


def test_means_are_those_of_the_formulas() -> None:
    n = 4000
    cases: list[tuple[Dist, float, float]] = [
        (Uniform(2, 6), 4, 4 / math.sqrt(12)),
        (LogUniform(1, math.e), math.e - 1, 0.5),
        (PowerUniform(1 / 8, 1, -1), math.log(8) / 7, (1 / 8 - (math.log(8) / 7) ** 2) ** 0.5),
        (PowerUniform(1, 3, 2), 13 / 6, (5 - (13 / 6) ** 2) ** 0.5),
        (Integer(7, 21, 2), 14, 4.6),
        (Choice((0, 10), (0.3, 0.7)), 7, 4.6),
        (Mixture((Uniform(0.5, 1), Uniform(1, 4)), (0.5, 0.5)), 0.5 * 0.75 + 0.5 * 2.5, 1.1),
        (Histogram((0, 1, 3), (1, 1)), 0.5 * 0.5 + 0.5 * 2, 0.9),
    ]
    for dist, mean, sd in cases:
        got = np.mean([dist.sample(draws(i), "x") for i in range(n)])
        assert abs(got - mean) < 4 * sd / math.sqrt(n), dist


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.integers(0, 10**6))
def test_uniform_never_leaves_its_closed_interval(low: float, width: float, i: int) -> None:
    dist = Uniform(low, low + width)
    assert low <= dist.sample(draws(i), "x") <= low + width


def test_over_time() -> None:
    u = draws(0)
    assert isinstance(Uniform(0, 1).draw(u, "x", t=9), float)
    assert isinstance(Uniform(0, 1, over_time="iid").draw(u, "x", t=1), float)
    iid = Uniform(0, 1, over_time="iid").draw(u, "x", t=50)
    assert isinstance(iid, tuple)
    assert len(set(iid)) == 50
    walk = Uniform(0, 1, over_time=Walk(0.3)).draw(u, "x", t=50)
    assert isinstance(walk, tuple)
    steps = np.diff(walk)
    assert np.abs(steps).max() <= 0.3
    assert np.abs(steps).max() > 0.2
    assert 0 <= min(walk) <= max(walk) <= 1


@given(st.integers(1, 12), st.integers(2, 40), st.integers(0, 10**6))
def test_between_key_frames_numbers_lie_on_a_straight_line(every: int, t: int, i: int) -> None:
    dist = Uniform(-2, 5, over_time=Keyframes(every))
    values = dist.draw(draws(i), "x", t=t)
    assert isinstance(values, tuple)
    assert len(values) == t
    for k in range(0, t, every):
        assert values[k] == dist.sample(draws(i), "x", k // every)
    bends = np.diff(values, n=2)
    assert np.abs(np.delete(bends, np.s_[every - 1 :: every])).max(initial=0) < 1e-12
    assert every > 1 or values == Uniform(-2, 5, over_time="iid").draw(draws(i), "x", t=t)


def test_whole_numbers_stay_whole_while_they_move() -> None:
    for over_time in (Keyframes(7), Walk(4)):
        values = Integer(7, 21, 2, over_time=over_time).draw(draws(0), "x", t=40)
        assert isinstance(values, tuple)
        assert set(values) <= set(range(7, 22, 2))
        assert len(set(values)) > 2
        assert np.abs(np.diff(values)).max() <= 14
    assert isinstance(Integer(7, 21, 2, over_time=Keyframes(7)).draw(draws(0), "x"), int)


@pytest.mark.parametrize("over_time", ["iid", Walk(0.1), Keyframes(4)])
def test_a_frame_does_not_depend_on_the_clip_length(over_time: OverTime) -> None:
    dist = Uniform(0, 1, over_time=over_time)
    short, long = dist.draw(draws(1), "x", t=3), dist.draw(draws(1), "x", t=9)
    assert isinstance(short, tuple)
    assert isinstance(long, tuple)
    assert long[:3] == short


def test_words() -> None:
    assert parse_pick("area") == Pick(("area",))
    assert parse_pick(["a", "b"]).draw(draws(0), "mode") in ("a", "b")
    pick = parse_pick({"a": 0.9, "b": 0.1})
    count = sum(pick.draw(draws(i), "mode") == "a" for i in range(2000))
    assert abs(count - 1800) < 4 * math.sqrt(2000 * 0.09)
    assert parse_pick(pick.to_json()) == pick
    with pytest.raises(ValueError, match="unknown word 'bicubik'"):
        Words("area", "bicubic")("bicubik")


BAD = [
    ([3, 1], "lower end 3 is above the upper end 1"),
    ({"uniform": [0, 1], "p": [1]}, "uniform does not know"),
    ({"unifrom": [0, 1]}, "is no distribution"),
    ({"log_uniform": [0, 1]}, "above 0"),
    ({"power_uniform": [0, 1], "exponent": 2}, "above 0"),
    ({"power_uniform": [1, 2], "exponent": 0}, "write log_uniform"),
    ({"power_uniform": [1, 2]}, "needs an exponent"),
    ({"integer": [7, 20], "step": 2}, "not reached"),
    ({"integer": [0.5, 2]}, "whole numbers"),
    ({"choice": []}, "at least one value"),
    ({"choice": [1, 2], "p": [0.6, 0.6]}, "sum to 1.2"),
    ({"choice": [1, 2], "p": [1]}, "1 probabilities for 2"),
    ({"choice": [1, 2], "p": [1.5, -0.5]}, "0 or more, not -0.5"),
    ({"histogram": [0, 1], "weights": [1, 2]}, "rising edges"),
    ({"uniform": [0, 1], "over_time": "sometimes"}, "over_time is hold, iid, "),
    ({"uniform": [0, 1], "over_time": {"keyframes": 0}}, "1 or more, not 0"),
    ({"uniform": [0, 1], "over_time": {"keyframes": 2.5}}, "whole number of frames"),
    ({"choice": [1, 2], "over_time": {"walk": 1}}, "nothing between its values"),
    ([1, 2, 3], "two ends"),
    ("__import__('os')", "is not a number"),
    ("1/0", "is not a number"),
    (True, "is not a number"),
    (None, "is not a number"),
    (float("nan"), "finite"),
]


@pytest.mark.parametrize(("form", "message"), BAD, ids=[str(form) for form, _ in BAD])
def test_a_bad_form_is_refused_with_a_reason(form: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_dist(form)


def test_within_checks_the_whole_support() -> None:
    sigma = Within(0, 1, hint="sigma is in [0, 1]: write 40/255")
    assert sigma(["1/255", "40/255"]) == Uniform(1 / 255, 40 / 255)
    with pytest.raises(ValueError, match=r"40 is above 1; sigma is in \[0, 1\]: write 40/255"):
        sigma([1, 40])
    with pytest.raises(ValueError, match="-1 is below 0"):
        sigma({"mixture": [0.5, [-1, 0]]})
    odd = Within(1, 51, odd=True)
    for form in (21, {"integer": [7, 21], "step": 2}, {"choice": [7, 9]}, {"mixture": [3, 5]}):
        odd(form)
    moving = {"mixture": [3, 5], "over_time": {"keyframes": 2}}
    for form in (20, [7, 21], {"integer": [7, 21]}, {"choice": [7, 8]}, moving):
        with pytest.raises(ValueError, match="odd whole numbers"):
            odd(form)


def test_a_pydantic_field_validates_serialises_and_has_a_schema() -> None:
    class Model(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        sigma_range: Annotated[Dist, Within(0, 1)]
        mode: Annotated[Pick, Words("area", "bicubic")] = Pick(("area",))

    model = Model.model_validate({"sigma_range": [0, "1/2"]})
    assert model.model_dump(mode="json") == {"sigma_range": [0, 0.5], "mode": "area"}
    assert Model.model_validate(model.model_dump(mode="json")) == model
    schema = Model.model_json_schema()
    assert schema["required"] == ["sigma_range"]
    assert {"enum": ["area", "bicubic"]} in schema["properties"]["mode"]["anyOf"]
    with pytest.raises(ValidationError, match="is above 1"):
        Model.model_validate({"sigma_range": [0, 2]})


def test_expressions() -> None:
    assert evaluate("2*(1+3)/4") == 2
    assert evaluate("2**3") == 8
    assert evaluate("+pi") == math.pi
    for text in ("", "a", "1;2", "pi()", "[1]", "1e400", "True"):
        with pytest.raises(ValueError, match="number"):
            evaluate(text)
