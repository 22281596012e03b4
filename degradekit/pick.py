"""Choosing pairs of a dataset: by name, by keyed chance, or spread evenly."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from degradekit.errors import DegradekitError
from degradekit.rng import Draws, hash64
from degradekit.shards.dataset import Dataset

__all__ = ["find", "keyed_order", "nearest_keys", "spread"]

COMPARED = 20_000
"""Keys that a misspelt one is compared with: a comparison takes about 20 us."""


def find(dataset: Dataset, key: str, variant: int | None = None) -> list[int]:
    """Indices of a sample's variants, or of the one asked for.

    Args:
        dataset: The dataset.
        key: Sample key as it is printed: ``cat.png#r0``.
        variant: Which LQ of the GT; None finds all.

    Raises:
        DegradekitError: There is none; the message names the nearest keys.
    """
    variants = int(dataset.info["variants"])
    wanted = range(variants) if variant is None else (variant,)
    found = [dataset.find(key, number) for number in wanted]
    indices = [index for index in found if index is not None]
    if indices:
        return indices
    if variant is not None and dataset.find(key, 0) is not None:
        raise DegradekitError(
            f"{key} has no variant {variant} in {dataset.store.uri}; each GT has {variants} from 0 on"
        )
    near = nearest_keys(dataset, key)
    remedy = f"did you mean {' or '.join(near)}?" if near else "list the keys with degradekit inspect"
    raise DegradekitError(f"{dataset.store.uri} has no sample {key!r}; {remedy}")


def nearest_keys(dataset: Dataset, key: str, count: int = 3) -> list[str]:
    """Keys that resemble one that is not there: those that contain it, otherwise those that are spelt alike."""
    keys = list(dict.fromkeys(dataset.table([])["key"].to_pylist()))
    containing = [name for name in keys if key and key in name]
    compared = keys[:: -(-len(keys) // COMPARED)]
    return containing[:count] or difflib.get_close_matches(key, compared, n=count, cutoff=0.5)


def keyed_order(total: int, seed: int = 0) -> Iterator[int]:
    """All indices 0..total - 1, each once, in an order chosen by ``seed``; cheap to take a few of many from.

    Example:
        >>> from itertools import islice
        >>> few, more = list(islice(keyed_order(10**9), 3)), list(islice(keyed_order(10**9), 5))
        >>> more[:3] == few, sorted(keyed_order(4))
        (True, [0, 1, 2, 3])
    """
    u = Draws(hash64(f"{seed}:pick"))
    seen: set[int] = set()
    draw = 0
    while len(seen) < total // 2:
        index = u.integer("index", total, draw)
        draw += 1
        if index not in seen:
            seen.add(index)
            yield index
    rest = (index for index in range(total) if index not in seen)
    yield from sorted(rest, key=lambda index: u.uniform("order", index))


def spread(total: int, variants: int, count: int) -> list[int]:
    """At most ``count`` indices, spread evenly over the GTs, the variants taken in turn.

    Args:
        total: Pairs of the dataset; the variants of a GT follow one another.
        variants: LQs of each GT.
        count: How many.

    Example:
        >>> spread(12, 3, 2), spread(12, 3, 5), spread(4, 2, 9)
        ([0, 7], [0, 1, 4, 8, 9], [0, 1, 2, 3])
    """
    gts = -(-total // variants)
    chosen: list[int] = []
    for turn in range(variants):
        take = min(gts, count - len(chosen))
        places = [i * gts // take for i in range(take)]
        # In the first turn the variants alternate from one chosen GT to the next; a later turn follows a complete one.
        chosen += [gt * variants + ((gt if turn else i) + turn) % variants for i, gt in enumerate(places)]
    return sorted(index for index in chosen if index < total)
