"""Pools: measured kernels and noise that a recipe names by a path, read and checked when the recipe is loaded.

A pool is a file or a folder. What is drawn from it travels inside the plan, so a replay needs no pool; what the pool
held is part of the recipe's digest, so a build does not go on with another one.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile

import numpy as np
from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import core_schema

from degradekit.errors import SourceError
from degradekit.types import Array

__all__ = ["ARRAY_SUFFIXES", "Pool", "PoolOf", "Reader", "pack", "read_arrays", "unpack"]

ARRAY_SUFFIXES = (".npy", ".npz")

Reader: TypeAlias = Callable[[Path], Sequence[Array] | Mapping[str, Array]]
"""Reads the members of a pool, with names where errors need them; raises ValueError where there are bad ones."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The members of a pool.

    Args:
        path: As the recipe writes it; relative to the recipe's folder.
        digest: Fingerprint of the members, 16 hex digits.
        members: What can be drawn, at least one.
        names: Of the members, where their reader names them.
    """

    path: str
    digest: str
    members: tuple[Array, ...] = field(compare=False, repr=False)
    names: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PoolOf:
    """A field that names a pool: ``kernels: Annotated[Pool, PoolOf(read_kernels)]``.

    A recipe writes a path, relative to its own folder, or ``{path: ..., digest: ...}`` to be refused when the pool no
    longer holds what it held.

    Args:
        read: Reads the members from a file or folder.
    """

    read: Reader

    def __call__(self, raw: Any, info: ValidationInfo) -> Pool:
        """Read the pool."""
        if isinstance(raw, Pool):
            return raw
        folder = (info.context or {}).get("folder", "")
        known = raw if isinstance(raw, dict) else {"path": raw}
        path, wanted = known.get("path"), known.get("digest")
        if set(known) - {"path", "digest"} or not isinstance(path, str) or not isinstance(wanted, str | None):
            raise ValueError(f"{raw!r} names no pool; write its path, or {{path: ..., digest: ...}}")
        where = Path(folder, path).absolute()
        names, members = _members(self.read, where, _stamp(where))
        digest = _digest(members)
        if wanted is not None and wanted != digest:
            raise ValueError(f"{path} has the digest {digest}, not {wanted}: restore the pool, or write the new digest")
        return Pool(path, digest, members, names)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        path = {"type": "string"}
        pinned = {"type": "object", "required": ["path"], "properties": {"path": path, "digest": path}}
        return core_schema.with_info_plain_validator_function(
            self,
            serialization=core_schema.plain_serializer_function_ser_schema(_to_json, info_arg=True),
            metadata={"pydantic_js_functions": [lambda schema, handler: {"anyOf": [path, pinned]}]},
        )


def read_arrays(path: Path) -> Iterator[tuple[str, Array]]:
    """Every array of a ``.npy`` or ``.npz`` file with its name, in the order of the names.

    Raises:
        ValueError: The file cannot be read, or holds Python objects.
    """
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                yield path.name, content
                return
            for name in sorted(content.files):
                yield f"{path.name}:{name}", content[name]
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as an array ({error}); write it with numpy.save or savez") from error


def pack(values: Array) -> str:
    """Array of integers as text for a plan: its bytes, little-endian, in base 64.

    Example:
        >>> pack(np.array([1, -1], np.int16)), unpack("AQD//w==", np.int16, (2,)).tolist()
        ('AQD//w==', [1, -1])
    """
    return b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()


def unpack(text: str, dtype: type[np.integer[Any]], shape: tuple[int, ...]) -> Array:
    """The array that :func:`pack` wrote.

    Raises:
        ValueError: The text has another length.
    """
    return np.frombuffer(b64decode(text, validate=True), np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _to_json(pool: Pool, info: Any) -> Any:
    """What the members are and, but for a recipe's digest, where."""
    return {"digest": pool.digest} if (info.context or {}).get("digest") else {"path": pool.path, "digest": pool.digest}


@lru_cache(maxsize=16)
def _members(
    read: Reader, path: Path, stamp: tuple[tuple[str, int, int], ...]
) -> tuple[tuple[str, ...], tuple[Array, ...]]:
    # Cached because a process parses its recipe several times, and harvesting photographs takes seconds.
    try:
        found = read(path)
    except (SourceError, OSError) as error:
        raise ValueError(str(error)) from error
    names, members = (tuple(found), tuple(found.values())) if isinstance(found, Mapping) else ((), tuple(found))
    if not members:
        raise ValueError(f"{path} has nothing that can be drawn; check the path")
    for member in members:
        member.setflags(write=False)
    return names, members


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of the files of a pool: where they are equal, so is the pool."""
    try:
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        found = [(file.as_posix(), file.stat()) for file in files]
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); check the path") from error
    if not found:
        raise ValueError(f"{path} is neither a file nor a folder with files; paths are relative to the recipe's folder")
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in found)


def _digest(members: tuple[Array, ...]) -> str:
    digest = blake2b(digest_size=8)
    for member in members:
        digest.update(f"{member.shape}{member.dtype}".encode())
        digest.update(member.tobytes())
    return digest.hexdigest()
