"""What every shard format does: write a stream of records, and read them back by row or in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeAlias

from degradekit.errors import ShardError
from degradekit.shards.summary import Schema, ShardInfo, Summary
from degradekit.storage import Blob
from degradekit.types import Record, Tombstone

__all__ = [
    "PARTS",
    "Block",
    "Checked",
    "OffsetsAt",
    "Parts",
    "ShardFormat",
    "ShardReader",
    "Written",
    "check_parts",
    "check_row",
    "differs",
    "summarise",
]

Parts: TypeAlias = Sequence[str]
Block: TypeAlias = list[Record | Tombstone]
OffsetsAt: TypeAlias = Blob | Literal["beside"] | None

PARTS = ("gt", "lq", "plan", "columns", "meta")
"""What of a record can be read; its identity always is. A part that was not asked for is ``b""``, ``""`` or ``{}``."""


class Written(NamedTuple):
    """What went into a shard, and what reading it back is compared with.

    Args:
        info: What it holds.
        texts: Everything but the images, as the format lays it out; empty where ``info`` is compared instead.
    """

    info: ShardInfo
    texts: Sequence[Any] = ()


class Checked(NamedTuple):
    """What reading a shard back from its file gives.

    Args:
        sha256: Of the whole file, 64 hex digits.
        offsets: The file of value offsets, if the format needs one to be fast.
    """

    sha256: str
    offsets: bytes | None


class ShardReader(Protocol):
    """An open shard. Handles open lazily in each process; a reader can be pickled and survives a fork.

    Every value that is returned has been checked against its stored checksum.
    """

    @property
    def first_index(self) -> int:
        """Index of the first record."""

    def __len__(self) -> int: ...

    def read(self, row: int, parts: Parts = PARTS) -> Record | Tombstone:
        """One record by its row in the shard."""

    def blocks(self, parts: Parts = PARTS) -> Iterator[Block]:
        """All records in order, in lists small enough for memory."""

    def table(self, columns: Sequence[str] | None = None) -> Any:
        """A pyarrow table without pixels: index, key, variant, status, and the typed columns asked for (None: all)."""

    def find(self, key: str, variant: int) -> int | None:
        """The row of a sample, or None."""

    def schema(self) -> Schema:
        """The typed columns."""

    def close(self) -> None:
        """Release the handles of this process."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ShardFormat(Protocol):
    """One way to lay records out in a file."""

    suffix: str

    def write(self, path: Path, records: Iterable[Record | Tombstone], *, schema: Schema) -> Written:
        """Write a shard, holding the images of one block of records in memory at a time; equal records, equal bytes."""

    def check(self, path: Path, written: Written) -> Checked:
        """Read a local shard back, every byte of it: every image against its checksum, every value against what it was.

        Raises:
            ShardError: Something is damaged, or differs from what was written.
        """

    def open(self, where: str | Path | Blob, *, offsets: OffsetsAt = "beside", readahead: bool = True) -> ShardReader:
        """Open a shard for reading; nothing is read before it is asked for.

        Args:
            where: The shard.
            offsets: Its offset file, ``"beside"`` for the one beside a local shard (if there is), None for none.
            readahead: Whether a memory-mapped shard may read ahead: yes where the dataset fits into memory.
        """

    def damage(self, path: Path) -> str | None:
        """Why a shard whose bytes have changed must not be opened, or None where opening it is safe."""


def differs(path: Path) -> ShardError:
    """The error of a shard that does not hold what was written."""
    return ShardError(f"{path} holds other values after writing than before: check memory and disk.")


def check_parts(parts: Parts) -> frozenset[str]:
    """The parts as a set.

    Raises:
        ShardError: One is unknown.
    """
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise ShardError(f"a record has no part {', '.join(sorted(unknown))}; it has {', '.join(PARTS)}.")
    return frozenset(parts)


def check_row(row: int, rows: int, name: str) -> int:
    """The row, if the shard has it.

    Raises:
        ShardError: It has not.
    """
    if not 0 <= row < rows:
        raise ShardError(f"{name} has no row {row}; it has {rows}.")
    return row


def summarise(reader: ShardReader) -> ShardInfo:
    """Read a whole shard, block by block, checking every checksum, and say what it holds.

    Raises:
        ShardError: A value is damaged.
    """
    summary = Summary(reader.schema())
    for block in reader.blocks():
        for record in block:
            summary.add(record)
    return summary.close()
