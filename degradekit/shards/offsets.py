"""Value offsets of a Parquet shard: where each stored image begins, so that a reader fetches one without its row group.

PLAIN, uncompressed, non-null binary values lie in a Parquet file as a 4-byte length and then the bytes. This small
file beside the shard (about 100 bytes per record) records where. It is optional: without it a reader takes whole row
groups. Layout, little-endian: magic, u32 header length, header (JSON: rows, first_index, shard_bytes, names), one
fixed-size entry per record (``ENTRY``), all keys as UTF-8, xxh3_64 of everything before.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, cast

from degradekit.canonical import canonical_json
from degradekit.codecs import checksum
from degradekit.errors import ShardError

__all__ = ["Entry", "Offsets", "Slot", "beside", "pack_offsets"]

MAGIC = b"DGKOFF01"
ENTRY = struct.Struct("<IHI?" + "QIQBBIIIH" * 2)
"""Key (offset, length), variant, ok; then for GT and LQ: offset, length, xxh3, codec, dtype (in names), T, H, W, C."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One stored image in the file.

    Args:
        offset: First byte of the value in the shard.
        length: Bytes.
        xxh3: Checksum of the value.
        codec: Name in ``codecs.CODECS``.
        dtype: ``"uint8"`` or ``"uint16"``.
        shape: (T, H, W, C).
    """

    offset: int
    length: int
    xxh3: int
    codec: str
    dtype: Literal["uint8", "uint16"]
    shape: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: its name and where its images are; None for a tombstone."""

    key: str
    variant: int
    gt: Slot | None
    lq: Slot | None


def beside(shard: PurePath) -> PurePath:
    """Path of the offset file of a shard.

    Example:
        >>> str(beside(PurePath("data/shard-000042.parquet")))
        'data/_shard-000042.idx'
    """
    return shard.with_name(f"_{shard.stem}.idx")


def pack_offsets(entries: Sequence[Entry], *, first_index: int, shard_bytes: int) -> bytes:
    """The bytes of the offset file.

    Args:
        entries: In the order of the rows.
        first_index: Index of the first.
        shard_bytes: Size of the shard that they describe.
    """
    slots = [slot for entry in entries for slot in (entry.gt, entry.lq) if slot]
    names = sorted({name for slot in slots for name in (slot.codec, slot.dtype)})
    places: dict[str, tuple[int, int]] = {}
    heap = bytearray()
    rows = bytearray()
    for entry in entries:
        if entry.key not in places:
            text = entry.key.encode()
            places[entry.key] = (len(heap), len(text))
            heap += text
        ok = entry.gt is not None
        packed = [*_pack_slot(entry.gt, names), *_pack_slot(entry.lq, names)]
        rows += ENTRY.pack(*places[entry.key], entry.variant, ok, *packed)
    facts = {"rows": len(entries), "first_index": first_index, "shard_bytes": shard_bytes, "names": names}
    header = canonical_json(facts).encode()
    body = MAGIC + struct.pack("<I", len(header)) + header + bytes(rows) + bytes(heap)
    return body + struct.pack("<Q", checksum(body))


def _pack_slot(slot: Slot | None, names: Sequence[str]) -> list[int]:
    if slot is None:
        return [0] * 9
    return [slot.offset, slot.length, slot.xxh3, names.index(slot.codec), names.index(slot.dtype), *slot.shape]


class Offsets:
    """The offset file in memory; entries are unpacked when asked for.

    Args:
        data: The whole file.
        name: Its path, for messages.

    Raises:
        ShardError: The file is damaged.
    """

    def __init__(self, data: bytes, name: str) -> None:
        intact = data.startswith(MAGIC) and checksum(data[:-8]) == int.from_bytes(data[-8:], "little")
        if not intact:
            raise ShardError(
                f"{name}: the offset file is damaged; delete it (reading gets slower) or rebuild the shard."
            )
        size = int.from_bytes(data[8:12], "little")
        facts = json.loads(data[12 : 12 + size])
        self.rows: int = facts["rows"]
        self.first_index: int = facts["first_index"]
        self.shard_bytes: int = facts["shard_bytes"]
        self._names: list[str] = facts["names"]
        self._start = 12 + size
        self._heap = self._start + self.rows * ENTRY.size
        self._data = data

    def __getitem__(self, row: int) -> Entry:
        values = ENTRY.unpack_from(self._data, self._start + row * ENTRY.size)
        at = self._heap + values[0]
        key = self._data[at : at + values[1]].decode()
        if not values[3]:
            return Entry(key, values[2], None, None)
        return Entry(key, values[2], self._slot(values[4:13]), self._slot(values[13:22]))

    def _slot(self, values: tuple[int, ...]) -> Slot:
        names = self._names
        shape = cast("tuple[int, int, int, int]", values[5:9])  # types in quotes: made anew they cost 3 us a call
        dtype = cast("Literal['uint8', 'uint16']", names[values[4]])
        return Slot(values[0], values[1], values[2], names[values[3]], dtype, shape)

    def find(self, key: str, variant: int) -> int | None:
        """The row of a sample, or None."""
        text = key.encode()
        at = self._data.find(text, self._heap)
        if at < 0:
            return None
        for row in range(self.rows):
            where, length, number, _ = struct.unpack_from("<IHI?", self._data, self._start + row * ENTRY.size)
            start = self._heap + where
            if number == variant and length == len(text) and self._data[start : start + length] == text:
                return row
        return None
