"""Opening what a stream was pointed at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.stream.pairs import Pairs, StoredPairs

__all__ = ["open_pairs"]


def open_pairs(
    place: str | Path | Dataset | None,
    *,
    remote: str | None,
    local: str | Path | None,
    split: str | None,
    virtual: bool,
    **more: Any,
) -> Pairs:
    """The pairs behind the arguments of a stream that say where they are.

    Raises:
        StreamError: They say nothing, or two things.
    """
    if isinstance(place, Dataset):
        return StoredPairs(place, virtual)
    given = [where for where in (place, local) if where is not None]
    if len(given) != 1:
        raise StreamError("a stream needs one place: give a folder or URI, local=, remote= with local=, or source=.")
    return StoredPairs(open_dataset(_inside(given[0], split)), virtual)


def _inside(place: str | Path, split: str | None) -> str:
    return f"{str(place).rstrip('/')}/{split}" if split else str(place)
