"""Shards: records in files of a fixed count, in one of two formats behind one interface.

::

    written = FORMATS["parquet"].write(path, records, schema=recipe.columns())  # not committed yet
    with FORMATS["parquet"].open(path) as shard:                                # lazy; picklable; fork- and spawn-safe
        len(shard), shard.first_index
        shard.read(3)                                # -> Record | Tombstone
        shard.read(3, parts=("lq", "gt"))            # what is not asked for stays empty: b"", "", {}
        for block in shard.blocks():                 # lists of records, row group by row group
            ...
        shard.table(["deg.jpeg.quality"])            # pyarrow table: index, key, variant, status and columns; no pixels
        shard.find("cat.png", 0)                     # -> row or None

    # degradekit.shards.commit: the only way a shard gets into a dataset
    receipt = commit(store, number, records, format="parquet", schema=schema)   # -> Receipt, idempotent
    receipts = committed(store)                      # {number: Receipt}, from the sidecars
    sweep(store)                                     # delete what no sidecar vouches for

    # degradekit.shards.manifest: written last
    finish(store, receipts, facts)                   # quarantine.jsonl, manifest.parquet, dataset.json
    # degradekit.shards.dataset
    dataset = open_dataset("out")                    # folder or URI
    len(dataset), dataset.read(17), dataset.locate(17), dataset.find("cat.png", 0)
    # degradekit.shards.verify
    verify_dataset("out")                            # -> list of problems, each one sentence

A sample's shard is arithmetic (``index // shard_size``), so a pair that could not be made leaves a ``Tombstone`` and
moves no other. Columns are typed by the recipe (``Schema``: column -> ``bool``, ``int``, ``float``, ``str``).
The bytes on disk are documented in ``docs/format.md``.
"""

from __future__ import annotations

from degradekit.shards.interface import PARTS, ShardFormat, ShardReader
from degradekit.shards.lmdb_file import LmdbFormat
from degradekit.shards.parquet_file import ParquetFormat
from degradekit.shards.summary import Schema, ShardInfo

__all__ = ["FORMATS", "PARTS", "Schema", "ShardFormat", "ShardInfo", "ShardReader"]

FORMATS: dict[str, ShardFormat] = {"parquet": ParquetFormat(), "lmdb": LmdbFormat()}
"""Every shard format by the name that a command line uses."""
