"""Arrow columns from Python values by way of their buffers.

``pyarrow.array`` of a list first asks whether the list is a pandas Series, and loads pandas for that where it is
installed: 0.3 s of every process that writes a shard, as long as it takes to make forty pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["arrow_column"]

_NUMBERS: dict[pa.DataType, np.dtype[Any]] = {
    pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64),
    pa.uint64(): np.dtype(np.uint64),
    pa.float64(): np.dtype(np.float64),
}


def arrow_column(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A column of numbers, booleans, strings or lists of one of these; None where there is no value.

    Args:
        cells: The values.
        kind: Their type.

    Example:
        >>> arrow_column([1.5, None], pa.float64()).to_pylist(), arrow_column(["é", None, ""], pa.string()).to_pylist()
        ([1.5, None], ['é', None, ''])
    """
    present = [cell is not None for cell in cells]
    valid = None if all(present) else _bits(present)
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(kind, len(cells), [valid, _bits([bool(cell) for cell in cells])])
    if kind in _NUMBERS:
        values = np.array([cell or 0 for cell in cells], _NUMBERS[kind])
        return pa.Array.from_buffers(kind, len(cells), [valid, pa.py_buffer(values)])
    if pa.types.is_list(kind):
        parts = [cell or () for cell in cells]
        inner = arrow_column([value for part in parts for value in part], kind.value_type)
        return pa.Array.from_buffers(kind, len(cells), [valid, _ends(parts)], children=[inner])
    texts = [(cell or "").encode() for cell in cells]
    return pa.Array.from_buffers(kind, len(cells), [valid, _ends(texts), pa.py_buffer(b"".join(texts))])


def _bits(flags: Sequence[bool]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(np.array(flags, np.bool_), bitorder="little"))


def _ends(parts: Sequence[Sequence[Any]]) -> pa.Buffer:
    """Where each part begins, and the last ends."""
    return pa.py_buffer(np.cumsum([0, *map(len, parts)], dtype=np.int32))
