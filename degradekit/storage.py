"""Where datasets live: a local folder or an object store, read by ranges and published atomically.

A local file becomes visible by fsync, rename and fsync of the folder; an object by a single upload, because a rename
there is a copy and a delete. Handles open lazily in the process that uses them, so stores and blobs can be pickled
and survive a fork (file systems of object stores do not).
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa
from pyarrow import fs as pafs

from degradekit.errors import ShardError

__all__ = [
    "Blob",
    "LocalBlob",
    "LocalStore",
    "RemoteStore",
    "Store",
    "io_errors",
    "open_blob",
    "open_store",
]

SCRATCH = ".tmp"
CHUNK = 8 << 20


class Blob(Protocol):
    """One immutable file or object, read by ranges from any process."""

    @property
    def name(self) -> str:
        """Path or URI, for messages."""

    @property
    def path(self) -> Path | None:
        """The local file, if it is one."""

    def size(self) -> int:
        """Bytes."""

    def pread(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer at the end of the file."""

    def native(self) -> Any:
        """A seekable pyarrow file."""

    def close(self) -> None:
        """Release the handle of this process; the next use opens it again."""


class Store(Protocol):
    """A folder of named files, ``data/shard-000042.parquet``, published whole or not at all."""

    uri: str

    def read(self, name: str) -> bytes:
        """A whole small file."""

    def open(self, name: str) -> Blob:
        """A file for reading by ranges."""

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name inside ``folder`` -> bytes, for its files (not its folders); empty where there is no such folder."""

    def workspace(self) -> Any:
        """Context manager: an empty local folder, from which ``publish`` is atomic; removed at the end."""

    def publish(self, file: Path, name: str) -> None:
        """Make a finished file of the workspace visible under ``name``."""

    def delete(self, name: str) -> None:
        """Remove a file, or a leftover, if it is there."""

    def leftovers(self) -> list[str]:
        """Workspaces of processes that died."""


@contextmanager
def io_errors(what: str) -> Iterator[None]:
    """Turn a failure of disk or network into one sentence.

    Raises:
        ShardError: Names ``what``, the failure and, for a full disk or a closed folder, the remedy.
    """
    remedies = {
        errno.ENOSPC: "free space there and run the same command again; what was committed is kept",
        errno.EDQUOT: "raise the quota there and run the same command again; what was committed is kept",
        errno.EROFS: "choose a folder that can be written",
        errno.EACCES: "allow this user in there, or choose another folder",
        errno.ENOENT: "check the path",
        errno.ENOTDIR: "give the path of a folder",
    }
    try:
        yield
    except OSError as error:
        known = error.errno in remedies
        reason = os.strerror(error.errno or 0) if known else error.strerror or error  # pyarrow's is a paragraph
        remedy = remedies[error.errno or 0] if known else "check disk and connection and run the same command again"
        raise ShardError(f"{what}: {reason}: {remedy}.") from error


def open_store(uri: str | Path) -> Store:
    """The store behind a local folder or a URI.

    Args:
        uri: A folder, ``file:///...``, ``s3://bucket/prefix``, ``gs://...``, or anything an installed fsspec
            file system knows (``hf://``, ``az://``). S3 options go into the query, as pyarrow reads them:
            ``s3://bucket/set?region=eu-west-1&endpoint_override=localhost:9000&scheme=http``.

    Raises:
        ShardError: No installed file system knows the scheme.
    """
    text = str(uri)
    if "://" not in text:
        return LocalStore(Path(text))
    if text.startswith("file://"):
        return LocalStore(Path(text.removeprefix("file://")))
    return RemoteStore(text)


def open_blob(where: str | Path | Blob) -> Blob:
    """A local path as a blob; a blob as itself."""
    return LocalBlob(Path(where)) if isinstance(where, str | Path) else where


class LocalBlob:
    """A local file; its descriptor opens on first use. A fork may share it, because ``pread`` moves no position.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __getstate__(self) -> Path:
        return self._path

    def __setstate__(self, path: Path) -> None:
        self._path, self._fd = path, -1

    @property
    def name(self) -> str:
        """Path."""
        return str(self._path)

    @property
    def path(self) -> Path | None:
        """The file."""
        return self._path

    def _handle(self) -> int:
        if self._fd < 0:
            with io_errors(f"{self._path} cannot be read"):
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._fd

    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._handle()).st_size

    def pread(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer at the end of the file."""
        parts = []
        while length and (data := os.pread(self._handle(), length, offset)):
            parts.append(data)
            offset, length = offset + len(data), length - len(data)
        return b"".join(parts) if len(parts) != 1 else parts[0]

    def native(self) -> pa.NativeFile:
        """The file as pyarrow reads it."""
        with io_errors(f"{self._path} cannot be read"):
            return pa.OSFile(str(self._path), "rb")

    def close(self) -> None:
        """Close the descriptor; the next use opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def __del__(self) -> None:
        self.close()


class LocalStore:
    """A local folder.

    Args:
        root: The folder; created by the first ``workspace``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uri = str(root)

    def read(self, name: str) -> bytes:
        """A whole small file."""
        with io_errors(f"{self.root / name} cannot be read"):
            return (self.root / name).read_bytes()

    def open(self, name: str) -> LocalBlob:
        """A file for reading by ranges."""
        return LocalBlob(self.root / name)

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name -> bytes of the files in a folder."""
        path = self.root / folder
        with io_errors(f"{path} cannot be listed"):
            try:
                with os.scandir(path) as entries:
                    listed = list(entries)
            except FileNotFoundError:
                return {}
        sizes = {}
        for entry in listed:
            with suppress(OSError):  # gone since it was listed, or a link that leads round to itself: no file
                if entry.is_file():
                    sizes[entry.name] = entry.stat().st_size
        return sizes

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty folder on the same file system, so that a rename publishes."""
        scratch = self.root / SCRATCH
        with io_errors(f"{scratch} cannot be written"):
            scratch.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=scratch))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, file: Path, name: str) -> None:
        """Flush the file, rename it into place, flush the folder."""
        target = self.root / name
        with io_errors(f"{target} cannot be written"):
            target.parent.mkdir(parents=True, exist_ok=True)
            _fsync(file)
            file.replace(target)
            _fsync(target.parent)

    def delete(self, name: str) -> None:
        """Remove a file, or a leftover, if it is there."""
        path = self.root / name
        with io_errors(f"{path} cannot be deleted"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def leftovers(self) -> list[str]:
        """Workspaces of processes that died (and of those that still work)."""
        scratch = self.root / SCRATCH
        return sorted(f"{SCRATCH}/{path.name}" for path in scratch.iterdir()) if scratch.is_dir() else []


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RemoteBlob:
    """An object, read by range requests.

    Args:
        store: Its store.
        key: Path inside the file system.
    """

    def __init__(self, store: RemoteStore, key: str) -> None:
        self._store, self._key = store, key
        self._file: tuple[int, Any] | None = None

    def __getstate__(self) -> tuple[RemoteStore, str]:
        return self._store, self._key

    def __setstate__(self, state: tuple[RemoteStore, str]) -> None:
        self._store, self._key = state
        self._file = None

    @property
    def name(self) -> str:
        """URI-like name."""
        return self._key

    @property
    def path(self) -> Path | None:
        """None: not a local file."""
        return None

    def native(self) -> Any:
        """The object as pyarrow reads it."""
        if self._file is None or self._file[0] != os.getpid():
            with io_errors(f"{self._key} cannot be read"):
                self._file = (os.getpid(), self._store.filesystem().open_input_file(self._key))
        return self._file[1]

    def size(self) -> int:
        """Bytes."""
        return int(self.native().size())

    def pread(self, offset: int, length: int) -> bytes:
        """One range request."""
        with io_errors(f"{self._key} cannot be read"):
            return cast(bytes, self.native().read_at(length, offset))

    def close(self) -> None:
        """Forget the handle."""
        self._file = None


class RemoteStore:
    """A prefix of an object store.

    Args:
        uri: See ``open_store``.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._filesystem: tuple[int, Any, str] | None = None

    def __getstate__(self) -> str:
        return self.uri

    def __setstate__(self, uri: str) -> None:
        self.uri, self._filesystem = uri, None

    def filesystem(self) -> Any:
        """The pyarrow file system, opened in this process."""
        return self._opened()[1]

    def _opened(self) -> tuple[int, Any, str]:
        if self._filesystem is None or self._filesystem[0] != os.getpid():
            self._filesystem = (os.getpid(), *_filesystem_of(self.uri))
        return self._filesystem

    def _key(self, name: str) -> str:
        root = self._opened()[2].rstrip("/")  # of a web address it holds "//", which a path would make one
        return f"{root}/{name}" if name else root

    def read(self, name: str) -> bytes:
        """A whole small object."""
        with (
            io_errors(f"{self.uri}: {name} cannot be read"),
            self.filesystem().open_input_stream(self._key(name)) as file,
        ):
            return cast(bytes, file.read())

    def open(self, name: str) -> RemoteBlob:
        """An object for reading by ranges."""
        return RemoteBlob(self, self._key(name))

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Name -> bytes of the objects directly under a prefix."""
        selector = pafs.FileSelector(self._key(folder), allow_not_found=True)
        with io_errors(f"{self.uri}: {folder or '/'} cannot be listed"):
            found = self.filesystem().get_file_info(selector)
        return {info.base_name: info.size for info in found if info.type == pafs.FileType.File}

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """An empty local folder in the system's place for temporary files (``TMPDIR``)."""
        with io_errors("no temporary folder can be made (TMPDIR)"), tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    def publish(self, file: Path, name: str) -> None:
        """Upload in one piece: an object store shows the old object or the whole new one, nothing between."""
        key = self._key(name)
        with io_errors(f"{self.uri}: {name} cannot be written"), file.open("rb") as source:
            with self.filesystem().open_output_stream(key) as sink:
                while chunk := source.read(CHUNK):
                    sink.write(chunk)
            size = self.filesystem().get_file_info(key).size
        if size != file.stat().st_size:
            raise ShardError(f"{self.uri}: {name} has {size} bytes after the upload of {file.stat().st_size}.")

    def delete(self, name: str) -> None:
        """Remove an object if it is there."""
        with io_errors(f"{self.uri}: {name} cannot be deleted"):
            if self.filesystem().get_file_info(self._key(name)).type != pafs.FileType.NotFound:
                self.filesystem().delete_file(self._key(name))

    def leftovers(self) -> list[str]:
        """None: workspaces are in the system's place for temporary files."""
        return []


def _filesystem_of(uri: str) -> tuple[Any, str]:
    try:
        return cast(tuple[Any, str], pafs.FileSystem.from_uri(uri))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        try:
            import fsspec  # type: ignore[import-untyped]

            filesystem, root = fsspec.core.url_to_fs(uri)
        except (ImportError, ValueError) as missing:
            raise ShardError(f"{uri}: no installed file system opens it ({error}; {missing}).") from missing
        return pafs.PyFileSystem(pafs.FSSpecHandler(filesystem)), root
