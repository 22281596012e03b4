"""Opening what a stream was pointed at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from degradekit.errors import StreamError
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.stream.cache import open_cached
from degradekit.stream.pairs import Pairs, StoredPairs
from degradekit.stream.select import Variants

if TYPE_CHECKING:
    from degradekit.recipe import Recipe

__all__ = ["Address", "open_pairs"]


@dataclass(frozen=True, slots=True)
class Address:
    """Those arguments of a stream that say where its pairs are; see ``PairStream``."""

    source: str | Path | None
    recipe: Recipe | str | Path | None
    variants: Variants
    remote: str | None
    local: str | Path | None
    split: str | None
    virtual: bool
    cache_limit: int | str | None
    validate: bool
    block_size: int | None


def open_pairs(place: str | Path | Dataset | None, address: Address) -> Pairs:
    """The pairs behind a stream's arguments.

    Raises:
        StreamError: They say nothing, or two things.
    """
    remote, local, virtual = address.remote, address.local, address.virtual
    if address.source is not None or address.recipe is not None:
        if address.source is None or address.recipe is None or not place == local == remote is None:
            raise StreamError("pairs are made on the way from source= and recipe= together, and from nothing else.")
        from degradekit.stream.made import open_source_pairs  # loads every op, 1.2 s, which a stored dataset needs not

        return open_source_pairs(address.source, address.recipe, variants=address.variants)
    if isinstance(place, Dataset):
        return StoredPairs(place, virtual)
    if remote is not None and local is not None and place is None:
        return open_cached(
            open_dataset(_inside(remote, address.split)),
            local,
            limit=address.cache_limit,
            validate=address.validate,
            virtual=virtual,
            block_size=address.block_size,
        )
    given = [where for where in (place, local, remote) if where is not None]
    if len(given) != 1:
        raise StreamError("a stream needs one place: give a folder or URI, local=, remote= with local=, or source=.")
    return StoredPairs(open_dataset(_inside(given[0], address.split)), virtual)


def _inside(place: str | Path, split: str | None) -> str:
    """A subfolder; what a URI has after ``?`` stays at its end."""
    path, mark, query = str(place).partition("?")
    return f"{path.rstrip('/')}/{split}{mark}{query}" if split else str(place)
