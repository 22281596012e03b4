"""Walking the pages of an image column: every stored byte of it read once and checked, without pyarrow.

A column chunk is a sequence of pages, each a Thrift header and a body. Our image columns are uncompressed and never
null, so a body is either values (a 4-byte length and the bytes, PLAIN) or, for a GT that is shared, indices into the
values of the chunk's first page. pyarrow would copy every image twice to read them; here each page is read once, its
CRC-32 checked and its values hashed while it is in the processor's cache.

Source: Apache Parquet's ``parquet.thrift`` and ``Encodings.md``; Thrift's compact protocol.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import imagecodecs

from degradekit.errors import ShardError
from degradekit.shards.summary import Digest, digest
from degradekit.storage import Blob

__all__ = ["Stored", "stored_values"]

HEADER = 4096
"""A page header never takes more bytes than this: without statistics it has about thirty."""
DICTIONARY_PAGE = 2
PLAIN = 0


class Stored(NamedTuple):
    """Where a value lies in its file, and what was read there."""

    offset: int
    digest: Digest


def stored_values(blob: Blob, start: int, stop: int, *, rows: int) -> list[Stored]:
    """The values of an image column in one row group, one per row, read from the file and hashed.

    Args:
        blob: The shard.
        start: First byte of the column chunk.
        stop: The byte after its last.
        rows: How many values it has.

    Raises:
        ShardError: A page is damaged, or is not laid out as ``ParquetFormat`` writes it.
    """
    dictionary: list[Stored] = []
    found: list[Stored] = []
    try:
        while start < stop:
            header, size = _thrift(blob.pread(start, min(HEADER, stop - start)), 0)
            body, start = start + size, start + size + header[3]
            if not body <= start <= stop or header[2] != header[3]:
                raise ValueError(f"the page at byte {body} has a wrong size")
            facts = header[7] if header[1] == DICTIONARY_PAGE else header[5]
            if header[1] == DICTIONARY_PAGE or facts[2] == PLAIN:
                values, crc = _values(blob, body, start)
            else:
                data = blob.pread(body, header[3])
                values, crc = [dictionary[code] for code in _codes(data, facts[1])], imagecodecs.deflate_crc32(data)
            if len(values) != facts[1] or crc != header[4] % 2**32:
                raise ValueError(f"the page at byte {body} fails its CRC-32")
            if header[1] == DICTIONARY_PAGE:
                dictionary = values
            else:
                found += values
        if len(found) != rows:
            raise ValueError(f"it has {len(found)} values for {rows} rows")
    except (ValueError, LookupError, TypeError) as error:
        raise ShardError(f"{blob.name}: the image column before byte {stop} is damaged: {error}.") from error
    return found


def _values(blob: Blob, at: int, stop: int) -> tuple[list[Stored], int]:
    """Values from one place of the file to another, and the CRC-32 of all that lies there; one in memory at a time."""
    values = []
    data = blob.pread(at, 4)
    crc = imagecodecs.deflate_crc32(data)
    while at < stop:
        at, length = at + 4, int.from_bytes(data[-4:], "little")
        data = blob.pread(at, min(length + 4, stop - at))  # the value, and the length of the next
        if len(data) < length:
            raise ValueError(f"the value at byte {at} ends after its page")
        crc = imagecodecs.deflate_crc32(data, crc)
        values.append(Stored(at, digest(memoryview(data)[:length])))
        at += length
    return values, crc


def _codes(body: bytes, count: int) -> list[int]:
    """Indices into a dictionary: a byte with their width in bits, then runs of one index or groups of eight packed."""
    width, at = body[0], 1
    codes: list[int] = []
    while len(codes) < count:
        head, at = _varint(body, at)
        run = head >> 1
        size = run * width if head & 1 else -(-width // 8)
        bits = int.from_bytes(body[at : at + size], "little")
        codes += [bits >> i * width & (1 << width) - 1 for i in range(8 * run)] if head & 1 else [bits] * run
        at += size
    return codes[:count]


def _thrift(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """A struct by the numbers of its fields, and where it ends; only the types that our page headers have."""
    fields: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        number += head >> 4
        match head & 15:
            case 1 | 2:
                fields[number] = head & 15 == 1
            case 5 | 6:
                code, at = _varint(data, at)
                fields[number] = code >> 1 ^ -(code & 1)
            case 12:
                fields[number], at = _thrift(data, at)
            case other:
                raise ValueError(f"its page header has a field of type {other}")
    return fields, at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 128:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1
