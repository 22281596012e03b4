"""How a recipe writes a distribution: parsing, bounds, and the pydantic fields of ops."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import core_schema

from degradekit.dist.numbers import (
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
)

__all__ = ["Expression", "Within", "Words", "evaluate", "parse_dist", "parse_pick"]

_OPERATORS: dict[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_CONSTANTS = {"pi": math.pi}


def evaluate(text: str) -> float:
    """Evaluate an arithmetic expression of a recipe: numbers, ``pi``, ``+ - * / **`` and brackets.

    Raises:
        ValueError: Anything else is in the text.

    Example:
        >>> evaluate("25/255") == 25 / 255
        True
        >>> evaluate("2*pi") == 2 * math.pi
        True
    """
    try:
        value = _evaluate(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a number: write one such as 0.5, 25/255 or pi/3") from error
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def _evaluate(node: ast.AST) -> float:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.Name(id=name):
            return _CONSTANTS[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_evaluate(left), _evaluate(right))
        case ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](_evaluate(operand))
    raise SyntaxError("not arithmetic")


def _number(raw: Any) -> float:
    if isinstance(raw, bool):
        raise ValueError(f"{raw!r} is not a number")
    if isinstance(raw, int | float):
        if not math.isfinite(raw):
            raise ValueError(f"{raw!r} is not a finite number")
        return raw
    if isinstance(raw, str):
        return evaluate(raw)
    raise ValueError(f"{raw!r} is not a number: write one such as 0.5, 25/255 or pi/3")


def _numbers(raw: Any, what: str) -> tuple[float, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise ValueError(f"{what} needs a list of numbers, not {raw!r}")
    return tuple(_number(item) for item in raw)


def _pair(raw: Any, what: str) -> tuple[float, float]:
    values = _numbers(raw, what)
    if len(values) != 2:
        raise ValueError(f"{what} needs two ends [low, high], not {list(values)!r}")
    return values[0], values[1]


def _integers(raw: Any, what: str) -> tuple[int, int]:
    low, high = _pair(raw, what)
    if low != int(low) or high != int(high):
        raise ValueError(f"{what} needs whole numbers, not [{low}, {high}]")
    return int(low), int(high)


def _exponent(rest: Mapping[str, Any]) -> float:
    if "exponent" not in rest:
        raise ValueError("power_uniform needs an exponent; -1 makes 1/x uniform, 2 makes x^2 uniform")
    return _number(rest["exponent"])


def _over_time(raw: Any) -> OverTime:
    if raw == "hold":
        return "hold"
    if raw == "iid":
        return "iid"
    if isinstance(raw, Mapping) and set(raw) == {"walk"}:
        step = _number(raw["walk"])
        if step < 0:
            raise ValueError(f"over_time: walk needs a step of 0 or more, not {step:g}")
        return Walk(step)
    if isinstance(raw, Mapping) and set(raw) == {"keyframes"}:
        every = raw["keyframes"]
        if not isinstance(every, int) or isinstance(every, bool) or every < 1:
            raise ValueError(f"over_time: keyframes needs a whole number of frames, 1 or more, not {every!r}")
        return Keyframes(every)
    raise ValueError(f"over_time is hold, iid, {{walk: step}} or {{keyframes: frames}}, not {raw!r}")


_FORMS: dict[str, tuple[frozenset[str], Callable[[Any, Mapping[str, Any]], Dist]]] = {
    "const": (frozenset(), lambda raw, rest: Const(_number(raw))),
    "uniform": (frozenset(), lambda raw, rest: Uniform(*_pair(raw, "uniform"))),
    "log_uniform": (frozenset(), lambda raw, rest: LogUniform(*_pair(raw, "log_uniform"))),
    "power_uniform": (
        frozenset({"exponent"}),
        lambda raw, rest: PowerUniform(*_pair(raw, "power_uniform"), _exponent(rest)),
    ),
    "integer": (
        frozenset({"step"}),
        lambda raw, rest: Integer(*_integers(raw, "integer"), int(rest.get("step", 1))),
    ),
    "choice": (
        frozenset({"p"}),
        lambda raw, rest: Choice(_numbers(raw, "choice"), _numbers(rest.get("p", ()), "p")),
    ),
    "mixture": (
        frozenset({"p"}),
        lambda raw, rest: Mixture(tuple(parse_dist(part) for part in raw), _numbers(rest.get("p", ()), "p")),
    ),
    "histogram": (
        frozenset({"weights"}),
        lambda raw, rest: Histogram(_numbers(raw, "histogram"), _numbers(rest.get("weights", ()), "weights")),
    ),
}


def parse_dist(raw: Any) -> Dist:
    """Turn a recipe form (see the module docstring) into a distribution.

    Raises:
        ValueError: The form is unknown or its numbers make no distribution.

    Example:
        >>> parse_dist([0.2, 3])
        Uniform(over_time='hold', low=0.2, high=3)
        >>> parse_dist({"integer": [7, 21], "step": 2}).support()
        (7, 21)
    """
    if isinstance(raw, Dist):
        return raw
    if isinstance(raw, Mapping):
        forms = [key for key in raw if key in _FORMS]
        if len(forms) != 1:
            raise ValueError(f"{dict(raw)!r} is no distribution: name one of {', '.join(_FORMS)}")
        options, make = _FORMS[forms[0]]
        rest = {key: value for key, value in raw.items() if key != forms[0]}
        if unknown := set(rest) - options - {"over_time"}:
            raise ValueError(f"{forms[0]} does not know {sorted(unknown)}; it takes {sorted(options | {'over_time'})}")
        return replace(make(raw[forms[0]], rest), over_time=_over_time(rest.get("over_time", "hold")))
    if isinstance(raw, Sequence) and not isinstance(raw, str):
        return Uniform(*_pair(raw, "a range"))
    return Const(_number(raw))


def parse_pick(raw: Any) -> Pick:
    """Turn ``word``, ``[word, ...]`` or ``{word: probability, ...}`` into a Pick.

    Raises:
        ValueError: Not one of these forms, or the probabilities do not sum to 1.
    """
    if isinstance(raw, Pick):
        return raw
    if isinstance(raw, str):
        return Pick((raw,))
    if isinstance(raw, Mapping):
        return Pick(tuple(str(word) for word in raw), _numbers(list(raw.values()), "probabilities"))
    if isinstance(raw, Sequence):
        return Pick(tuple(str(word) for word in raw))
    raise ValueError(f"{raw!r} is no word, list of words or mapping of words to probabilities")


@dataclass(frozen=True, slots=True)
class Within:
    """Bound of a number field; a distribution that can leave it is refused when the recipe is loaded.

    Written as ``sigma_range: Annotated[Dist, Within(0, 1, hint="sigma is in [0, 1]: write 40/255")]``.

    Args:
        low: Smallest allowed value.
        high: Largest allowed value.
        integer: Only whole numbers.
        odd: Only odd whole numbers (kernel sizes).
        hint: Remedy to print, for example ``"sigma is in [0, 1]: write 40/255"``.
    """

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    odd: bool = False
    hint: str = ""

    def __call__(self, raw: Any) -> Dist:
        """Parse and check."""
        dist = parse_dist(raw)
        lo, hi = dist.support()
        remedy = f"; {self.hint}" if self.hint else ""
        if lo < self.low:
            raise ValueError(f"{lo:g} is below {self.low:g}{remedy}")
        if hi > self.high:
            raise ValueError(f"{hi:g} is above {self.high:g}{remedy}")
        if (self.integer or self.odd) and not _whole(dist, odd=self.odd):
            kind = "odd whole numbers" if self.odd else "whole numbers"
            raise ValueError(f"{dist.to_json()!r} does not draw {kind} only; write {{integer: [7, 21], step: 2}}")
        return dist

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return _core_schema(self, _NUMBER_SCHEMA)


class Words:
    """The words that a :class:`Pick` field may use.

    Example:
        >>> Words("area", "bicubic")(["area", "bicubic"]).words
        ('area', 'bicubic')
    """

    def __init__(self, *allowed: str) -> None:
        self.allowed = allowed

    def __call__(self, raw: Any) -> Pick:
        """Parse and check."""
        pick = parse_pick(raw)
        if unknown := [word for word in pick.words if word not in self.allowed]:
            raise ValueError(f"unknown word {unknown[0]!r}; choose from {', '.join(self.allowed)}")
        return pick

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        words = {"enum": list(self.allowed)}
        chances = {"type": "object", "propertyNames": words}
        return _core_schema(self, {"anyOf": [words, {"type": "array", "items": words}, chances]})


_NUMBER_SCHEMA: dict[str, Any] = {
    "description": "a number, an expression such as 25/255, a range [low, high], or a distribution",
    "anyOf": [
        {"type": "number"},
        {"type": "string"},
        {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": ["number", "string"]}},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                **{form: {} for form in _FORMS},
                "p": {"type": "array"},
                "step": {"type": "integer", "minimum": 1},
                "weights": {"type": "array"},
                "exponent": {"type": ["number", "string"]},
                "over_time": {
                    "anyOf": [
                        {"enum": ["hold", "iid"]},
                        {"type": "object", "required": ["walk"]},
                        {"type": "object", "required": ["keyframes"]},
                    ]
                },
            },
        },
    ],
}


def _whole(dist: Dist, *, odd: bool) -> bool:
    def fits(value: float) -> bool:
        return value == int(value) and (not odd or int(value) % 2 == 1)

    if dist.over_time not in ("hold", "iid") and not isinstance(dist, Integer):
        return False  # what moves between whole numbers is none; only Integer settles on them
    match dist:
        case Const(value=value):
            return fits(value)
        case Integer(low=low, step=step):
            return fits(low) and (not odd or step % 2 == 0 or dist.low == dist.high)
        case Choice(values=values):
            return all(fits(value) for value in values)
        case Mixture(parts=parts):
            return all(_whole(part, odd=odd) for part in parts)
    return False


def _core_schema(check: Callable[[Any], Dist | Pick], json_schema: dict[str, Any]) -> core_schema.CoreSchema:
    return core_schema.no_info_plain_validator_function(
        check,
        serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.to_json()),
        metadata={"pydantic_js_functions": [lambda schema, handler: dict(json_schema)]},
    )


Expression: TypeAlias = Annotated[float, BeforeValidator(_number), WithJsonSchema({"type": ["number", "string"]})]
"""A single number that may be written as an expression."""
