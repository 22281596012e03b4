"""SHA-256 of local files: of a whole one, or of one that is being read anyway."""

from __future__ import annotations

import hashlib
from pathlib import Path

from degradekit.storage import LocalBlob

__all__ = ["HashedBlob", "sha256_of"]

CHUNK = 1 << 20


class HashedBlob(LocalBlob):
    """A local file whose SHA-256 comes with reading it: each byte is hashed when it, or one behind it, is first read.

    Hashing what was just read costs no second pass over the file, and finds it in the processor's cache.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._hash = hashlib.sha256()
        self._hashed = 0  # bytes so far

    def pread(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer at the end of the file."""
        self._catch_up(offset)
        data = super().pread(offset, length)
        if offset <= self._hashed < offset + len(data):
            self._hash.update(memoryview(data)[self._hashed - offset :])
            self._hashed = offset + len(data)
        return data

    def sha256(self) -> str:
        """Of the whole file, 64 hex digits."""
        self._catch_up(self.size())
        return self._hash.hexdigest()

    def _catch_up(self, offset: int) -> None:
        while self._hashed < offset and (data := super().pread(self._hashed, min(CHUNK, offset - self._hashed))):
            self._hash.update(data)
            self._hashed += len(data)


def sha256_of(file: Path) -> str:
    """SHA-256 of a local file, 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
