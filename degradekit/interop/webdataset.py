"""WebDataset tars: ``00000042.gt.png``, ``00000042.lq.png`` and ``00000042.json`` follow each other in a shard.

Tars are written with the standard library and carry no time and no owner: the same pairs give the same bytes.

Source: the WebDataset format specification: files of one sample share the name up to the first dot.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from degradekit.canonical import canonical_json
from degradekit.interop.pairs import ROLES, Pair, chunked, still

__all__ = ["write"]

SHARD_PAIRS = 1000


def write(pairs: Iterable[Pair], folder: Path, *, codec: str) -> int:
    """Write ``shard-000000.tar`` and so on; returns how many pairs."""
    count = 0
    for number, some in enumerate(chunked(pairs, SHARD_PAIRS)):
        with tarfile.open(folder / f"shard-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for pair in some:
                for role in ROLES:
                    ((extension, data),) = still(pair, "WebDataset").files(role, codec)
                    _add(tar, f"{pair.name}.{role}.{extension}", data)
                _add(tar, f"{pair.name}.json", canonical_json(pair.facts()).encode())
                count += 1
    return count


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
