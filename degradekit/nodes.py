"""Reading the tree of a recipe: YAML text to checked nodes, every problem with its YAML path and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from degradekit.dist import Dist, Within, evaluate
from degradekit.errors import OpError, RecipeError
from degradekit.graph import Blend, Chain, Children, Maybe, Node, OneOf, Repeat, Shuffle, leaves
from degradekit.ops import OPS, Draw, Op
from degradekit.ops.plugin import is_plugin, plugin_op
from degradekit.steps import Mask

__all__ = ["MODIFIERS", "Problems", "nearest", "parse_chain", "read_yaml"]

_KINDS = ("op", "blend", "chain", "one_of", "shuffle")
MODIFIERS = ("p", "repeat", "when")
_FORBIDDEN = set("/:[].#\"' ")
_TOLERANCE = 1e-6

M = TypeVar("M", bound=BaseModel)


class Problems:
    """Everything that is wrong with one recipe, so that one run of the linter is enough.

    Args:
        where: What to call the recipe in errors.
        folder: Its folder, which the paths in it are relative to.
    """

    def __init__(self, where: str, folder: str = "") -> None:
        self.where = where
        self.folder = folder
        self.found: list[str] = []

    def add(self, path: str, sentence: str) -> None:
        """Note one problem at a YAML path."""
        self.found.append(f"{self.where}: {path}: {sentence}" if path else f"{self.where}: {sentence}")

    def unknown(self, path: str, raw: Mapping[str, Any], known: Iterable[str], what: str = "key") -> None:
        """Note every key that is not known, with the nearest one that is."""
        known = tuple(known)
        for key in raw:
            if key not in known:
                self.add(path, f"unknown {what} {key!r}{nearest(str(key), known)}")

    def model(self, path: str, model: type[M], raw: Any) -> M | None:
        """Validate a pydantic model; on failure note each problem and return None."""
        try:
            return model.model_validate(raw, context={"folder": self.folder})
        except ValidationError as error:
            for item in error.errors():
                at = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function-"))
                message = item["msg"].removeprefix("Value error, ")
                if item["type"] == "extra_forbidden":
                    message = f"unknown parameter{nearest(at, tuple(model.model_fields))}"
                elif item["type"] == "missing":
                    message = "this parameter is required"
                shown = "" if item["type"] in ("extra_forbidden", "missing") else f" (the value is {item['input']!r})"
                self.add(f"{path}.{at}" if at else path, message + shown)
            return None

    def raise_any(self) -> None:
        """Raise what was noted.

        Raises:
            RecipeError: One line a problem.
        """
        if self.found:
            raise RecipeError("\n".join(self.found))


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may appear once."""


def _mapping(loader: _Loader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    out: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=deep)
        if key in out:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} appears twice", key_node.start_mark)
        out[key] = loader.construct_object(value_node, deep=True)
    return out


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """Read a YAML mapping safely.

    Raises:
        RecipeError: Not YAML, not a mapping, a key twice, or a tag that asks for a Python object.
    """
    try:
        raw = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error)
        if "constructor for the tag" in problem:
            problem = f"{problem.rpartition(' ')[2]} asks for an object of a programming language"
        raise RecipeError(f"{where}:{at}: {problem}; a recipe is plain YAML, every key once") from error
    if not isinstance(raw, dict):
        raise RecipeError(f"{where}: a recipe is a YAML mapping with name, scale and degrade, not {type(raw).__name__}")
    return raw


def parse_chain(raw: Any, path: str, options: Mapping[str, bool], problems: Problems) -> Chain:
    """Turn a mapping of named nodes into a Chain; nodes switched off by ``when`` are left out."""
    return Chain(tuple((name, _maybe(node, p)) for name, node, p in _children(raw, path, options, problems)))


def _children(
    raw: Any, path: str, options: Mapping[str, bool], problems: Problems
) -> list[tuple[str, Node, float | None]]:
    if not isinstance(raw, Mapping):
        problems.add(path, f"must map names to nodes, not {type(raw).__name__}")
        return []
    out = []
    for name, child in raw.items():
        at = f"{path}.{name}"
        if not isinstance(name, str) or not name or _FORBIDDEN & set(name):
            problems.add(path, f"{name!r} is no node name; use letters, digits, _ and -")
        elif not isinstance(child, Mapping):
            problems.add(at, f"a node is a mapping with one of {', '.join(_KINDS)}, not {child!r}")
        elif _switched_on(child.get("when"), at, options, problems):
            node = _node(child, at, options, problems)
            p = _probability(child["p"], at, problems) if "p" in child else None
            if node is not None:
                out.append((name, node, p))
    return out


def _node(raw: Mapping[str, Any], at: str, options: Mapping[str, bool], problems: Problems) -> Node | None:
    kinds = [kind for kind in _KINDS if kind in raw]
    if len(kinds) != 1:
        problems.add(at, f"a node has exactly one of {', '.join(_KINDS)}; this one has {', '.join(kinds) or 'none'}")
        return None
    kind = kinds[0]
    body = raw[kind]
    node: Node | None
    if kind == "op":
        node = _op(raw, at, problems)
    else:
        problems.unknown(at, raw, (kind, *MODIFIERS, *(["before"] if kind == "shuffle" else [])))
        node = _COMBINATORS[kind](body, at, options, problems)
        if isinstance(node, Shuffle) and "before" in raw:
            node = _before(node, raw["before"], body, at, problems)
    if node is not None and "repeat" in raw:
        try:
            return Repeat(_count(raw["repeat"]), node)
        except ValueError as error:
            problems.add(f"{at}.repeat", str(error))
    return node


def _op(raw: Mapping[str, Any], at: str, problems: Problems) -> Node | None:
    known: dict[str, type[Op]] = {op.name: op for op in OPS}
    name = str(raw["op"])
    if is_plugin(name):
        try:
            known[name] = plugin_op(name)
        except OpError as error:
            problems.add(at, str(error))
            return None
    if name not in known:
        problems.add(at, f"unknown op {name!r}{nearest(name, tuple(known))}")
        return None
    ranges = {key: value for key, value in raw.items() if key not in ("op", *MODIFIERS)}
    return problems.model(at, known[name], ranges)


def _one_of(raw: Any, path: str, options: Mapping[str, bool], problems: Problems) -> Node | None:
    children = _children(raw, path, options, problems)
    given = [p for _, _, p in children if p is not None]
    if not children:
        problems.add(path, "one_of has no branches left")
        return None
    if given and len(given) != len(children):
        missing = [name for name, _, p in children if p is None]
        problems.add(path, f"some branches have p and {', '.join(missing)} do not; give all of them or none")
    elif given and abs(sum(given) - 1) > _TOLERANCE:
        problems.add(
            path,
            f"the probabilities of {', '.join(n for n, _, _ in children)} sum to {sum(given):g}, not to 1; "
            "correct one of them, or give none for equal chances",
        )
    return OneOf(tuple((name, node) for name, node, _ in children), tuple(given))


def _shuffle(raw: Any, path: str, options: Mapping[str, bool], problems: Problems) -> Node:
    children: Children = parse_chain(raw, path, options, problems).children
    return Shuffle(children)


def _before(node: Shuffle, raw: Any, declared: Any, at: str, problems: Problems) -> Node:
    """Add the pairs that have an order; a pair with a child that ``when`` switched off asks for nothing."""
    pairs = raw if isinstance(raw, list) else [raw]
    if not all(isinstance(pair, list) and len(pair) == 2 and pair[0] != pair[1] for pair in pairs):
        problems.add(f"{at}.before", f"{raw!r} is no list of pairs; write [[first, second]]")
        return node
    live = {name for name, _ in node.children}
    off = {name for name in declared if name not in live} if isinstance(declared, Mapping) else set()
    try:
        return Shuffle(node.children, tuple((str(a), str(b)) for a, b in pairs if not {a, b} & off))
    except ValueError as error:
        problems.add(f"{at}.before", str(error))
        return node


def _blend(raw: Any, path: str, options: Mapping[str, bool], problems: Problems) -> Node | None:
    if not isinstance(raw, Mapping) or "mask" not in raw:
        problems.add(path, f"a blend is a mapping with mask and the nodes that act where it is, not {raw!r}")
        return None
    mask = problems.model(f"{path}.mask", Mask, raw["mask"])
    child = parse_chain({name: node for name, node in raw.items() if name != "mask"}, path, options, problems)
    for at, op in leaves(child):
        if op.draws.out_geometry is not Draw.out_geometry or op.draws.grid is not Draw.grid:
            where = f"{path}.{re.sub('[/:]', '.', at)}"
            problems.add(where, f"{op.name} changes the size or moves the picture; put it before or after the blend")
    return Blend(mask, child) if mask is not None else None


_COMBINATORS: dict[str, Callable[[Any, str, Mapping[str, bool], Problems], Node | None]] = {
    "blend": _blend,
    "chain": parse_chain,
    "one_of": _one_of,
    "shuffle": _shuffle,
}


def _count(raw: Any) -> Dist:
    count = Within(0, 64, integer=True)(raw)
    if count.over_time != "hold":
        raise ValueError("a clip repeats one number of times: remove over_time")
    return count


def _maybe(node: Node, p: float | None) -> Node:
    return node if p is None or p == 1 else Maybe(p, node)


def _probability(raw: Any, at: str, problems: Problems) -> float:
    try:
        p = evaluate(raw) if isinstance(raw, str) else float(raw)
    except (TypeError, ValueError) as error:
        problems.add(f"{at}.p", f"{raw!r} is no probability: {error}")
        return 1.0
    if not 0 <= p <= 1:
        problems.add(f"{at}.p", f"{p:g} is no probability; it lies in [0, 1]")
    return p


def _switched_on(when: Any, at: str, options: Mapping[str, bool], problems: Problems) -> bool:
    if when is None:
        return True
    words = str(when).split()
    negated = words[:1] == ["not"]
    name = words[-1] if len(words) == 1 + negated else ""
    if name not in options:
        problems.add(f"{at}.when", f"{when!r} is no option or 'not' and an option{nearest(name, tuple(options))}")
        return False
    return options[name] != negated


def nearest(word: str, known: tuple[str, ...]) -> str:
    """End of a sentence about an unknown word: the nearest known one, or all of them."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; choose from {', '.join(known)}" if known else "; this recipe has none"
