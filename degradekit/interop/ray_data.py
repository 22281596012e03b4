"""A dataset as a Ray Dataset: rows with decoded pixels and parameters, read shard by shard by Ray's own workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from degradekit.codecs import decode
from degradekit.errors import DegradekitError
from degradekit.interop.optional import need
from degradekit.interop.pairs import ROLES
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.storage import LocalStore
from degradekit.types import Record

__all__ = ["to_ray_dataset"]


def to_ray_dataset(dataset: Dataset, *, columns: Sequence[str] = (), pixels: bool = True) -> Any:
    """Read a dataset of either format, local or remote, with Ray Data; every value is checked as ever.

    Args:
        dataset: From ``open_dataset``; every node of the cluster must be able to read it there.
        columns: Typed columns to carry; missing values are None.
        pixels: Carry ``gt`` and ``lq`` as arrays ``[H, W, C]`` (``[T, H, W, C]`` of clips).

    Returns:
        A ``ray.data.Dataset`` with ``index``, ``key``, ``variant``; tombstones are left out.

    Raises:
        DegradekitError: A column is unknown.
    """
    if unknown := set(columns) - set(dataset.schema):
        raise DegradekitError(f"{dataset.store.uri} has no column {', '.join(sorted(unknown))}")
    data = need("ray.data", "to_ray_dataset")
    wanted = tuple(columns)
    if isinstance(dataset.store, LocalStore):  # workers have another current folder
        dataset = open_dataset(dataset.store.root.resolve())

    def rows(item: dict[str, Any]) -> list[dict[str, Any]]:
        return list(_rows(dataset, int(item["id"]), wanted, pixels))

    return data.range(len(dataset.shards), override_num_blocks=len(dataset.shards)).flat_map(rows)


def _rows(dataset: Dataset, number: int, columns: tuple[str, ...], pixels: bool) -> Iterator[dict[str, Any]]:
    for block in dataset.shard(number).blocks((*(ROLES if pixels else ()), *(("columns",) if columns else ()))):
        for record in block:
            if not isinstance(record, Record) or record.index in dataset.dropped:
                continue
            row: dict[str, Any] = {"index": record.index, "key": record.key, "variant": record.variant}
            for role in ROLES if pixels else ():
                clip = decode(getattr(record, role))
                row[role] = clip[0] if len(clip) == 1 else clip
            yield row | {name: record.columns.get(name) for name in columns}
