"""Filters on what was drawn: ``deg.jpeg1.quality < 60 and deg.blur1.sigma_x > 1.5``.

An expression is parsed, never evaluated as Python, and becomes a pyarrow expression, so that only the columns it names
are read. Shards whose recorded minima and maxima exclude it are not opened at all. A parameter of a step that did not
run has no value; like NULL in SQL, a comparison with it holds for no pair, and ``is None`` finds it.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from degradekit.errors import StreamError

__all__ = ["Filter", "parse_filter"]

IDENTITY = ("index", "key", "variant")
"""What every pair has besides its typed columns."""

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_MIRRORED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}


@dataclass(frozen=True)
class Filter:
    """A checked filter.

    Args:
        text: As it was written.
        columns: Typed columns that it names.
        expression: What pyarrow evaluates.
        tree: The syntax tree.
    """

    text: str
    columns: tuple[str, ...]
    expression: Any
    tree: ast.expr

    def may_match(self, stats: Mapping[str, Mapping[str, float]]) -> bool:
        """Whether a shard with these statistics can hold a pair that matches; True when it cannot be told."""
        return _may(self.tree, stats)


def parse_filter(text: str, columns: Mapping[str, str]) -> Filter:
    """Check an expression against the columns of a dataset.

    Args:
        text: Names of columns, numbers, texts, ``+ - * /``, ``< <= > >= == !=`` (also chained), ``in [...]``,
            ``is None``, ``and``, ``or``, ``not`` and brackets. ``index``, ``key`` and ``variant`` are names too.
        columns: Typed columns that there are.

    Raises:
        StreamError: It is no such expression, or a column is not there; the message names the nearest.

    Example:
        >>> parse_filter("30 <= deg.jpeg.quality < 60", {"deg.jpeg.quality": "int"}).columns
        ('deg.jpeg.quality',)
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise StreamError(f"where={text!r} is no expression ({error}); write deg.jpeg1.quality < 60, say.") from error
    named: dict[str, None] = {}
    try:
        expression = _condition(tree, text, columns, named)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise StreamError(f"where={text!r} cannot be evaluated: {error}.") from error
    return Filter(text.strip(), tuple(name for name in named if name not in IDENTITY), expression, tree)


def _condition(node: ast.expr, text: str, columns: Mapping[str, str], named: dict[str, None]) -> Any:
    match node:
        case ast.BoolOp(op=op, values=values):
            made = [_condition(value, text, columns, named) for value in values]
            total = made[0]
            for more in made[1:]:
                total = total & more if isinstance(op, ast.And) else total | more
            return total
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_condition(operand, text, columns, named)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            made = [_compare(op, sides[i : i + 2], text, columns, named) for i, op in enumerate(ops)]
            total = made[0]
            for more in made[1:]:
                total = total & more
            return total
        case _ if (name := _column(node)) is not None and columns.get(name) == "bool":
            return _value(node, text, columns, named)
    raise StreamError(f"where={text!r}: {ast.unparse(node)} is no condition; compare it with something.")


def _compare(
    op: ast.cmpop, sides: list[ast.expr], text: str, columns: Mapping[str, str], named: dict[str, None]
) -> Any:
    left, right = sides
    value = _value(left, text, columns, named)
    match op, right:
        case (ast.Is() | ast.IsNot(), ast.Constant(value=None)):
            return value.is_null() if isinstance(op, ast.Is) else ~value.is_null()
        case (ast.In() | ast.NotIn(), ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items)):
            choices = [_constant(item, text) for item in items]
            found = value.isin(choices)
            return found if isinstance(op, ast.In) else ~found & ~value.is_null()
    if type(op) not in _COMPARE:
        raise StreamError(f"where={text!r}: {ast.unparse(ast.Compare(left, [op], [right]))} is not understood.")
    return _COMPARE[type(op)](value, _value(right, text, columns, named))


def _value(node: ast.expr, text: str, columns: Mapping[str, str], named: dict[str, None]) -> Any:
    name = _column(node)
    if name is not None:
        if name not in columns and name not in IDENTITY:
            near = difflib.get_close_matches(name, [*columns, *IDENTITY], n=2, cutoff=0.5)
            remedy = f"did you mean {' or '.join(near)}?" if near else "list the columns with degradekit inspect"
            raise StreamError(f"where={text!r}: there is no column {name}; {remedy}")
        named[name] = None
        return pc.field(name)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        left, right = (_value(side, text, columns, named) for side in (node.left, node.right))
        return _ARITHMETIC[type(node.op)](left, right)
    return pc.scalar(_constant(node, text))


def _constant(node: ast.expr, text: str) -> Any:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
    raise StreamError(f"where={text!r}: {ast.unparse(node)} is neither a column nor a number nor a text.")


def _column(node: ast.expr) -> str | None:
    """A dotted name such as ``deg.blur1.sigma_x`` or ``deg.noise[1].sigma`` as text; None for anything else."""
    at = node
    while isinstance(at, ast.Attribute | ast.Subscript):
        at = at.value
    return ast.unparse(node) if isinstance(at, ast.Name) else None


def _may(node: ast.expr, stats: Mapping[str, Mapping[str, float]]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_may(value, stats) for value in values)
        case ast.BoolOp(values=values):
            return any(_may(value, stats) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [left, *comparators]
            return all(_may_compare(op, sides[i], sides[i + 1], stats) for i, op in enumerate(ops))
    return True


def _may_compare(op: ast.cmpop, left: ast.expr, right: ast.expr, stats: Mapping[str, Mapping[str, float]]) -> bool:
    if _column(left) is None and _column(right) is not None and type(op) in _MIRRORED:
        op, left, right = _MIRRORED[type(op)](), right, left
    known = stats.get(_column(left) or "", {})
    if not isinstance(right, ast.Constant) or not isinstance(right.value, int | float):
        return True
    if known.get("count") == 0 and type(op) in _COMPARE:
        return False
    if "min" not in known or "max" not in known:
        return True
    low, high, value = known["min"], known["max"], right.value
    possible = {
        ast.Lt: low < value,
        ast.LtE: low <= value,
        ast.Gt: high > value,
        ast.GtE: high >= value,
        ast.Eq: low <= value <= high,
    }
    return possible.get(type(op), True)
