"""Hugging Face Parquet: image columns that ``datasets.load_dataset`` and the hub's viewer show as images.

Images are structs of bytes and path, and the file's metadata name them features of type Image; typed parameters are
ordinary columns. Our own shards can be loaded too, without export (``docs/interop.md``): there images are plain binary
columns, which have to be cast.

Source: ``datasets`` documentation, ``Image`` feature and its storage ``struct<bytes: binary, path: string>``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from degradekit.canonical import canonical_json
from degradekit.interop.pairs import ROLES, Pair, chunked, still
from degradekit.shards.summary import Schema

__all__ = ["write"]

GROUP_ROWS = 100
"""Rows of a row group, what the hub recommends for images."""
GROUPS = 50
"""Row groups of a file."""

_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "str": pa.string()}
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(pairs: Iterable[Pair], folder: Path, *, codec: str, schema: Schema) -> int:
    """Write ``pairs-00000.parquet`` and so on; returns how many pairs.

    Args:
        pairs: Pairs of images.
        folder: Where; a folder named ``train``, ``val`` or ``test`` becomes the split of that name.
        codec: In ``IMAGE_CODECS``.
        schema: Typed columns of the dataset.
    """
    layout = _layout(schema)
    count = 0
    with ExitStack() as stack:
        for number, some in enumerate(chunked(pairs, GROUP_ROWS)):
            if number % GROUPS == 0:
                stack.close()
                file = folder / f"pairs-{number // GROUPS:05d}.parquet"
                writer = stack.enter_context(pq.ParquetWriter(file, layout, compression="zstd"))
            rows = [_row(still(pair, "the Image feature"), codec) for pair in some]
            writer.write_table(pa.Table.from_pylist(rows, layout))
            count += len(some)
    return count


def _layout(schema: Schema) -> pa.Schema:
    fixed = {"index": "int", "key": "str", "variant": "int", "plan": "str", "meta": "str"}
    fields = [pa.field(role, _IMAGE) for role in ROLES]
    fields += [pa.field(name, _TYPES[kind]) for name, kind in {**fixed, **schema}.items()]
    features: dict[str, Any] = {role: {"_type": "Image"} for role in ROLES}
    for field in fields[len(ROLES) :]:
        features[field.name] = {"dtype": str(field.type).replace("double", "float64"), "_type": "Value"}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _row(pair: Pair, codec: str) -> dict[str, Any]:
    record = pair.record
    row: dict[str, Any] = {"index": record.index, "key": record.key, "variant": record.variant}
    for role in ROLES:
        ((extension, data),) = pair.files(role, codec)
        row[role] = {"bytes": data, "path": f"{pair.name}.{role}.{extension}"}
    return {**row, "plan": record.plan, "meta": canonical_json(record.meta), **record.columns}
