"""Columns built from buffers are what pyarrow makes of the same values, and pandas stays out of it."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.shards.arrow_column import arrow_column

KINDS = {
    pa.bool_(): st.booleans(),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.string(): st.text(),
    pa.list_(pa.int32()): st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
}


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(deadline=None)  # the first pa.array loads pandas
@given(data=st.data())
def test_it_is_what_pyarrow_makes(kind, data):
    cells = data.draw(st.lists(st.none() | KINDS[kind], max_size=40))
    column = arrow_column(cells, kind)
    column.validate(full=True)
    assert column.equals(pa.array(cells, kind))
    assert column.null_count == cells.count(None)


def test_a_text_that_utf8_cannot_hold_is_an_error():
    with pytest.raises(UnicodeEncodeError):
        arrow_column(["\ud800"], pa.string())


def test_pandas_is_not_loaded():
    code = """
import sys
import pyarrow as pa
from degradekit.shards.arrow_column import arrow_column
arrow_column([1], pa.int64()), arrow_column(["a"], pa.string()), arrow_column([(1, 2)], pa.list_(pa.int32()))
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
