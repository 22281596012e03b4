"""HDF5: ``gt`` and ``lq`` as arrays ``[N, H, W, C]`` (``[N, T, H, W, C]`` of clips), a chunk each, and the parameters.

``key`` and ``params`` (JSON) are strings, ``columns/<name>`` the typed parameters, NaN or an empty text where a step
did not run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from degradekit.canonical import canonical_json
from degradekit.errors import DegradekitError
from degradekit.interop.optional import need
from degradekit.interop.pairs import ROLES, Pair, chunked
from degradekit.shards.summary import Schema
from degradekit.types import Array

__all__ = ["write"]

BLOCK = 64
"""Pairs written at a time; a few tens of megabytes of pixels."""


def write(pairs: Iterable[Pair], folder: Path, *, schema: Schema) -> int:
    """Write ``pairs.h5``; returns how many pairs.

    Raises:
        DegradekitError: h5py is missing, or two pairs differ in size or depth.
    """
    h5py = need("h5py", "export to HDF5")
    count = 0
    with h5py.File(folder / "pairs.h5", "w") as file:
        for some in chunked(pairs, BLOCK):
            if not count:
                _create(file, some[0], schema, h5py.string_dtype())
            _append(file, some, count, schema)
            count += len(some)
    return count


def _create(file: Any, pair: Pair, schema: Schema, text: Any) -> None:
    for role in ROLES:
        shape, dtype = _shape(pair, role), pair.image(role).dtype
        # gzip, because every HDF5 library reads it; level 1, because higher ones gain 1 % on photographs.
        whole: dict[str, Any] = {"maxshape": (None, *shape), "chunks": (1, *shape), "compression": "gzip"}
        file.create_dataset(role, (0, *shape), dtype, compression_opts=1, **whole)
    for name in ("key", "params"):
        file.create_dataset(name, (0,), text, maxshape=(None,))
    for name, kind in schema.items():
        file.create_dataset(f"columns/{name}", (0,), text if kind == "str" else "f8", maxshape=(None,))


def _append(file: Any, some: list[Pair], first: int, schema: Schema) -> None:
    last = first + len(some)
    for name, values in _values(file, some, schema).items():
        file[name].resize(last, axis=0)
        file[name][first:last] = values


def _values(file: Any, some: list[Pair], schema: Schema) -> dict[str, Any]:
    records = [pair.record for pair in some]
    out: dict[str, Any] = {role: np.stack([_pixels(file, pair, role) for pair in some]) for role in ROLES}
    out["key"] = [record.key for record in records]
    out["params"] = [canonical_json(pair.facts()) for pair in some]
    for name, kind in schema.items():
        missing: Any = "" if kind == "str" else math.nan
        out[f"columns/{name}"] = [record.columns.get(name, missing) for record in records]
    return out


def _shape(pair: Pair, role: str) -> tuple[int, ...]:
    shape = pair.image(role).shape
    return shape if pair.frames > 1 else shape[1:]


def _pixels(file: Any, pair: Pair, role: str) -> Array:
    want, have = (file[role].shape[1:], file[role].dtype.name), (_shape(pair, role), pair.image(role).dtype)
    if want != have:
        raise DegradekitError(
            f"{role} of {pair.record.key} is {have[0]} {have[1]}, the ones before are {want[0]} {want[1]}; HDF5 holds "
            "one array of equal images: export to folders or basicsr"
        )
    return pair.pixels(role).reshape(have[0])
