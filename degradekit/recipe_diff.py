"""What differs between two recipes, and what that does to the draws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from degradekit.canonical import canonical_json
from degradekit.recipe import Recipe
from degradekit.survey import Column, Survey, survey
from degradekit.types import Array

__all__ = ["Change", "Effect", "RecipeDiff", "compare_recipes"]

_GROUPS = ("chain", "shuffle", "one_of")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that the recipes say differently.

    Args:
        path: Where, such as ``degrade/blur1:iso.sigma_x_range``.
        was: What the first recipe says; empty where it does not have it.
        now: What the second one says; empty where it does not have it.
    """

    path: str
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that is drawn differently.

    Args:
        name: A column, or the path of a node for how often it runs.
        was: 5 %, median and 95 % of the first recipe's numbers, or its shares of words.
        now: The same of the second one's.
        shares: In which share of the plans either has it.
        size: Largest difference of the cumulative shares (Kolmogorov-Smirnov's D) of numbers, half of the summed
            difference (total variation) of words, difference of the rates of nodes: 0 is none, 1 nothing in common.
    """

    name: str
    was: dict[str, float]
    now: dict[str, float]
    shares: tuple[float, float]
    size: float


@dataclass(frozen=True, slots=True)
class RecipeDiff:
    """Two recipes compared.

    Args:
        changes: What they say differently.
        rates: Nodes that run in another share of the plans.
        effects: Columns whose numbers or words differ, largest difference first.
        plans: How many plans were drawn of each.
    """

    changes: tuple[Change, ...]
    rates: tuple[Effect, ...]
    effects: tuple[Effect, ...]
    plans: int

    def to_json(self) -> dict[str, Any]:
        """JSON value."""
        return asdict(self)


def compare_recipes(first: Recipe, second: Recipe, plans: int = 2000) -> RecipeDiff:
    """Compare what two recipes say and what they draw.

    Both draw plans for the same keys under the same seed, so a column that neither change reaches has the very same
    numbers in both and is left out: what is listed is an effect, not chance.

    Args:
        first: Compared from.
        second: Compared to; it should have the seed of the first.
        plans: Plans to draw of each.

    Example:
        >>> from degradekit.recipe import load_recipe, parse_recipe
        >>> text = load_recipe("classical").text
        >>> found = compare_recipes(parse_recipe(text), parse_recipe(text.replace("[40, 95]", "[60, 95]")), plans=200)
        >>> found.changes
        (Change(path='degrade/jpeg.quality_range', was='[40,95]', now='[60,95]'),)
        >>> [effect.name for effect in found.effects]
        ['deg.jpeg.quality']
    """
    changes = tuple(_recipe_changes(first, second))
    drawn = survey(first, plans), survey(second, plans)
    rates = sorted(_rate_effects(*drawn), key=lambda effect: -effect.size)
    effects = sorted(_column_effects(*drawn), key=lambda effect: -effect.size)
    return RecipeDiff(changes, tuple(rates), tuple(effects), plans)


def _recipe_changes(first: Recipe, second: Recipe) -> Iterator[Change]:
    a, b = first.to_json(), second.to_json()
    yield from _values("", {"scale": a["scale"]}, {"scale": b["scale"]})
    yield from _values("options", first.options, second.options)
    yield from _values("extract", a["extract"], b["extract"])
    for tree in ("target", "degrade"):
        yield from _node_changes(tree, a[tree], b[tree])


def _node_changes(path: str, a: dict[str, Any], b: dict[str, Any]) -> Iterator[Change]:
    (more_a, a), (more_b, b) = _peeled(a), _peeled(b)
    yield from _values(path, more_a, more_b)
    kind = next(key for key in (*_GROUPS, "op") if key in a)
    if kind not in b or (kind == "op" and a["op"] != b["op"]):
        yield Change(path, _words(a), _words(b))
    elif kind == "op":
        yield from _values(path, {"version": a["version"], **a["ranges"]}, {"version": b["version"], **b["ranges"]})
    else:
        yield from _children_changes(path, kind, a, b)


def _children_changes(path: str, kind: str, a: dict[str, Any], b: dict[str, Any]) -> Iterator[Change]:
    mark = ":" if kind == "one_of" else "/"
    ours, theirs = dict(a[kind]), dict(b[kind])
    for name, node in ours.items():
        if name not in theirs:
            yield Change(f"{path}{mark}{name}", _words(node), "")
    for name, node in theirs.items():
        if name not in ours:
            yield Change(f"{path}{mark}{name}", "", _words(node))
    common = [[name for name in names if name in ours and name in theirs] for names in (ours, theirs)]
    if kind == "chain" and common[0] != common[1]:
        yield Change(f"{path} order", " ".join(common[0]), " ".join(common[1]))
    yield from _values(path, {"before": a.get("before")}, {"before": b.get("before")})
    for name in common[0]:
        chances = ({"p": _chance(tree, kind, name)} for tree in (a, b))
        yield from _values(f"{path}{mark}{name}", *chances)
        yield from _node_changes(f"{path}{mark}{name}", ours[name], theirs[name])


def _peeled(node: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is around a node (p, repeat, mask), and the node."""
    around: dict[str, Any] = {}
    while "node" in node:
        around |= {key: value for key, value in node.items() if key != "node"}
        node = node["node"]
    return around, node


def _chance(tree: dict[str, Any], kind: str, name: str) -> float | None:
    """The probability of a branch; equal chances where none is given."""
    if kind != "one_of":
        return None
    names = [child for child, _ in tree[kind]]
    return float(tree["p"][names.index(name)]) if tree["p"] else 1 / len(names)


def _values(path: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    for name in [*a, *(name for name in b if name not in a)]:
        was, now = a.get(name), b.get(name)
        if was != now:
            yield Change(f"{path}.{name}" if path else name, *("" if v is None else _text(v) for v in (was, now)))


def _words(node: dict[str, Any]) -> str:
    """A node on one line."""
    around, node = _peeled(node)
    before = "".join(f"{name} {_text(value)} " for name, value in around.items())
    if "op" in node:
        ranges = ", ".join(f"{name} {_text(value)}" for name, value in node["ranges"].items() if value is not None)
        return f"{before}{node['op']}({ranges})"
    kind = next(key for key in _GROUPS if key in node)
    return f"{before}{kind}({', '.join(name for name, _ in node[kind])})"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(_short(value))


def _short(value: Any) -> Any:
    """Numbers in six digits: what a person wrote as 25/255 need not be printed in seventeen."""
    match value:
        case float():
            return int(value) if value == int(value) else float(f"{value:.6g}")
        case list():
            return [_short(item) for item in value]
        case dict():
            return {name: _short(item) for name, item in value.items()}
    return value


def _rate_effects(a: Survey, b: Survey) -> Iterator[Effect]:
    for path in [*a.rates, *(path for path in b.rates if path not in a.rates)]:
        was, now = a.rates.get(path, 0.0), b.rates.get(path, 0.0)
        if was != now:
            yield Effect(path, {"runs": was}, {"runs": now}, (was, now), abs(was - now))


def _column_effects(a: Survey, b: Survey) -> Iterator[Effect]:
    for name in [*a.columns, *(name for name in b.columns if name not in a.columns)]:
        was, now = a.columns.get(name), b.columns.get(name)
        if was is not None and now is not None and np.array_equal(was.values, now.values):
            continue
        yield Effect(name, _summary(was), _summary(now), (a.share(name), b.share(name)), _size(was, now))


def _summary(column: Column | None) -> dict[str, float]:
    if column is None:
        return {}
    if column.numeric:
        return {word: column.quantile(q) for word, q in (("5 %", 0.05), ("median", 0.5), ("95 %", 0.95))}
    return column.shares()


def _size(a: Column | None, b: Column | None) -> float:
    if a is None or b is None or a.numeric != b.numeric:
        return 1.0
    if a.numeric:
        return _largest_gap(a.values, b.values)
    was, now = a.shares(), b.shares()
    return sum(abs(was.get(word, 0.0) - now.get(word, 0.0)) for word in was.keys() | now.keys()) / 2


def _largest_gap(a: Array, b: Array) -> float:
    """Kolmogorov-Smirnov's D of two samples."""
    both = np.concatenate([a, b])
    below = (np.searchsorted(np.sort(values), both, side="right") / values.size for values in (a, b))
    return float(np.abs(np.subtract(*below)).max())
