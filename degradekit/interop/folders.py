"""Paired folders: ``gt/00000042.png``, ``lq/00000042.png`` and a line in ``params.jsonl``; a clip: a folder of frames.

Read by everything that trains on paired images: BasicSR's and mmagic's folder datasets, KAIR, NAFNet, SwinIR.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from degradekit.canonical import canonical_json
from degradekit.interop.pairs import ROLES, Pair

__all__ = ["write"]


def write(pairs: Iterable[Pair], folder: Path, *, codec: str) -> int:
    """Write paired folders; returns how many pairs."""
    count = 0
    for role in ROLES:
        (folder / role).mkdir(parents=True)
    with (folder / "params.jsonl").open("w", encoding="utf-8") as params:
        for pair in pairs:
            for role in ROLES:
                for t, (extension, data) in enumerate(pair.files(role, codec)):
                    file = folder / role / (pair.name if pair.frames == 1 else f"{pair.name}/{t:08d}")
                    file.parent.mkdir(exist_ok=True)
                    file.with_name(f"{file.name}.{extension}").write_bytes(data)
            params.write(canonical_json(pair.facts()) + "\n")
            count += 1
    return count
