"""The two contracts of the vocabulary: an Op states ranges, a Draw is a fully determined operation.

``Op.draw(u, g)`` turns ranges into a Draw with keyed randomness; it may look at geometry, never at pixels.
``Draw.apply(x)`` is a pure function of the array: input untouched, no randomness, no I/O.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict

from degradekit.dist import Dist
from degradekit.errors import OpError
from degradekit.rng import Draws
from degradekit.types import Affine, FloatImage, Geometry, Series

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["EXACT", "HELD", "IDENTITY_GRID", "Draw", "Op", "Parity", "at_frame", "close", "is_held"]

IDENTITY_GRID: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Parity(NamedTuple):
    """How far the torch form of an op may be from its numpy form, given the same float32 input in [0, 1].

    Args:
        kind: ``exact``, bit for bit, or ``close``.
        levels: Largest difference of a sample, in levels of 1/255.
    """

    kind: Literal["exact", "close"]
    levels: float


EXACT = Parity("exact", 0.0)


def close(levels: float) -> Parity:
    """The parity of a torch form whose samples are within ``levels`` / 255 of the numpy form's."""
    return Parity("close", levels)


@dataclass(frozen=True, slots=True)
class Draw(ABC):
    """One determined operation; JSON scalars and tuples only, complete enough to replay.

    Class attributes:
        name: The op's name in recipes and plans.
        version: Raised whenever the pixels that ``apply`` makes change; a plan of another version is refused.
        moves_only: The step only moves pixels (crop, flip), so it runs on stored integers as they are.
        reads_levels: ``apply`` also takes stored integers, as if they had been divided by 255 (or 65535) before.
        unlisted: Fields that are not worth a ``deg.*`` column (noise keys, matrices).
        parity: What ``apply_torch`` promises; None where the op has no torch form.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    moves_only: ClassVar[bool] = False
    reads_levels: ClassVar[bool] = False
    unlisted: ClassVar[frozenset[str]] = frozenset({"field"})
    parity: ClassVar[Parity | None] = None

    @abstractmethod
    def apply(self, x: FloatImage) -> FloatImage:
        """Return the degraded clip.

        Args:
            x: float32 ``[T, H, W, C]``, C-contiguous; values usually in [0, 1], but a step may receive overshoot
                from a filter before it.

        Returns:
            float32 ``[T, H', W', C']`` of ``out_geometry``; may be ``x`` itself when nothing changes.
        """

    def apply_torch(self, x: Tensor) -> Tensor:
        """What ``apply`` does, on the device that the clip is on; :attr:`parity` says how equally.

        Args:
            x: float32 ``[T, C, H, W]``; not changed.

        Returns:
            float32 ``[T, C', H', W']``; may be ``x`` itself, or a view of it.

        Raises:
            OpError: The op has no torch form.
        """
        raise OpError(f"{self.name} has no torch form: degrade on CPU workers")

    @classmethod
    def apply_group(cls, draws: Sequence[Self], xs: Sequence[Tensor]) -> list[Tensor]:
        """:meth:`apply_torch` for some clips, of any sizes, each by its own draw.

        Ops of many small calculations (noise, JPEG) do them for all at once; a clip gets the same bits in any group.
        """
        return [draw.apply_torch(x) for draw, x in zip(draws, xs, strict=True)]

    def out_geometry(self, g: Geometry) -> Geometry:
        """Geometry after this step."""
        return g

    def grid(self, g: Geometry) -> Affine:
        """Where output pixel (x, y) looks in the input: (a, b, c, d, e, f) for (a x + b y + c, d x + e y + f)."""
        return IDENTITY_GRID

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON values."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Rebuild a draw from :meth:`to_json`; a parameter with a default may be absent, as in older plans.

        Raises:
            OpError: A parameter is missing or unknown.
        """
        known = {f.name for f in fields(cls)}
        needed = {f.name for f in fields(cls) if f.default is MISSING}
        if not needed <= set(values) <= known:
            raise OpError(
                f"a {cls.name} step has parameters {sorted(values)}; version {cls.version} has {sorted(known)}"
            )
        return cls(**{name: _tuples(value) for name, value in values.items()})

    @classmethod
    def columns(cls) -> dict[str, str]:
        """Type of each listed parameter: ``bool``, ``int``, ``float`` or ``str``."""
        return _columns(cls)


class Op(BaseModel, ABC):
    """Ranges of one operation, as a recipe states them.

    Subclasses are frozen pydantic models: one declaration serves YAML, validation, JSON Schema and type checkers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    name: ClassVar[str]
    draws: ClassVar[type[Draw]]

    @abstractmethod
    def draw(self, u: Draws, g: Geometry) -> Draw:
        """Choose the numbers.

        Args:
            u: Keyed draws bound to this node's path.
            g: Geometry of the clip that the step will receive.
        """


def _held(number: Dist) -> Dist:
    if number.over_time != "hold":
        raise ValueError("this number is one for the whole clip: remove over_time")
    return number


HELD = AfterValidator(_held)
"""Refuses ``over_time`` for a number that a clip has one of: ``Annotated[Dist, Within(1, 9), HELD]``."""


def at_frame(value: Series, t: int) -> float:
    """The value of a drawn number at frame ``t``.

    Example:
        >>> at_frame(0.5, 7), at_frame((1.0, 2.0), 1)
        (0.5, 2.0)
    """
    return value[t] if isinstance(value, tuple) else value


def is_held(*values: Series) -> bool:
    """Whether all numbers are the same for every frame."""
    return not any(isinstance(value, tuple) for value in values)


@cache  # one entry for each op; resolving annotations takes longer than a draw
def _columns(draw: type[Draw]) -> dict[str, str]:
    kinds = {bool: "bool", int: "int", float: "float", str: "str", Series: "float"}
    hints = get_type_hints(draw)
    listed = [f.name for f in fields(draw) if f.name not in draw.unlisted]
    return {name: kinds[hints[name]] for name in listed if hints[name] in kinds}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
