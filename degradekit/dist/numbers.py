"""Distributions of one number or word, and how they are drawn for an image or a clip."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal, TypeAlias

from degradekit.rng import Draws
from degradekit.types import Series

__all__ = [
    "Choice",
    "Const",
    "Dist",
    "Histogram",
    "Integer",
    "Keyframes",
    "LogUniform",
    "Mixture",
    "OverTime",
    "Pick",
    "PowerUniform",
    "Uniform",
    "Walk",
]


@dataclass(frozen=True, slots=True)
class Walk:
    """A bounded random walk over the frames: each adds U[-step, step], cut to the range."""

    step: float


@dataclass(frozen=True, slots=True)
class Keyframes:
    """Drawn at frames 0, ``every``, 2 ``every``, …, and on the straight line between two of them elsewhere."""

    every: int


OverTime: TypeAlias = Literal["hold", "iid"] | Walk | Keyframes


@dataclass(frozen=True, slots=True, kw_only=True)
class Dist(ABC):
    """A distribution of one number.

    Args:
        over_time: ``hold`` draws once for the whole clip, ``iid`` once for every frame, ``Walk(step)`` draws the
            first frame and lets the others follow, ``Keyframes(every)`` draws some frames and fills in the others.
            An image (T = 1) always gets one number. A frame's number does not depend on how many frames follow.
            Where a new scene begins (``Draws.cuts``), a number is drawn anew and the walk or the keyframes start over.
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
        if t == 1 or (self.over_time == "hold" and not u.cuts):
            return self.sample(u, name)
        scenes = pairwise((0, *u.cuts, t))
        values = tuple(value for first, end in scenes for value in self._scene(u, name, first, end))
        return values[0] if self.over_time == "hold" and len(set(values)) == 1 else values

    def _scene(self, u: Draws, name: str, first: int, end: int) -> list[float]:
        """The numbers of the frames ``first`` to ``end - 1``, which are one scene."""
        count = end - first
        match self.over_time:
            case "hold":
                return [self.sample(u, name, first)] * count
            case "iid":
                return [self.sample(u, name, i) for i in range(first, end)]
            case Walk(step=step):
                values = self._walk(u, name, first, end, step)
            case Keyframes(every=every):
                keys = [self.sample(u, name, first + i) for i in range((count - 1) // every + 2)]
                values = [_between(keys[i // every], keys[i // every + 1], i % every / every) for i in range(count)]
        return [self._settle(value) for value in values]

    def _walk(self, u: Draws, name: str, first: int, end: int, step: float) -> list[float]:
        lo, hi = self.support()
        values = [self.sample(u, name, first)]
        for i in range(first + 1, end):
            moved = values[-1] + step * (2 * u.uniform(f"{name}.walk", i) - 1)
            values.append(min(max(moved, lo), hi))
        return values

    def _settle(self, value: float) -> float:
        """The nearest number that can be drawn."""
        return value

    def _with_time(self, form: dict[str, Any]) -> dict[str, Any]:
        match self.over_time:
            case Walk(step=step):
                form["over_time"] = {"walk": step}
            case Keyframes(every=every):
                form["over_time"] = {"keyframes": every}
            case "iid":
                form["over_time"] = "iid"
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
        ratio = self.high / self.low
        return min(self.low * math.pow(ratio, u.uniform(name, index)), self.high)

    def support(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high

    def to_json(self) -> Any:
        """``{log_uniform: [low, high]}``."""
        return self._with_time({"log_uniform": [self.low, self.high]})


@dataclass(frozen=True, slots=True)
class PowerUniform(Dist):
    """Uniform in a power of the number, on [low, high], low > 0.

    Exponent -1 makes 1/x uniform, as where a published recipe divides by a number that it draws; exponent 2 makes x^2
    uniform, as where it draws variances.

    Example:
        >>> PowerUniform(1 / 8, 1, exponent=-1).support()
        (0.125, 1)
    """

    low: float
    high: float
    exponent: float

    def __post_init__(self) -> None:
        _ordered(self.low, self.high)
        if self.low <= 0:
            raise ValueError(f"power_uniform needs a lower end above 0, not {self.low:g}")
        if self.exponent == 0:
            raise ValueError("power_uniform with the exponent 0 is no distribution; write log_uniform")

    def sample(self, u: Draws, name: str, index: int = 0) -> float:
        """Draw x with x^exponent uniform."""
        low, high = math.pow(self.low, self.exponent), math.pow(self.high, self.exponent)
        value = math.pow(low + (high - low) * u.uniform(name, index), 1 / self.exponent)
        return min(max(value, self.low), self.high)

    def support(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high

    def to_json(self) -> Any:
        """``{power_uniform: [low, high], exponent: exponent}``."""
        return self._with_time({"power_uniform": [self.low, self.high], "exponent": self.exponent})


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

    def _settle(self, value: float) -> int:
        return self.low + self.step * math.floor((value - self.low) / self.step + 0.5)

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
        if self.over_time not in ("hold", "iid"):
            raise ValueError("choice has nothing between its values: over_time is hold or iid there")
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
        >>> Pick(("area", "bicubic"), (0.5, 0.5)).to_json()
        {'area': 0.5, 'bicubic': 0.5}
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


def _between(a: float, b: float, share: float) -> float:
    return min(max(a + (b - a) * share, min(a, b)), max(a, b))


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
