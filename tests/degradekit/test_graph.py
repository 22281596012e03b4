"""Combinators: what runs, in which order, with which draws."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.dist import Dist, Integer, Within, parse_dist
from degradekit.graph import Chain, Maybe, Node, OneOf, Repeat, Shuffle, Step, leaves, place, resolve
from degradekit.ops.base import Draw, Op
from degradekit.rng import Draws, sample_key
from degradekit.types import FloatImage, Geometry


@dataclass(frozen=True, slots=True)
class ShrinkDraw(Draw):
    """Takes px off the width."""

    name: ClassVar[str] = "shrink"
    px: int

    def apply(self, x: FloatImage) -> FloatImage:
        return x[:, :, self.px :]

    def out_geometry(self, g: Geometry) -> Geometry:
        return g.resized(g.h, g.w - self.px)


class Shrink(Op):
    """Takes px off the width."""

    name: ClassVar[str] = "shrink"
    draws: ClassVar[type[Draw]] = ShrinkDraw
    px: Annotated[Dist, Within(0, 10, integer=True)] = Integer(0, 3)

    def draw(self, u: Draws, g: Geometry) -> ShrinkDraw:
        return ShrinkDraw(int(self.px.sample(u, "px")))


A, B, C = (Shrink(px=parse_dist(i)) for i in (1, 2, 3))
START = Geometry(1, 32, 100)


def run(node: Node, i: int = 0) -> tuple[list[Step], Geometry]:
    return resolve(node, Draws(sample_key(0, f"image-{i}", 0)), "", START)


def paths(node: Node, i: int = 0) -> list[str]:
    return [step.at for step in run(node, i)[0]]


def test_a_chain_runs_in_order_and_carries_geometry() -> None:
    steps, g = run(Chain((("a", A), ("b", B), ("inner", Chain((("c", C),))))))
    assert [step.at for step in steps] == ["a", "b", "inner/c"]
    assert g.size == (32, 94)
    assert g.source == (32, 100)


def test_one_of_runs_one_branch_at_its_rate() -> None:
    node = Chain((("x", OneOf((("a", A), ("b", B), ("never", C)), (0.3, 0.7, 0.0))),))
    counts = Counter(paths(node, i)[0] for i in range(2000))
    assert set(counts) == {"x:a", "x:b"}
    assert abs(counts["x:a"] - 600) < 4 * (2000 * 0.21) ** 0.5


def test_maybe_runs_at_its_rate_and_keeps_the_path() -> None:
    node = Chain((("x", Maybe(0.8, A)),))
    ran = [paths(node, i) for i in range(2000)]
    assert {tuple(p) for p in ran} == {(), ("x",)}
    assert abs(sum(map(len, ran)) - 1600) < 4 * (2000 * 0.16) ** 0.5


def test_shuffle_runs_all_in_every_order_equally() -> None:
    node = Chain((("s", Shuffle((("a", A), ("b", B), ("c", C)))),))
    counts = Counter(tuple(paths(node, i)) for i in range(3000))
    assert len(counts) == 6
    assert max(abs(count - 500) for count in counts.values()) < 4 * (3000 * 5 / 36) ** 0.5


def test_adding_a_child_to_a_shuffle_keeps_the_order_of_the_others() -> None:
    two = Chain((("s", Shuffle((("a", A), ("b", B)))),))
    three = Chain((("s", Shuffle((("a", A), ("b", B), ("c", C)))),))
    for i in range(50):
        assert [p for p in paths(three, i) if p != "s/c"] == paths(two, i)


def test_repeat_draws_anew_each_time() -> None:
    node = Chain((("r", Repeat(parse_dist(3), Shrink())),))
    assert paths(node) == ["r[0]", "r[1]", "r[2]"]
    drawn = [tuple(step.draw.to_json()["px"] for step in run(node, i)[0]) for i in range(40)]
    assert any(len(set(px)) > 1 for px in drawn)
    counts = Counter(len(paths(Chain((("r", Repeat(Integer(0, 2), A)),)), i)) for i in range(300))
    assert set(counts) == {0, 1, 2}


@given(st.integers(0, 10**9))
def test_draws_depend_on_names_alone(i: int) -> None:
    """Another node beside, before or after a node moves none of its draws."""
    node = Shrink()
    alone = run(Chain((("x", node),)), i)[0][0]
    crowded = run(Chain((("before", B), ("x", node), ("after", Maybe(0.5, C)))), i)[0]
    assert alone in crowded


def test_leaves_name_everything_that_can_run() -> None:
    node = Chain((("x", OneOf((("a", A), ("b", Chain((("c", C),)))), ())), ("r", Repeat(Integer(1, 2), Maybe(0.5, A)))))
    assert [at for at, _ in leaves(node)] == ["x:a", "x:b/c", "r[0]", "r[1]"]
    possible = {at for at, _ in leaves(node)}
    assert {at for i in range(200) for at in paths(node, i)} == possible


@pytest.mark.parametrize(
    ("at", "where"),
    [("a", "a"), ("a/b", "a.b"), ("a:x", "a"), ("a:x/b", "a.b"), ("a:x:y/b[1]:z", "a.b[1]"), ("a:x[0]/b", "a[0].b")],
)
def test_place(at: str, where: str) -> None:
    assert place(at) == where
