"""Combinators: what runs, in which order, with which draws."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.dist import Dist, Integer, Within, parse_dist
from degradekit.errors import RecipeError
from degradekit.graph import Chain, Maybe, Node, OneOf, Repeat, Shuffle, Step, leaves, place, resolve
from degradekit.ops.base import Draw, Op
from degradekit.recipe import parse_recipe
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


def test_a_shuffle_keeps_one_before_another_and_all_such_orders_are_equally_likely() -> None:
    node = Chain((("s", Shuffle((("a", A), ("b", B), ("c", C)), before=(("c", "a"),))),))
    counts = Counter("".join(p[-1] for p in paths(node, i)) for i in range(3000))
    assert set(counts) == {"cab", "cba", "bca"}
    assert max(abs(count - 1000) for count in counts.values()) < 4 * (3000 * 2 / 9) ** 0.5


def test_two_that_stand_the_wrong_way_swap_and_the_others_stay() -> None:
    free = Shuffle((("a", A), ("b", B), ("c", C)))
    bound = Shuffle(free.children, before=(("a", "b"),))
    swapped = str.maketrans("ab", "ba")
    for i in range(50):
        order = "".join(p[-1] for p in paths(Chain((("s", free),)), i))
        expected = order if order.index("a") < order.index("b") else order.translate(swapped)
        assert "".join(p[-1] for p in paths(Chain((("s", bound),)), i)) == expected


@given(st.integers(0, 10**9), st.permutations("abcdef"), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_all_pairs_are_in_order_in_the_end(i: int, ranks: list[str], pairs: set[tuple[int, int]]) -> None:
    before = tuple((ranks[low], ranks[high]) for low, high in sorted(pairs) if low < high)
    order = [p[-1] for p in paths(Chain((("s", Shuffle(tuple((name, A) for name in "abcdef"), before)),)), i)]
    assert sorted(order) == list("abcdef")
    assert all(order.index(first) < order.index(second) for first, second in before)


SHUFFLED = """
scale: 1
options: {{blur: true}}
degrade:
  mix:
    shuffle:
      first: {{op: brightness, factor_range: 1}}
      blur: {{when: blur, op: gaussian_blur, size_range: 7, sigma_x_range: 1}}
      last: {{op: contrast, factor_range: 1}}
    before: {before}
"""


def test_a_recipe_writes_the_pairs_and_they_count_in_its_digest() -> None:
    free = parse_recipe(SHUFFLED.format(before="[]"))
    bound = parse_recipe(SHUFFLED.format(before="[[first, last], [first, blur]]"))
    assert free.digest != bound.digest
    for i in range(20):
        plan = bound.draw(key=str(i), geometry=Geometry(1, 32, 32))
        assert plan.degrade[0].at == "mix/first"
    without = parse_recipe(SHUFFLED.format(before="[[blur, last]]"), options={"blur": False})
    assert without.to_json()["degrade"] == parse_recipe(free.text, options={"blur": False}).to_json()["degrade"]


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("[[first, nobody]]", "names 'nobody', which is no child"),
        ("[[first, blur], [blur, last], [last, first]]", "asks for a circle"),
        ("[first, last]", r"write \[\[first, second\]\]"),
        ("[[first, first]]", "no list of pairs"),
    ],
)
def test_pairs_that_mean_nothing_are_refused(before: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(SHUFFLED.format(before=before))


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
