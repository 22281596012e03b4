"""What a page is made of: data only, nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from degradekit.types import Array

__all__ = ["Figure", "Group", "Histogram", "Page", "Picture", "Section", "Shares", "Table", "percent"]


def percent(share: float) -> str:
    """A share in words, to a tenth.

    Example:
        >>> percent(1.0), percent(0.4813), percent(0.0)
        ('100 %', '48.1 %', '0 %')
    """
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, or a clip that plays.

    Args:
        pixels: uint8 ``[T, h, w, 3]``; embedded without loss, because a lossy picture of an artefact lies.
        alt: What it shows, for those who cannot see it.
        title: First line of the caption.
        lines: The other lines.
        width: Width in px at which it is shown; pixels stay square blocks when it is enlarged.
    """

    pixels: Array
    alt: str
    title: str
    lines: tuple[str, ...] = ()
    width: int = 176


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often a number falls into each of many equal bins.

    Args:
        counts: Count of each bin.
        low: Lower edge of the first bin.
        high: Upper edge of the last bin.
        ends: Smallest and largest value.
        marks: Numbers that are marked: 5 %, median and 95 %.
        title: First line of the caption.
        lines: The other lines.
    """

    counts: tuple[int, ...]
    low: float
    high: float
    ends: tuple[float, float]
    marks: tuple[float, float, float]
    title: str
    lines: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        """The histogram in a sentence."""
        five, median, ninety_five = (f"{mark:.4g}" for mark in self.marks)
        return (
            f"{self.title}: {sum(self.counts)} values from {self.ends[0]:.4g} to {self.ends[1]:.4g}, "
            f"5 % below {five}, median {median}, 95 % below {ninety_five}"
        )


@dataclass(frozen=True, slots=True)
class Shares:
    """How often each of a few words occurs.

    Args:
        shares: Word to share, 0 to 1.
        title: First line of the caption.
        lines: The other lines.
    """

    shares: dict[str, float]
    title: str
    lines: tuple[str, ...] = ()

    @property
    def alt(self) -> str:
        """The bars in a sentence."""
        return f"{self.title}: " + ", ".join(f"{word} {percent(share)}" for word, share in self.shares.items())


Figure: TypeAlias = Picture | Histogram | Shares


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head.

    Args:
        head: Names of the columns.
        rows: Cells.
        title: What is in it.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that belong together, from left to right.

    Args:
        title: Heading; empty for none.
        figures: The figures.
        note: A sentence under the heading.
        table: A table after the figures.
        folded: Shown on request only; printed all the same.
    """

    title: str
    figures: Sequence[Figure] = ()
    note: str = ""
    table: Table | None = None
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page.

    Args:
        slug: Its anchor.
        title: Its heading.
        note: What is seen, in a sentence or two.
        groups: What is in it.
        packed: Whether small groups stand beside each other.
    """

    slug: str
    title: str
    note: str
    groups: Sequence[Group] = ()
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page.

    Args:
        kind: What it is, in a word or two above the title.
        title: Its title.
        lead: A paragraph under it.
        facts: Names and values in the head.
        sections: The parts.
        foot: How to make it again.
    """

    kind: str
    title: str
    lead: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section] = field(default_factory=tuple)
    foot: str = ""
