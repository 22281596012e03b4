"""The vocabulary: every op, one file each, in one explicit tuple."""

from __future__ import annotations

from degradekit.ops.base import Draw, Op

__all__ = ["DRAWS", "OPS", "Draw", "Op"]

OPS: tuple[type[Op], ...] = ()
"""Every op that a recipe can name."""

DRAWS: dict[str, type[Draw]] = {op.name: op.draws for op in OPS}
"""Every determined operation that a plan can hold, by its op's name."""
