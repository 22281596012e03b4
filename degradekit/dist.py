"""Distributions: the only way a recipe states a range.

A recipe may write a number as any of

======================================================  ==========================================
``8``, ``25/255``, ``pi/3``                             always that value
``[1/255, 30/255]`` or ``{uniform: [lo, hi]}``          uniform on the closed interval
``{log_uniform: [100, 10000]}``                         uniform in the logarithm
``{integer: [7, 21], step: 2}``                         uniform on 7, 9, …, 21
``{choice: [7, 9, 11], p: [.5, .25, .25]}``             one of the values (equal chances without ``p``)
``{mixture: [[.5, 1], [1, 4]], p: [.5, .5]}``           one of several distributions
``{histogram: [0, 1, 2, 4], weights: [1, 2, 1]}``       a bin by its weight, then uniform inside it
======================================================  ==========================================

and a word as ``bicubic``, ``[area, bilinear, bicubic]`` (equal chances) or ``{area: .5, bicubic: .5}``.
Every mapping form takes ``over_time: hold | iid | {walk: step}`` for clips.
"""

from __future__ import annotations

import ast
import math
import operator
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import core_schema

from degradekit.rng import Draws
from degradekit.types import Series

__all__ = [
    "Choice",
    "Const",
    "Dist",
    "Expression",
    "Histogram",
    "Integer",
    "LogUniform",
    "Mixture",
    "OverTime",
    "Pick",
    "Uniform",
    "Walk",
    "Within",
    "Words",
    "evaluate",
    "parse_dist",
    "parse_pick",
]


@dataclass(frozen=True, slots=True)
class Walk:
    """A bounded random walk over the frames: each adds U[-step, step], cut to the range."""

    step: float


OverTime: TypeAlias = Literal["hold", "iid"] | Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Dist(ABC):
    """A distribution of one number.

    Args:
        over_time: ``hold`` draws once for the whole clip, ``iid`` once for every frame, ``Walk(step)`` draws the
            first frame and lets the others follow. An image (T = 1) always gets one number.
    """

    over_time: OverTime = "hold"

    @abstractmethod
    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Draw element ``index`` of the parameter ``name``."""

    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Smallest and largest value that can be drawn."""

    @abstractmethod
    def to_json(self) -> Any:
        """The recipe form of this distribution; parsing it gives the distribution back."""

    def draw(self, u: Draws, name: str, t: int = 1) -> Series:
        """Draw the parameter for a clip of ``t`` frames.

        Returns:
            One number, or a tuple with one for every frame when ``t`` > 1 and ``over_time`` is not ``hold``.

        Example:
            >>> from degradekit.rng import Draws, sample_key
            >>> u = Draws(sample_key(0, "cat.png", 0), "blur1")
            >>> value = Uniform(0.2, 3.0).draw(u, "sigma")
            >>> value == Uniform(0.2, 3.0).draw(u, "sigma")
            True
            >>> len(Uniform(0.2, 3.0, over_time="iid").draw(u, "sigma", t=5))
            5
        """
        if t == 1 or self.over_time == "hold":
            return self.sample(u, name)
        if self.over_time == "iid":
            return tuple(self.sample(u, name, i) for i in range(t))
        lo, hi = self.support()
        step = self.over_time.step
        values = [self.sample(u, name)]
        for i in range(1, t):
            moved = values[-1] + step * (2 * u.uniform(f"{name}.walk", i) - 1)
            values.append(min(max(moved, lo), hi))
        return tuple(values)

    def _with_time(self, form: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self.over_time, Walk):
            form["over_time"] = {"walk": self.over_time.step}
        elif self.over_time != "hold":
            form["over_time"] = self.over_time
        return form


@dataclass(frozen=True, slots=True)
class Const(Dist):
    """Always the same number."""

    value: float

    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Return the number; nothing is drawn."""
        return self.value

    def support(self) -> tuple[float, float]:
        """The number, twice."""
        return self.value, self.value

    def to_json(self) -> Any:
        """The number."""
        return self.value


@dataclass(frozen=True, slots=True)
class Uniform(Dist):
    """Uniform on [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)

    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Draw low + (high - low) U."""
        return min(self.low + (self.high - self.low) * u.uniform(name, index), self.high)

    def support(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high

    def to_json(self) -> Any:
        """``[low, high]``, or the mapping form for clips."""
        return (
            [self.low, self.high] if self.over_time == "hold" else self._with_time({"uniform": [self.low, self.high]})
        )


@dataclass(frozen=True, slots=True)
class LogUniform(Dist):
    """Uniform in the logarithm on [low, high], low > 0."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)
        if self.low <= 0:
            raise ValueError(f"log_uniform needs a lower end above 0, not {self.low:g}")

    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Draw low (high / low)^U."""
        return min(self.low * (self.high / self.low) ** u.uniform(name, index), self.high)

    def support(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high

    def to_json(self) -> Any:
        """``{log_uniform: [low, high]}``."""
        return self._with_time({"log_uniform": [self.low, self.high]})


@dataclass(frozen=True, slots=True)
class Integer(Dist):
    """Uniform on low, low + step, …, high."""

    low: int
    high: int
    step: int = 1

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)
        if self.step < 1 or (self.high - self.low) % self.step:
            raise ValueError(
                f"integer: [{self.low}, {self.high}] is not reached from its lower end in steps of {self.step}"
            )

    def sample(self, u: Draws, name: str, index: int = 0) -> int:
        """Draw one of the integers."""
        return self.low + self.step * u.integer(name, (self.high - self.low) // self.step + 1, index)

    def support(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high

    def to_json(self) -> Any:
        """``{integer: [low, high], step: step}``."""
        return self._with_time({"integer": [self.low, self.high], "step": self.step})


@dataclass(frozen=True, slots=True)
class Choice(Dist):
    """One of the given numbers; ``p`` empty means equal chances."""

    values: tuple[float, ...]
    p: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("choice needs at least one value")
        _check_p(self.p, len(self.values))

    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Draw one of the values."""
        return self.values[_pick(u, name, len(self.values), self.p, index)]

    def support(self) -> tuple[float, float]:
        """Smallest and largest value that has a chance."""
        live = [v for v, p in zip(self.values, self.p or (1.0,) * len(self.values), strict=True) if p > 0]
        return min(live), max(live)

    def to_json(self) -> Any:
        """``{choice: [...], p: [...]}``."""
        form: dict[str, Any] = {"choice": list(self.values)}
        return self._with_time(form | ({"p": list(self.p)} if self.p else {}))


@dataclass(frozen=True, slots=True)
class Mixture(Dist):
    """One of several distributions, as Real-ESRGAN draws beta: half of the time below 1, half above."""

    parts: tuple[Dist, ...]
    p: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("mixture needs at least one part")
        _check_p(self.p, len(self.parts))

    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Draw the part, then the number."""
        part = self.parts[_pick(u, f"{name}.part", len(self.parts), self.p, index)]
        return part.sample(u, name, index)

    def support(self) -> tuple[float, float]:
        """Hull of the parts that have a chance."""
        live = [d.support() for d, p in zip(self.parts, self.p or (1.0,) * len(self.parts), strict=True) if p > 0]
        return min(lo for lo, _ in live), max(hi for _, hi in live)

    def to_json(self) -> Any:
        """``{mixture: [...], p: [...]}``."""
        form: dict[str, Any] = {"mixture": [part.to_json() for part in self.parts]}
        return self._with_time(form | ({"p": list(self.p)} if self.p else {}))


@dataclass(frozen=True, slots=True)
class Histogram(Dist):
    """A bin chosen by its weight, then uniform inside the bin: measured distributions without a formula."""

    edges: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.weights) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise ValueError("histogram needs rising edges, one more than weights")
        if min(self.weights) < 0 or sum(self.weights) <= 0:
            raise ValueError("histogram weights must be 0 or more, and not all 0")

    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Draw the bin, then the number."""
        total = sum(self.weights)
        i = _pick(u, f"{name}.bin", len(self.weights), tuple(w / total for w in self.weights), index)
        lo, hi = self.edges[i], self.edges[i + 1]
        return min(lo + (hi - lo) * u.uniform(name, index), hi)

    def support(self) -> tuple[float, float]:
        """Outer edges of the bins that have a weight."""
        live = [i for i, w in enumerate(self.weights) if w > 0]
        return self.edges[live[0]], self.edges[live[-1] + 1]

    def to_json(self) -> Any:
        """``{histogram: edges, weights: weights}``."""
        return self._with_time({"histogram": list(self.edges), "weights": list(self.weights)})


@dataclass(frozen=True, slots=True)
class Pick:
    """A distribution over words, for modes and families.

    Args:
        words: The words.
        p: Their probabilities; empty means equal chances.

    Example:
        >>> parse_pick({"area": 0.5, "bicubic": 0.5}).words
        ('area', 'bicubic')
    """

    words: tuple[str, ...]
    p: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.words:
            raise ValueError("a choice of words needs at least one word")
        _check_p(self.p, len(self.words))

    def draw(self, u: Draws, name: str) -> str:
        """Draw one word for the whole clip."""
        return self.words[_pick(u, name, len(self.words), self.p, 0)] if len(self.words) > 1 else self.words[0]

    def to_json(self) -> Any:
        """The shortest recipe form."""
        if len(self.words) == 1:
            return self.words[0]
        return dict(zip(self.words, self.p, strict=True)) if self.p else list(self.words)


# ---------------------------------------------------------------------------------------------------- parsing

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
    raise ValueError(f"over_time is hold, iid or {{walk: step}}, not {raw!r}")


_FORMS: dict[str, tuple[frozenset[str], Callable[[Any, Mapping[str, Any]], Dist]]] = {
    "const": (frozenset(), lambda raw, rest: Const(_number(raw))),
    "uniform": (frozenset(), lambda raw, rest: Uniform(*_pair(raw, "uniform"))),
    "log_uniform": (frozenset(), lambda raw, rest: LogUniform(*_pair(raw, "log_uniform"))),
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


# ------------------------------------------------------------------------------------------- field annotations


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
                "over_time": {"anyOf": [{"enum": ["hold", "iid"]}, {"type": "object", "required": ["walk"]}]},
            },
        },
    ],
}


def _ordered(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"the lower end {low:g} is above the upper end {high:g}")


def _check_p(p: tuple[float, ...], count: int) -> None:
    if not p:
        return
    if len(p) != count:
        raise ValueError(f"{len(p)} probabilities for {count} alternatives")
    if min(p) < 0:
        raise ValueError(f"a probability is 0 or more, not {min(p):g}")
    if abs(sum(p) - 1) > 1e-6:
        raise ValueError(f"probabilities {list(p)} sum to {sum(p):g}, not to 1")


def _pick(u: Draws, name: str, count: int, p: tuple[float, ...], index: int) -> int:
    if not p:
        return u.integer(name, count, index)
    cumulative = list(accumulate(p))
    return min(bisect_right(cumulative, u.uniform(name, index) * cumulative[-1]), count - 1)


def _whole(dist: Dist, *, odd: bool) -> bool:
    def fits(value: float) -> bool:
        return value == int(value) and (not odd or int(value) % 2 == 1)

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
