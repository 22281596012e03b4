"""Taking pairs out of a finished dataset: its index is rewritten, its shards and every other pair stay as they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from degradekit.canonical import canonical_json
from degradekit.errors import ShardError
from degradekit.shards.commit import publish_bytes, read_sealed, sealed
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.shards.manifest import DATASET, DROPPED
from degradekit.types import Tombstone

__all__ = ["Repaired", "drop", "read_drop_list", "restore"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair came to.

    Args:
        taken: Pairs that this call dropped, or brought back.
        dropped: Pairs that are dropped now.
        left: Pairs that are left.
        dataset_id: Identity of what is left.
    """

    taken: int
    dropped: int
    left: int
    dataset_id: str


def read_drop_list(file: str | Path) -> tuple[str | None, list[dict[str, Any]]]:
    """Read which pairs to drop.

    Args:
        file: The ``drop.json`` that a report saves, or a text file with a sample key, or ``key:variant``, on each line;
            a key alone means all of its variants. Empty lines and those that begin with ``# `` are passed over.

    Returns:
        The dataset that the list is for, where it says so, and its entries: ``key``, ``variant`` (or None), ``reason``.

    Raises:
        ShardError: The file cannot be read, or is neither.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ShardError(f"the drop list {file} cannot be read: {error}.") from error
    if not text.lstrip().startswith("{"):
        lines = [line.strip() for line in text.splitlines()]
        return None, [_entry(line) for line in lines if line and not line.startswith("# ")]
    try:
        content = json.loads(text)
        entries = [
            {"key": str(pair["key"]), "variant": int(pair["variant"]), "reason": str(pair.get("reason", "dropped"))}
            for pair in content["drop"]
        ]
        return str(content["dataset_id"]), entries
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ShardError(
            f"the drop list {file} is no drop.json ({type(error).__name__}: {error}): save it from an audit's report, "
            "or write one key:variant on each line."
        ) from error


def _entry(line: str) -> dict[str, Any]:
    key, colon, variant = line.rpartition(":")
    if colon and variant.isdigit():
        return {"key": key, "variant": int(variant), "reason": "dropped"}
    return {"key": line, "variant": None, "reason": "dropped"}


def drop(uri: str | Path, entries: Iterable[Mapping[str, Any]], *, meant_for: str | None = None) -> Repaired:
    """Take pairs out: from now on they are tombstones to every reader, and no other pair changes its index.

    The dataset gets a new identity, so that a stream's state is not carried over to other pairs. Their bytes stay in
    the shards; ``restore`` brings them back.

    Args:
        uri: A finished dataset.
        entries: From ``read_drop_list``.
        meant_for: Identity of the dataset that the list was made for; None trusts the caller.

    Raises:
        ShardError: The list is for another dataset, or names a pair that there is not.
    """
    dataset = open_dataset(uri)
    known = {dataset.id, dataset.info.get("built_id", dataset.id)}
    if meant_for is not None and meant_for not in known:
        raise ShardError(
            f"the drop list is for dataset {meant_for}, {dataset.store.uri} is {dataset.id}: audit it again."
        )
    before = dict(dataset.dropped)
    wanted = dict(before)
    for entry in entries:
        for index, tombstone in _find(dataset, entry):
            wanted.setdefault(index, tombstone)
    return _rewrite(dataset, before, wanted)


def restore(uri: str | Path) -> Repaired:
    """Bring back every pair that was dropped; the dataset gets its first identity again.

    Args:
        uri: A finished dataset.
    """
    dataset = open_dataset(uri)
    return _rewrite(dataset, dict(dataset.dropped), {})


def _find(dataset: Dataset, entry: Mapping[str, Any]) -> list[tuple[int, Tombstone]]:
    variants: Sequence[int] = (
        range(int(dataset.info["variants"])) if entry["variant"] is None else (int(entry["variant"]),)
    )
    found = [(v, dataset.find(entry["key"], v)) for v in variants]
    missing = [v for v, index in found if index is None]
    if missing:
        name = f"{entry['key']!r}, variant {missing[0]}"
        raise ShardError(f"{dataset.store.uri} has no pair {name}: nothing was dropped; correct the drop list.")
    return [
        (index, Tombstone(index, entry["key"], v, "dropped", str(entry["reason"])))
        for v, index in found
        if index is not None and not isinstance(dataset.read(index, ()), Tombstone)
    ]


def _rewrite(dataset: Dataset, before: Mapping[int, Tombstone], wanted: Mapping[int, Tombstone]) -> Repaired:
    """Publish the list of dropped pairs, then ``dataset.json``, which alone makes it count."""
    store, content = dataset.store, read_sealed(dataset.store, DATASET)
    built = content.pop("built_id", content["dataset_id"])
    counts, files = dict(content["counts"]), dict(content["files"])
    counts["ok"] += len(before) - len(wanted)
    counts.pop("dropped", None)
    files.pop(DROPPED, None)
    text = "".join(canonical_json(asdict(wanted[index])) + "\n" for index in sorted(wanted)).encode()
    content["dataset_id"] = built
    if wanted:
        counts["dropped"] = len(wanted)
        files[DROPPED] = hashlib.sha256(text).hexdigest()
        content["built_id"] = built
        content["dataset_id"] = hashlib.sha256(canonical_json([built, sorted(wanted)]).encode()).hexdigest()[:16]
    content |= {"counts": counts, "files": files}
    with store.workspace() as folder:
        if wanted:
            publish_bytes(store, folder, text, DROPPED)
        publish_bytes(store, folder, sealed(content), DATASET)
    if not wanted:
        store.delete(DROPPED)
    return Repaired(abs(len(wanted) - len(before)), len(wanted), counts["ok"], content["dataset_id"])
