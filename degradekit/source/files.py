"""Opening one source file, local or remote."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from degradekit.errors import ShardError, SourceError

if TYPE_CHECKING:
    from degradekit.storage import RemoteStore

__all__ = ["is_remote", "open_source", "remote_store"]


def is_remote(uri: str) -> bool:
    """Whether a source is named by a URI of an object store rather than by a path."""
    return "://" in uri and not uri.startswith("file://")


@contextmanager
def open_source(uri: str) -> Iterator[BinaryIO]:
    """Open a source image for reading.

    Args:
        uri: A local path, ``file://`` and a path, or the URI of an object: ``<folder URI>#<name in it>`` as
            :func:`degradekit.source.list_images` writes it, or a URI without ``#`` that names the object itself.
            An object is fetched whole, in one request.

    Raises:
        SourceError: It cannot be opened or, within the ``with`` block, read.
    """
    if is_remote(uri):
        yield io.BytesIO(_fetch(uri))
        return
    try:
        file = Path(uri.removeprefix("file://")).open("rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(
            f"{uri} cannot be opened ({reason}); correct the path or allow this user to read it"
        ) from error
    with file:
        try:
            yield file
        except OSError as error:
            raise SourceError(
                f"{uri} cannot be read ({error.strerror or error}); check the disk or the file"
            ) from error


def _fetch(uri: str) -> bytes:
    root, _, name = uri.partition("#")
    try:
        blob = remote_store(root).open(name)
        return blob.pread(0, blob.size())
    except (ShardError, OSError) as error:
        raise SourceError(f"{uri} cannot be fetched ({error}); check the URI and the credentials") from error


@lru_cache(maxsize=64)
def remote_store(root: str) -> RemoteStore:
    """The store of a folder URI."""
    # Cached because opening a file system asks the network for its region; the store itself opens anew after a fork.
    from degradekit.storage import RemoteStore  # pyarrow takes 0.1 s to import: only remote sources pay

    return RemoteStore(root)
