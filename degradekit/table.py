"""Plain text in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["align"]


def align(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """One line for each row, columns aligned; the last column is as long as it likes.

    Args:
        rows: Cells; every row has as many.
        indent: What every line begins with.

    Example:
        >>> align([("a", "bcd", "e"), ("fgh", "i", "jk")])
        ['  a    bcd  e', '  fgh  i    jk']
    """
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return [
        (indent + "".join(f"{cell:<{width + 2}}" for cell, width in zip(row, widths, strict=False)) + row[-1]).rstrip()
        for row in rows
    ]
