"""Combinators: how ops are put together, and how a tree of them resolves into a flat list of steps.

Choices are made when a plan is drawn, so nothing branches while pixels are touched. A node's path is its identity,
for randomness and for columns:

* ``a/b`` is the child ``b`` of the chain or shuffle ``a``;
* ``a:b`` is the branch ``b`` of the choice ``a``: it runs *at the place* ``a``, so both branches of ``noise1`` share
  the columns ``deg.noise1.*``;
* ``a[1]`` is the second repetition of ``a``.

A blend is one step that holds the steps of its children, so that a plan stays a flat list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from degradekit.dist import Dist
from degradekit.ops.base import Op
from degradekit.rng import Draws
from degradekit.steps import Mask, Step
from degradekit.types import Geometry

__all__ = [
    "Blend",
    "Chain",
    "Children",
    "Maybe",
    "Node",
    "OneOf",
    "Repeat",
    "Shuffle",
    "Step",
    "leaves",
    "place",
    "resolve",
]


@dataclass(frozen=True, slots=True)
class Chain:
    """Children run one after another."""

    children: Children


@dataclass(frozen=True, slots=True)
class OneOf:
    """One child runs, chosen with probability ``p``; ``p`` empty means equal chances."""

    children: Children
    p: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Maybe:
    """The child runs with probability ``p``."""

    p: float
    child: Node


@dataclass(frozen=True, slots=True)
class Shuffle:
    """All children run, in a uniformly random order.

    Args:
        children: What runs.
        before: Pairs of names (first, second). Where the shuffle put the second one first, the two swap their places,
            until every pair is in order. With one pair, all orders that keep it are equally likely.
    """

    children: Children
    before: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.children]
        for name in (name for pair in self.before for name in pair):
            if name not in names:
                raise ValueError(f"before names {name!r}, which is no child of this shuffle")
        try:
            TopologicalSorter({second: [a for a, b in self.before if b == second] for second in names}).prepare()
        except CycleError as error:
            raise ValueError(f"before asks for a circle: {' before '.join(error.args[1])}") from error


@dataclass(frozen=True, slots=True)
class Repeat:
    """The child runs ``n`` times, each time with draws of its own."""

    n: Dist
    child: Node


@dataclass(frozen=True, slots=True)
class Blend:
    """The child acts on the part of the picture that the mask says; it keeps the size and moves no pixels."""

    mask: Mask
    child: Chain


Node: TypeAlias = Op | Blend | Chain | OneOf | Maybe | Shuffle | Repeat
Children: TypeAlias = tuple[tuple[str, Node], ...]


def resolve(node: Node, u: Draws, at: str, g: Geometry) -> tuple[list[Step], Geometry]:
    """Draw a tree into the steps that run.

    Args:
        node: The tree.
        u: Keyed draws of the sample; only its key is used, every node draws under its own path.
        at: Path of ``node``.
        g: Geometry of the clip that arrives.

    Returns:
        The steps in the order in which they run, and the geometry after them.
    """
    here = u.at(at)
    match node:
        case Chain(children=children):
            return _run(children, u, at, g)
        case Shuffle():
            return _run(_permuted(node, here), u, at, g)
        case OneOf(children=children, p=p):
            name, child = children[_branch(p, len(children), here)]
            return resolve(child, u, f"{at}:{name}", g)
        case Maybe(p=p, child=child):
            return resolve(child, u, at, g) if here.uniform("happens") < p else ([], g)
        case Repeat(n=n, child=child):
            steps: list[Step] = []
            for i in range(int(n.sample(here, "n"))):
                more, g = resolve(child, u, f"{at}[{i}]", g)
                steps += more
            return steps, g
        case Blend(mask=mask, child=child):
            inner, _ = resolve(child, u, at, g)
            return ([Step(at, replace(mask.draw(here, g), steps=tuple(inner)))] if inner else []), g
        case Op():
            draw = node.draw(here, g)
            return [Step(at, draw)], draw.out_geometry(g)


def leaves(node: Node, at: str = "") -> Iterator[tuple[str, Op]]:
    """Every op that a plan of this tree can hold, with its path."""
    match node:
        case Chain(children=children) | Shuffle(children=children):
            for name, child in children:
                yield from leaves(child, _join(at, name))
        case OneOf(children=children):
            for name, child in children:
                yield from leaves(child, f"{at}:{name}")
        case Maybe(child=child):
            yield from leaves(child, at)
        case Repeat(n=n, child=child):
            for i in range(int(n.support()[1])):
                yield from leaves(child, f"{at}[{i}]")
        case Blend(mask=mask, child=child):
            yield at, mask
            yield from leaves(child, at)
        case Op():
            yield at, node


def place(at: str) -> str:
    """The place that a path's parameters are recorded at: branch names are left out, ``/`` becomes ``.``.

    Example:
        >>> place("blur1:sinc:small"), place("stage[1]/noise:gaussian"), place("final/jpeg")
        ('blur1', 'stage[1].noise', 'final.jpeg')
    """
    return re.sub(r":[^/\[]*", "", at).replace("/", ".")


def _run(children: Children, u: Draws, at: str, g: Geometry) -> tuple[list[Step], Geometry]:
    steps: list[Step] = []
    for name, child in children:
        more, g = resolve(child, u, _join(at, name), g)
        steps += more
    return steps, g


def _permuted(node: Shuffle, u: Draws) -> Children:
    """Sort by one keyed number per child: uniform over orders, and adding a child leaves the others' order alone."""
    order = sorted(node.children, key=lambda child: u.uniform(f"order.{child[0]}"))
    while wrong := _first_wrong([name for name, _ in order], node.before):
        # Ends, because a swap takes inversions away from any order that keeps all pairs.
        i, j = wrong
        order[i], order[j] = order[j], order[i]
    return tuple(order)


def _first_wrong(names: list[str], before: tuple[tuple[str, str], ...]) -> tuple[int, int] | None:
    places = ((names.index(first), names.index(second)) for first, second in before)
    return next(((i, j) for i, j in places if i > j), None)


def _branch(p: tuple[float, ...], count: int, u: Draws) -> int:
    if not p:
        return u.integer("branch", count)
    remaining = u.uniform("branch") * sum(p)
    for i, chance in enumerate(p):
        remaining -= chance
        if remaining < 0:
            return i
    return max(i for i, chance in enumerate(p) if chance > 0)


def _join(at: str, name: str) -> str:
    return f"{at}/{name}" if at else name
