"""Recipes that build on others: ``extends`` names one, the rest says what is different.

::

    extends: real_esrgan                            # a shipped recipe's name, or a path relative to this file
    scale: 2                                        # name, scale, target, degrade: instead of the other's
    options: {grain: false}                         # options and extract: key by key
    extract: {size: 512}
    change:                                         # by the path that lint and errors print
      degrade.jpeg1.quality_range: [60, 95]
      degrade.blur1.*.sigma_x_range: [0.2, 1.5]     # in every child that has it
      degrade.noise2: {op: gaussian_noise, sigma_range: [0, 10/255]}
    before:                                         # new nodes next to one that is there
      degrade.jpeg1: {halo: {op: halo, distance_range: 1, amount_range: 0.3}}
    after:
      degrade.jpeg1: {grain: {when: grain, op: film_grain, sigma_range: 8/255, size_range: 1}}
    remove: [degrade.blur2, degrade.noise1.gaussian.correlation]

First everything is changed, then nodes are added, then removed. What comes out is a recipe like any other, and that is
what is digested, shown and stored: a dataset needs no other file to be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from degradekit.nodes import MODIFIERS, Problems, nearest, read_yaml

__all__ = ["EXTENSION_FIELDS", "Found", "resolve_extends", "to_yaml"]

EXTENSION_FIELDS = ("extends", "change", "before", "after", "remove")
_SECTIONS = ("target", "degrade")
_COMBINATORS = ("chain", "one_of", "shuffle", "blend")


class Found(NamedTuple):
    """A recipe file.

    Args:
        path: Where it is.
        text: What it says.
    """

    path: Path
    text: str


def resolve_extends(
    raw: Mapping[str, Any], *, where: str, folder: Path, find: Callable[[str, Path], Found], seen: tuple[Path, ...] = ()
) -> dict[str, Any]:
    """Follow ``extends`` to the end and say what the recipe comes to, without ``extends``.

    Args:
        raw: The mapping of the recipe.
        where: What to call it in errors.
        folder: Where relative paths begin.
        find: Gives the file that a name or path means in a folder.
        seen: The files on the way here.

    Raises:
        RecipeError: The other recipe cannot be read, extends this one, or lacks what is to be changed.
    """
    problems = Problems(where)
    if "extends" not in raw:
        for field in EXTENSION_FIELDS[1:]:
            if field in raw:
                problems.add(field, "it changes a recipe that extends names; there is no extends")
        problems.raise_any()
        return dict(raw)
    base = _base(raw["extends"], problems, folder=folder, find=find, seen=seen)
    out = {key: value for key, value in base.items() if key != "name"}
    for key, value in raw.items():
        if key in ("options", "extract") and isinstance(value, Mapping) and isinstance(out.get(key), dict):
            out[key].update(_copy(value))
        elif key not in EXTENSION_FIELDS:
            out[key] = _copy(value)
    for path, value in _mapping(raw, "change", problems).items():
        for holder, name in _places(out, str(path), f"change.{path}", problems):
            holder[name] = _copy(value)
    for field in ("before", "after"):
        for path, nodes in _mapping(raw, field, problems).items():
            _insert(out, str(path), nodes, field=field, problems=problems)
    _remove(out, raw.get("remove") or [], problems)
    problems.raise_any()
    return {"name": str(raw.get("name") or Path(where).stem), **{k: v for k, v in out.items() if k != "name"}}


def to_yaml(raw: Mapping[str, Any], comment: str) -> str:
    """The text of a resolved recipe: plain YAML, numbers and expressions as they were written.

    Example:
        >>> print(to_yaml({"scale": 2, "degrade": {"jpeg": {"op": "jpeg", "quality_range": [30, "2*45"]}}}, "made"))
        # made
        scale: 2
        degrade:
          jpeg:
            op: jpeg
            quality_range: [30, 2*45]
        <BLANKLINE>
    """
    body = yaml.safe_dump(_copy(raw), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return f"# {comment}\n{body}"


def _base(
    extends: Any, problems: Problems, *, folder: Path, find: Callable[[str, Path], Found], seen: tuple[Path, ...]
) -> dict[str, Any]:
    if not isinstance(extends, str) or not extends:
        problems.add("extends", f"{extends!r} is no recipe; write a name or a path")
        problems.raise_any()
    path, text = find(extends, folder)
    here = path.resolve()
    if here in seen:
        names = " extends ".join(file.name for file in (*seen[seen.index(here) :], here))
        problems.add("extends", f"the recipes extend each other in a circle: {names}")
        problems.raise_any()
    raw = read_yaml(text, str(path))
    resolved = resolve_extends(raw, where=str(path), folder=path.parent, find=find, seen=(*seen, here))
    copied: dict[str, Any] = _copy(resolved)
    return copied


def _copy(value: Any) -> Any:
    """A copy in which nothing is shared: nodes that an alias made one must not change together."""
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _mapping(raw: Mapping[str, Any], field: str, problems: Problems) -> Mapping[str, Any]:
    value = raw.get(field) or {}
    if isinstance(value, Mapping):
        return value
    problems.add(field, f"must map paths such as degrade.blur1 to what comes there, not {value!r}")
    return {}


def _insert(out: dict[str, Any], path: str, nodes: Any, *, field: str, problems: Problems) -> None:
    at = f"{field}.{path}"
    if not isinstance(nodes, Mapping):
        problems.add(at, f"must map names to nodes, not {nodes!r}")
        return
    for holder, name in _places(out, path, at, problems, nodes_only=True):
        items: list[tuple[str, Any]] = list(holder.items())
        for new in nodes:
            if new in holder:
                problems.add(at, f"there is a node {new!r} already; choose another name, or change it")
        i = [key for key, _ in items].index(name) + (field == "after")
        items[i:i] = list(_copy(nodes).items())
        holder.clear()
        holder.update(items)


def _remove(out: dict[str, Any], paths: Any, problems: Problems) -> None:
    if not isinstance(paths, list):
        problems.add("remove", f"must be a list of paths, not {paths!r}")
        return
    for path in paths:
        for holder, name in list(_places(out, str(path), f"remove {path}", problems)):
            if holder.pop(name, holder) is holder:
                known = tuple(key for key in holder if key != "op")
                problems.add(f"remove {path}", f"there is no {name!r}{nearest(name, known)}")


def _places(
    out: dict[str, Any], path: str, at: str, problems: Problems, *, nodes_only: bool = False
) -> Iterator[tuple[dict[str, Any], str]]:
    """Every mapping and key that a path means; a problem is noted where it means none."""
    section, *names = path.split(".")
    if section not in _SECTIONS or not names:
        problems.add(at, f"a path begins with target or degrade and a node: degrade.blur1{nearest(section, _SECTIONS)}")
        return
    found = list(_walk(out.setdefault(section, {}), names, at, problems))
    found = [place for place in found if not (nodes_only and not isinstance(place[0][place[1]], Mapping))]
    if not found and not any(f": {at}: " in problem for problem in problems.found):
        what = "nodes" if nodes_only else "nodes with this parameter"
        problems.add(at, f"there are no {what}")
    yield from found


def _walk(
    children: dict[str, Any], names: list[str], at: str, problems: Problems
) -> Iterator[tuple[dict[str, Any], str]]:
    name, *rest = names
    if name != "*" and name not in children:
        problems.add(at, f"there is no node {name!r}{nearest(name, tuple(children))}")
        return
    for child in tuple(children) if name == "*" else (name,):
        node = children[child]
        if not rest:
            yield children, child
        elif isinstance(node, dict):
            yield from _inside(node, rest, at, problems, any_child=name == "*")


def _inside(
    node: dict[str, Any], names: list[str], at: str, problems: Problems, *, any_child: bool
) -> Iterator[tuple[dict[str, Any], str]]:
    """What a path means in a node: one of its parameters, or something in one of its children."""
    kind = next((kind for kind in _COMBINATORS if isinstance(node.get(kind), dict)), None)
    leaf = len(names) == 1
    if leaf and (kind is None or names[0] in (*MODIFIERS, "before")) and names[0] not in node.get(kind or "", ()):
        if names[0] in node or not any_child:
            yield node, names[0]
    elif kind is not None and (names[0] in node[kind] or names[0] == "*" or not any_child):
        yield from _walk(node[kind], names, at, problems)
    elif not any_child:
        problems.add(at, f"{names[0]!r} is in an op, which has no nodes in it")
