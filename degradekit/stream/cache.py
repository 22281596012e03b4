"""A bounded folder of shards that are kept near: any number of processes share it, and any of them may be killed.

A file is downloaded aside, verified against the manifest's SHA-256, and renamed into place, so what has a shard's name
is that shard. Room is made before a download, by deleting what was opened longest ago; a download reserves its size
by taking it on disk at once. Locks are ``flock``, which dies with its process: a ``.part`` file that nobody holds is
garbage. A file that is deleted while it is read stays readable until it is closed, as POSIX has it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from degradekit.errors import ShardError, StreamError
from degradekit.shards.dataset import Dataset
from degradekit.shards.manifest import ShardRow
from degradekit.shards.offsets import beside
from degradekit.storage import LocalBlob, Store, io_errors
from degradekit.stream.fetch import Lost, Outcome
from degradekit.stream.pairs import Reader, StoredPairs
from degradekit.stream.select import Selection, Variants

__all__ = ["Cache", "CachedPairs", "byte_count", "open_cached"]

BLOCK = 16
"""Shards of a remote dataset that are mixed at a time: 8,192 pairs, about a gigabyte."""

LOCKS = ".locks"
PART = ".part"
CHUNK = 8 << 20
TRIES = 3
"""Downloads of one file before its failure is reported."""
PERSISTENCE = 5
"""How often a pair is fetched again whose file another process deleted, to make room, before it could be opened."""
PATIENCE = 60.0
"""Seconds to wait for room while other processes fill the cache with downloads of their own."""
UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def byte_count(size: int | str) -> int:
    """Bytes of a size as it is written.

    Raises:
        StreamError: It is no size.

    Example:
        >>> byte_count("1.5gb"), byte_count(4096)
        (1500000000, 4096)
    """
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", str(size).lower())
    try:
        assert found is not None
        return int(float(found[1]) * UNITS[found[2]])
    except (AssertionError, KeyError, ValueError) as error:
        raise StreamError(f"cache_limit={size!r} is no size; write '100gb', '500mb' or a number of bytes.") from error


class _Wanted(NamedTuple):
    sha256: str
    size: int


@dataclass
class Cache:
    """A dataset's store with its shards kept in a local folder; picklable.

    Args:
        remote: Where the dataset is.
        root: The folder; several datasets may share it.
        folder: This dataset's part of it.
        limit: Bytes that the whole folder may take; None knows no limit.
        wanted: Hash and size of every file that is kept (size 0: not known beforehand).
        validate: Verify the hashes of downloads.
    """

    remote: Store
    root: Path
    folder: Path
    limit: int | None
    wanted: Mapping[str, _Wanted] = field(repr=False)
    validate: bool = True
    uri: str = field(init=False)

    def __post_init__(self) -> None:
        self.uri = self.remote.uri

    def read(self, name: str) -> bytes:
        """A whole small file of the dataset."""
        return self.remote.read(name)

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Files of the dataset."""
        return self.remote.sizes(folder)

    def open(self, name: str) -> Any:
        """A file; shards and their offsets are downloaded first where they are not at hand."""
        return LocalBlob(self.near(name)) if name in self.wanted else self.remote.open(name)

    def workspace(self) -> Any:
        """None: a cache is for reading."""
        raise ShardError(f"{self.root} is a cache of {self.uri}: write there instead.")

    def publish(self, file: Path, name: str) -> None:
        """Nothing is published here."""
        raise ShardError(f"{self.root} is a cache of {self.uri}: publish {name} there instead of {file}.")

    def delete(self, name: str) -> None:
        """Forget a file; the dataset keeps it."""
        with suppress(FileNotFoundError):
            (self.folder / name).unlink()

    def leftovers(self) -> list[str]:
        """None."""
        return []

    def near(self, name: str) -> Path:
        """The local path of a file, downloaded now if it is not there.

        Raises:
            ShardError: It cannot be downloaded, or arrives damaged.
            StreamError: The cache has no room for it.
        """
        path = self.folder / name
        if not self._mark(path, name):
            with _locked(self.root, name_of_lock(path)):
                if not self._mark(path, name):
                    self._download(path, name)
        return path

    def sound(self, name: str) -> bool:
        """Whether a file is at hand and is what the manifest says; deletes it where it is not."""
        path = self.folder / name
        try:
            with path.open("rb") as file:
                intact = hashlib.file_digest(file, "sha256").hexdigest() == self.wanted[name].sha256
        except FileNotFoundError:
            return False
        if not intact:
            self.delete(name)
        return intact

    def _mark(self, path: Path, name: str) -> bool:
        """Whether the file is there in full; if so, it counts as used now."""
        size = self.wanted[name].size
        try:
            if size and path.stat().st_size != size:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _download(self, path: Path, name: str) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                self._try_download(path, name)
                return
            except ShardError:
                if attempt == TRIES:
                    raise
                time.sleep(0.1 * 4**attempt)

    def _try_download(self, path: Path, name: str) -> None:
        blob = self.remote.open(name)
        with io_errors(f"{self.uri}: {name} cannot be downloaded to {self.folder}"):
            size = blob.size()
            with self._reserved(path, size) as (file, part):
                digest = hashlib.sha256()
                at = 0
                while data := blob.pread(at, min(CHUNK, size - at)):
                    file.write(data)
                    digest.update(data)
                    at += len(data)
                file.flush()
                if at != size or (self.validate and digest.hexdigest() != self.wanted[name].sha256):
                    raise ShardError(
                        f"{self.uri}: {name} arrived damaged ({at} bytes, SHA-256 {digest.hexdigest()[:16]}, wanted "
                        f"{self.wanted[name].sha256[:16]}): verify the dataset there."
                    )
                with _locked(self.root, "room"):  # who counts the files meanwhile sees it once
                    part.replace(path)
        blob.close()

    @contextmanager
    def _reserved(self, path: Path, size: int) -> Iterator[tuple[BinaryIO, Path]]:
        """A file aside that takes ``size`` bytes of the cache's room from now on."""
        part = path.with_name(f"{path.name}.{os.getpid()}{PART}")
        give_up = time.monotonic() + PATIENCE
        while True:
            with _locked(self.root, "room"):
                path.parent.mkdir(parents=True, exist_ok=True)
                if _make_room(self.root, size, self.limit):
                    file = part.open("wb")
                    fcntl.flock(file, fcntl.LOCK_EX)
                    file.truncate(size)
                    break
            if time.monotonic() > give_up or size > (self.limit or size):
                raise StreamError(
                    f"the cache {self.root} has no room for {path.name} ({size} bytes, limit {self.limit}): raise "
                    "cache_limit, or use fewer workers."
                )
            time.sleep(0.05)
        try:
            with file:
                yield file, part
        finally:
            part.unlink(missing_ok=True)


class _Entry(NamedTuple):
    used: float
    size: int
    path: Path


def _make_room(root: Path, size: int, limit: int | None) -> bool:
    """Delete what was used longest ago until ``size`` bytes fit; False where downloads of others are in the way."""
    entries = [entry for entry in _entries(root) if not _is_garbage(entry.path)]
    if limit is None:
        return True
    excess = sum(entry.size for entry in entries) + size - limit
    for entry in sorted(entries):
        if excess <= 0:
            break
        if entry.path.suffix != PART:
            entry.path.unlink(missing_ok=True)
            excess -= entry.size
    return excess <= 0


def _entries(root: Path) -> Iterator[_Entry]:
    for folder, folders, names in os.walk(root):
        if LOCKS in folders:
            folders.remove(LOCKS)
        for name in names:
            path = Path(folder, name)
            with suppress(FileNotFoundError):  # deleted by another process meanwhile
                stat = path.stat()
                yield _Entry(stat.st_mtime, stat.st_size, path)


def _is_garbage(path: Path) -> bool:
    """Delete a download whose process died: nobody holds its lock."""
    if path.suffix != PART:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            return True
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False


def name_of_lock(path: Path) -> str:
    """Name of the lock of one file of a cache."""
    return f"{path.parent.parent.name}-{path.name}"


def _lock_file(path: Path) -> BinaryIO:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the cache is being deleted at this moment
            return path.open("wb")


@contextmanager
def _locked(root: Path, name: str) -> Iterator[None]:
    with io_errors(f"the cache {root} cannot be written"):
        file = _lock_file(root / LOCKS / name)
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class CachedReader:
    """Reads pairs through a cache, and once more where a file of it was damaged or deleted.

    Args:
        dataset: With a :class:`Cache` as its store.
        inner: Reads them.
        keep: Shards to hold open: a deleted file takes room on disk until it is closed.
    """

    def __init__(self, dataset: Dataset, inner: Reader, *, keep: int) -> None:
        self._dataset, self._inner, self._keep = dataset, inner, keep
        self._touched: set[int] = set()

    def fetch(self, index: int) -> Outcome:
        """One pair, or why there is none."""
        number = self._dataset.locate(index)[0]
        if number not in self._touched and len(self._touched) >= self._keep:
            self.forget()
        self._touched.add(number)
        found = self._inner.fetch(index)
        for _ in range(PERSISTENCE):
            if not isinstance(found, Lost):
                break
            before = self._sound(number)
            self.forget()
            found = self._inner.fetch(index)
            if before and self._sound(number):  # the file was there and whole all the time: it is the pair
                break
        return found

    def _sound(self, number: int) -> bool:
        cache, row = self._dataset.store, self._dataset.shards[number]
        assert isinstance(cache, Cache)
        checked = [cache.sound(name) for name in files_of(row)]
        return all(checked)

    def forget(self) -> None:
        """Drop what is open."""
        self._touched.clear()
        self._inner.forget()


def files_of(row: ShardRow) -> list[str]:
    """The files of a shard that are kept together."""
    return [row.file, *([str(beside(PurePosixPath(row.file)))] if row.offsets_sha256 else [])]


@dataclass(frozen=True)
class CachedPairs(StoredPairs):
    """Pairs of a remote dataset, read through a cache.

    Args:
        dataset: With a :class:`Cache` as its store.
        virtual: See ``StoredPairs``.
        origin: The dataset where it is, for what needs no pixels.
        block: Shards that are mixed at a time.
    """

    origin: Dataset | None = None
    block: int = BLOCK

    @property
    def window(self) -> int | None:
        """Shards to mix at a time."""
        return self.block

    def select(self, where: str | None, variants: Variants) -> Selection:
        """The pairs to draw from; a filter reads its columns where the dataset is."""
        return StoredPairs(self._far()).select(where, variants)

    def find(self, key: str) -> list[int]:
        """Indices of a sample's variants, found where the dataset is."""
        return StoredPairs(self._far()).find(key)

    def _far(self) -> Dataset:
        ranged = self.origin is not None and self.dataset.info["format"] == "parquet"  # LMDB must be mapped to be read
        return self.origin if ranged and self.origin is not None else self.dataset

    def reader(self, parts: Sequence[str], *, validate: bool) -> Reader:
        """A reader for this process."""
        return CachedReader(self.dataset, super().reader(parts, validate=validate), keep=2 * self.block)

    def ahead(self, indices: Sequence[int]) -> None:
        """Download the shards of these pairs; what fails here is tried again by the reader, which says so."""
        cache = self.dataset.store
        assert isinstance(cache, Cache)
        for number in sorted({self.dataset.locate(index)[0] for index in indices}):
            for name in files_of(self.dataset.shards[number]):
                cache.near(name)


def open_cached(
    dataset: Dataset,
    local: str | Path,
    *,
    limit: int | str | None,
    validate: bool,
    virtual: bool,
    block_size: int | None,
) -> CachedPairs:
    """Pairs of a remote dataset with a bounded cache.

    Args:
        dataset: The remote one.
        local: Folder of the cache.
        limit: Bytes it may take, ``"100gb"`` or a number; None knows no limit.
        validate: Verify the hashes of downloads.
        virtual: See ``StoredPairs``.
        block_size: Pairs that are mixed at a time; None mixes sixteen shards.

    Raises:
        StreamError: The cache cannot hold two blocks, so every shard would be downloaded again and again.
    """
    block = BLOCK if block_size is None else max(1, -(-block_size // int(dataset.info["shard_size"])))
    bound = None if limit is None else byte_count(limit)
    largest = sorted((row.bytes for row in dataset.shards), reverse=True)[: 2 * block]
    if bound is not None and sum(largest) * 1.01 > bound:
        raise StreamError(
            f"cache_limit={limit!r} cannot hold two blocks of {block} shards of {dataset.store.uri}: give "
            f"{int(sum(largest) * 1.01) + 1} bytes or more, or a smaller shuffle_block_size (now "
            f"{block * int(dataset.info['shard_size'])} pairs)."
        )
    wanted = {row.file: _Wanted(row.sha256, row.bytes) for row in dataset.shards}
    for row in dataset.shards:
        for name in files_of(row)[1:]:
            wanted[name] = _Wanted(row.offsets_sha256, 0)
    root = Path(local)
    cache = Cache(dataset.store, root, root / dataset.id, bound, wanted, validate)
    return CachedPairs(Dataset(cache, dataset.info, dataset.shards), virtual, dataset, block)
