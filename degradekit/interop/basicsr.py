"""BasicSR's LMDB pair: ``gt.lmdb`` and ``lq.lmdb``, each with ``data.mdb``, ``lock.mdb`` and ``meta_info.txt``.

A key is the image's name without extension; a line of ``meta_info.txt`` is ``name.png (h,w,c) level``. Frames of a clip
follow REDS: ``00000042/00000000.png``. Values are PNG files, which BasicSR decodes to 8-bit BGR.

Source: BasicSR 1.4.2, ``docs/DatasetPreparation.md``, ``basicsr/utils/lmdb_util.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import lmdb

from degradekit.canonical import canonical_json
from degradekit.errors import DegradekitError
from degradekit.interop.pairs import ROLES, Pair

__all__ = ["write"]

LEVEL = 1
"""Compression level that a line names: what our PNGs are written with."""
MAP_BYTES = 1 << 40
"""Address space of a database, as BasicSR's own maker asks for; the file grows only as it is filled."""
COMMIT_EVERY = 1000


def write(pairs: Iterable[Pair], folder: Path, *, codec: str) -> int:
    """Write both databases and ``params.jsonl``; returns how many pairs.

    Args:
        pairs: In ascending order of their names.
        folder: Where.
        codec: What values are encoded with; lines say ``.png`` whatever it is, because BasicSR's keys depend on it.

    Raises:
        DegradekitError: The disk is full.
    """
    try:
        return _write(pairs, folder, codec)
    except lmdb.Error as error:
        raise DegradekitError(f"{folder} cannot be written ({error}); free space there") from error


def _write(pairs: Iterable[Pair], folder: Path, codec: str) -> int:
    count = 0
    with ExitStack() as stack:
        params = stack.enter_context((folder / "params.jsonl").open("w", encoding="utf-8"))
        out = {role: stack.enter_context(_Database(folder / f"{role}.lmdb")) for role in ROLES}
        for pair in pairs:
            for role in ROLES:
                shape = pair.image(role).shape[1:]
                for t, (_, data) in enumerate(pair.files(role, codec)):
                    out[role].put(pair.name if pair.frames == 1 else f"{pair.name}/{t:08d}", data, shape)
            params.write(canonical_json(pair.facts()) + "\n")
            count += 1
    return count


class _Database:
    """One LMDB folder in writing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        # lib_version 0: the file format that every py-lmdb reads.
        self._env: Any = lmdb.open(str(folder), map_size=MAP_BYTES, lib_version=0)
        self._lines: TextIO = (folder / "meta_info.txt").open("w", encoding="ascii")
        self._count = 0
        self._transaction = self._env.begin(write=True)

    def __enter__(self) -> _Database:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._transaction.commit()
            else:
                self._transaction.abort()
        finally:
            self._env.close()
            self._lines.close()

    def put(self, key: str, data: bytes, shape: tuple[int, ...]) -> None:
        """Add one image under a key that sorts behind all before it."""
        self._transaction.put(key.encode("ascii"), data, append=True)
        self._lines.write(f"{key}.png ({','.join(map(str, shape))}) {LEVEL}\n")
        self._count += 1
        if self._count % COMMIT_EVERY == 0:
            self._transaction.commit()
            self._transaction = self._env.begin(write=True)
