"""Opening what a stream was pointed at."""

from __future__ import annotations

from pathlib import Path

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.stream.cache import open_cached
from degradekit.stream.pairs import Pairs, StoredPairs

__all__ = ["open_pairs"]


def open_pairs(
    place: str | Path | Dataset | None,
    *,
    remote: str | None,
    local: str | Path | None,
    split: str | None,
    virtual: bool,
    cache_limit: int | str | None,
    validate: bool,
    block_size: int | None,
) -> Pairs:
    """The pairs behind those arguments of a stream that say where they are.

    Raises:
        StreamError: They say nothing, or two things.
    """
    if isinstance(place, Dataset):
        return StoredPairs(place, virtual)
    if remote is not None and local is not None and place is None:
        dataset = open_dataset(_inside(remote, split))
        return open_cached(dataset, local, limit=cache_limit, validate=validate, virtual=virtual, block_size=block_size)
    given = [where for where in (place, local, remote) if where is not None]
    if len(given) != 1:
        raise StreamError("a stream needs one place: give a folder or URI, local=, remote= with local=, or source=.")
    return StoredPairs(open_dataset(_inside(given[0], split)), virtual)


def _inside(place: str | Path, split: str | None) -> str:
    """A subfolder; what a URI has after ``?`` stays at its end."""
    path, mark, query = str(place).partition("?")
    return f"{path.rstrip('/')}/{split}{mark}{query}" if split else str(place)
