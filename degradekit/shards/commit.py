"""The one way a shard gets into a dataset: written aside, verified, renamed, and then vouched for by its sidecar.

1. write ``.tmp/<random>/shard-000042.parquet``; 2. open it again, check every checksum and compare what it holds with
what was written; 3. fsync, rename into ``data/``, fsync the folder; 4. the sidecar ``_shard-000042.json`` the same way.
The sidecar is the commit point: a shard without one is garbage that ``sweep`` deletes and a rebuild overwrites. In an
object store nothing is renamed: the same files are verified locally and uploaded whole, the sidecar last.

A builder that dies anywhere leaves garbage, never a wrong dataset. A shard is a pure function of its task, so to
commit one twice is a no-op, and a second result with another hash is an error: a free check of determinism.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from degradekit.canonical import canonical_json
from degradekit.errors import ShardError
from degradekit.shards import FORMATS
from degradekit.shards.census import CensusTaker
from degradekit.shards.summary import Schema, ShardInfo
from degradekit.storage import Store, io_errors
from degradekit.types import Record, Tombstone

__all__ = [
    "FOLDER",
    "Receipt",
    "batched_receipts",
    "clear",
    "commit",
    "committed",
    "committed_numbers",
    "garbage",
    "publish_bytes",
    "read_sealed",
    "sealed",
    "shard_name",
    "sweep",
]

FOLDER = "data"
VERSION = 1
BESIDE = (".json", ".idx", ".npz")
_NAME = re.compile(r"_?shard-(\d{6,})\.(\w+)")


def shard_name(number: int, suffix: str) -> str:
    """Name in the dataset of a shard's file, its sidecar (``.json``), offsets (``.idx``) or census (``.npz``).

    What is beside a shard begins with an underscore, which makes Parquet readers of a whole folder pass over it.

    Example:
        >>> shard_name(42, ".parquet"), shard_name(42, ".json")
        ('data/shard-000042.parquet', 'data/_shard-000042.json')
    """
    return f"{FOLDER}/{'_' if suffix in BESIDE else ''}shard-{number:06d}{suffix}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A committed shard: the content of its sidecar.

    Args:
        number: Which shard of the dataset.
        format: Name in ``FORMATS``.
        bytes: Size of the shard's file.
        sha256: Of that file, 64 hex digits.
        offsets_sha256: Of its offset file, or empty where the format has none.
        info: What it holds.
        census_sha256: Of its census, or empty where an older version wrote it.
    """

    number: int
    format: str
    bytes: int
    sha256: str
    offsets_sha256: str
    info: ShardInfo
    census_sha256: str = ""

    @property
    def file(self) -> str:
        """Path of the shard inside the dataset."""
        return shard_name(self.number, FORMATS[self.format].suffix)

    def to_json(self) -> dict[str, Any]:
        """JSON value."""
        return asdict(self) | {"info": self.info.to_json(), "version": VERSION}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Receipt:
        """Read ``to_json`` back."""
        info = ShardInfo.from_json(raw["info"])
        hashes = (raw["sha256"], raw["offsets_sha256"])
        return cls(raw["number"], raw["format"], raw["bytes"], *hashes, info, raw.get("census_sha256", ""))


def commit(store: Store, number: int, records: Iterable[Record | Tombstone], *, format: str, schema: Schema) -> Receipt:
    """Write, verify and publish one shard.

    Args:
        store: The dataset.
        number: Which shard.
        records: Its records in the order of their indices; consumed as they are written, one block in memory.
        format: Name in ``FORMATS``.
        schema: Typed columns of the recipe.

    Returns:
        The receipt, equal to the one of an earlier identical commit.

    Raises:
        ShardError: The disk is full or closed, a value did not survive writing, or the shard is already committed
            with other content. Nothing that was committed before is touched.
    """
    if format not in FORMATS:
        raise ShardError(f"shard format {format!r} is unknown; choose one of {', '.join(FORMATS)}.")
    layout = FORMATS[format]
    target = f"{store.uri}/{shard_name(number, layout.suffix)}"
    with store.workspace() as folder, io_errors(f"{target} cannot be written"):
        file = folder / Path(shard_name(number, layout.suffix)).name
        taker = CensusTaker(schema)
        written = layout.write(file, taker.passing(records), schema=schema)
        sha256, offsets = layout.check(file, written)
        census = taker.close().pack()
        hashes = (sha256, hashlib.sha256(offsets).hexdigest() if offsets else "")
        census_sha256 = hashlib.sha256(census).hexdigest()
        receipt = Receipt(number, format, file.stat().st_size, *hashes, written.info, census_sha256)
        if _is_committed(store, receipt):
            return receipt
        store.publish(file, receipt.file)
        if offsets is not None:
            publish_bytes(store, folder, offsets, shard_name(number, ".idx"))
        publish_bytes(store, folder, census, shard_name(number, ".npz"))
        publish_bytes(store, folder, sealed(receipt.to_json()), shard_name(number, ".json"))
    return receipt


def _is_committed(store: Store, receipt: Receipt) -> bool:
    """Whether an equal shard is there whole; an unequal one is an error."""
    sizes = store.sizes(FOLDER)
    sidecar = shard_name(receipt.number, ".json")
    if Path(sidecar).name not in sizes:
        return False
    before = Receipt.from_json(read_sealed(store, sidecar))
    if before != receipt:
        old, new = (f"{r.sha256[:16]} ({r.format}, logical {r.info.logical[:16]})" for r in (before, receipt))
        raise ShardError(
            f"{store.uri}/{sidecar} vouches for a shard with SHA-256 {old}, this build made {new}: the same task gave "
            "two results; compare library versions and CPU features in dataset.json, or build into an empty folder."
        )
    beside = ([".idx"] if receipt.offsets_sha256 else []) + [".npz"]
    return sizes.get(Path(receipt.file).name) == receipt.bytes and all(
        Path(shard_name(receipt.number, suffix)).name in sizes for suffix in beside
    )


def publish_bytes(store: Store, folder: Path, data: bytes, name: str) -> None:
    """Publish a small file by way of a workspace of the store.

    Raises:
        ShardError: It cannot be written.
    """
    file = folder / Path(name).name
    with io_errors(f"{store.uri}/{name} cannot be written"):
        file.write_bytes(data)
        store.publish(file, name)


def committed(store: Store) -> dict[int, Receipt]:
    """Every committed shard by its number, from the sidecars; all of them in memory.

    A sidecar whose shard is missing or has another size counts for nothing: that shard has to be built again.

    Raises:
        ShardError: A sidecar is damaged.
    """
    sizes = store.sizes(FOLDER)
    numbers = sorted(committed_numbers(store))
    receipts = [receipt for some in _batches(store, numbers) for receipt in some]
    return {r.number: r for r in receipts if sizes.get(Path(r.file).name) == r.bytes}


def batched_receipts(store: Store, shards: int) -> Iterator[list[Receipt]]:
    """The receipts of shards 0 to ``shards`` - 1 in order, in lists small enough for memory.

    Raises:
        ShardError: A sidecar is missing or damaged.
    """
    yield from _batches(store, range(shards))


def _batches(store: Store, numbers: Sequence[int], size: int = 64) -> Iterator[list[Receipt]]:
    def read(number: int) -> Receipt:
        return Receipt.from_json(read_sealed(store, shard_name(number, ".json")))

    with ThreadPoolExecutor(16) as pool:  # an object store answers in tens of milliseconds, whatever the size
        for first in range(0, len(numbers), size):
            yield list(pool.map(read, numbers[first : first + size]))


def committed_numbers(store: Store) -> set[int]:
    """Numbers of the shards that have a sidecar, from one listing: what resuming a build need not make again."""
    matches = [match for name in store.sizes(FOLDER) if (match := _NAME.fullmatch(name))]
    shards = {match[1] for match in matches if f".{match[2]}" in {layout.suffix for layout in FORMATS.values()}}
    return {int(match[1]) for match in matches if match[2] == "json" and match[1] in shards}


def clear(store: Store) -> None:
    """Delete every shard, sidecars first, and the leftovers of builders: no other file, whoever put it there."""
    names = [name for name in store.sizes(FOLDER) if _NAME.fullmatch(name)]
    for name in sorted(names, key=lambda name: not name.endswith(".json")):
        store.delete(f"{FOLDER}/{name}")
    for name in store.leftovers():
        store.delete(name)


def garbage(store: Store) -> list[str]:
    """Files of shards that no sidecar vouches for, and leftovers of builders that died."""
    names = sorted(store.sizes(FOLDER))
    vouched = {match[1] for name in names if (match := _NAME.fullmatch(name)) and match[2] == "json"}
    orphans = [name for name in names if (match := _NAME.fullmatch(name)) and match[1] not in vouched]
    return [f"{FOLDER}/{name}" for name in orphans] + store.leftovers()


def sweep(store: Store) -> list[str]:
    """Delete the garbage; only while nobody builds into this dataset.

    Returns:
        What was deleted.
    """
    names = garbage(store)
    for name in names:
        store.delete(name)
    return names


def sealed(content: Mapping[str, Any]) -> bytes:
    """JSON that carries the SHA-256 of its own content, so that any change to it is noticed.

    Example:
        >>> sealed({"rows": 2}).decode().count("digest")
        1
    """
    digest = hashlib.sha256(canonical_json(content).encode()).hexdigest()
    return (json.dumps({**content, "digest": digest}, indent=1, ensure_ascii=False) + "\n").encode()


def read_sealed(store: Store, name: str) -> dict[str, Any]:
    """Read sealed JSON back, without its digest.

    Raises:
        ShardError: It is missing, no JSON, or was changed after it was written.
    """
    try:
        content = json.loads(store.read(name))
        digest = content.pop("digest")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ShardError(
            f"{store.uri}/{name} cannot be read as sealed JSON ({error}): restore it, or delete it and run the same "
            "build again."
        ) from error
    if hashlib.sha256(canonical_json(content).encode()).hexdigest() != digest:
        raise ShardError(
            f"{store.uri}/{name} was changed after it was written (its digest differs): restore it, or delete it and "
            "run the same build again."
        )
    return dict(content)
