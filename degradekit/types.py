"""The nouns that travel between modules: geometry, source items, encoded images and shard records.

Arrays are RGB, channels last: an image is ``[H, W, C]`` at the public border and a clip ``[T, H, W, C]``
inside; an image is a clip with T = 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Affine",
    "Array",
    "EncodedImage",
    "FloatImage",
    "Geometry",
    "Record",
    "Scalar",
    "Series",
    "SourceItem",
    "Tombstone",
    "Window",
]

Array: TypeAlias = npt.NDArray[Any]
FloatImage: TypeAlias = npt.NDArray[np.float32]
"""float32 in [0, 1], sRGB-encoded unless a docstring says linear, ``[T, H, W, C]``."""

Scalar: TypeAlias = bool | int | float | str
Series: TypeAlias = float | tuple[float, ...]
"""One drawn number: a scalar held over the clip, or one value per frame."""

Affine: TypeAlias = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): output pixel (x, y) shows the input point (a x + b y + c, d x + e y + f), centres at integers."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Size of a clip on its way through a recipe, with the two sizes a resize may refer to.

    Args:
        t: Frames, 1 for an image.
        h: Height in px.
        w: Width in px.
        c: Channels.
        source: (h, w) at the start of the degradation (the GT); defaults to (h, w).
        target: (h, w) that the LQ must have in the end; defaults to (h, w).

    Example:
        >>> Geometry(1, 400, 400).resized(100, 120)
        Geometry(t=1, h=100, w=120, c=3, source=(400, 400), target=(400, 400))
    """

    t: int
    h: int
    w: int
    c: int = 3
    source: tuple[int, int] = (0, 0)
    target: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.source == (0, 0):
            object.__setattr__(self, "source", (self.h, self.w))
        if self.target == (0, 0):
            object.__setattr__(self, "target", (self.h, self.w))

    @property
    def size(self) -> tuple[int, int]:
        """Current (h, w) in px."""
        return self.h, self.w

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Array shape (T, H, W, C)."""
        return self.t, self.h, self.w, self.c

    def resized(self, h: int, w: int) -> Geometry:
        """The same clip at another size; source and target stay."""
        return replace(self, h=h, w=w)


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of the source image in px, after EXIF orientation and after ``scale``-ing.

    Args:
        y: Top row.
        x: Left column.
        h: Height.
        w: Width.
        scale: Factor applied to the whole source image before the rectangle is cut (multi-scale HR as in DF2K).
    """

    y: int
    x: int
    h: int
    w: int
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class SourceItem:
    """What one GT starts from: an image, and the window of it that becomes the HR crop.

    Args:
        key: Unique, stable name of the sample: the path relative to the source root, then ``#`` and the crop.
            It keys every draw, so it never contains a position in a listing, a worker or a time.
        uri: Where the bytes are.
        window: The part of the image that is the HR crop.
        meta: JSON-able facts worth keeping beside the sample (original size, bit depth, crop).
    """

    key: str
    uri: str
    window: Window
    meta: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as it is stored.

    Args:
        data: The encoded bytes.
        codec: Name in ``codecs.CODECS``.
        shape: (T, H, W, C) of the decoded clip.
        dtype: ``"uint8"`` or ``"uint16"``.
    """

    data: bytes | memoryview
    codec: str
    shape: tuple[int, int, int, int]
    dtype: Literal["uint8", "uint16"]


@dataclass(frozen=True, slots=True)
class Record:
    """One stored pair: LQ, GT and everything that was drawn.

    Args:
        index: Position in the dataset, 0..N-1; fixed by the build plan.
        key: Sample key; the variants of one GT share it.
        variant: 0..K-1.
        gt: Stored target.
        lq: Stored input.
        plan: Canonical JSON of the Plan.
        columns: Typed ``deg.*`` columns; a parameter of a branch that did not run is absent.
        meta: Facts about the source (uri relative to its root, window, original size).
    """

    index: int
    key: str
    variant: int
    gt: EncodedImage
    lq: EncodedImage
    plan: str
    columns: dict[str, Scalar]
    meta: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The place of a pair that could not be made; it keeps its index so that no other pair moves.

    Args:
        index: Position in the dataset.
        key: Sample key.
        variant: 0..K-1.
        step: What failed: ``read``, ``extract``, a node path, ``encode`` or ``worker``.
        reason: One sentence.
    """

    index: int
    key: str
    variant: int
    step: str
    reason: str
