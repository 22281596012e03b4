"""Doors to the neighbours: one file for each format that a dataset can be written in, and the import of old datasets.

::

    from degradekit.interop import export, import_pairs, to_ray_dataset

    export(open_dataset("out"), "basicsr", "old", ratios={"train": 0.9, "val": 0.1})
    import_pairs("DIV2K/HR", "DIV2K/LR_x4", "out")
    import_pairs("gt.lmdb", "lq.lmdb", "out")
"""

from __future__ import annotations

from degradekit.interop.export import EXPORTS, export
from degradekit.interop.imports import import_pairs
from degradekit.interop.ray_data import to_ray_dataset

__all__ = ["EXPORTS", "export", "import_pairs", "to_ray_dataset"]
