"""The walk over image pages agrees with what pyarrow wrote, and notices every change to it."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from degradekit.errors import ShardError
from degradekit.shards.pages import stored_values
from degradekit.shards.summary import digest
from degradekit.storage import LocalBlob


def _write(path, values, *, dictionary, page):
    """Write one image column; first byte of its chunk, and the byte after its last."""
    layout = pa.schema([pa.field("gt", pa.binary(), nullable=False)])
    pq.write_table(
        pa.Table.from_arrays([pa.chunked_array([[value] for value in values], pa.binary())], schema=layout),
        path,
        compression="none",
        use_dictionary=dictionary,
        write_statistics=False,
        write_page_checksum=True,
        data_page_size=page,
    )
    chunk = pq.read_metadata(path).row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    return start, start + chunk.total_compressed_size


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.binary(max_size=6) | st.sampled_from([b"", b"a" * 300, b"b"]), min_size=1, max_size=90),
    repeats=st.integers(1, 40),
    dictionary=st.booleans(),
    page=st.sampled_from([1, 64, 1 << 20]),
)
def test_the_walk_finds_every_value_where_it_lies(tmp_path, values, repeats, dictionary, page):
    wanted = [value for value in values for _ in range(repeats)]
    start, stop = _write(tmp_path / "x", wanted, dictionary=dictionary, page=page)
    data = (tmp_path / "x").read_bytes()
    found = stored_values(LocalBlob(tmp_path / "x"), start, stop, rows=len(wanted))
    assert [data[at : at + known.bytes] for at, known in found] == wanted
    assert [known for _, known in found] == [digest(value) for value in wanted]
    if dictionary:
        assert len({at for at, _ in found}) == len(set(wanted))


@pytest.mark.parametrize("dictionary", [True, False])
def test_any_changed_byte_of_a_body_is_found(tmp_path, dictionary):
    wanted = [b"one", b"two" * 20, b"", b"four"] * 3
    path = tmp_path / "x"
    start, stop = _write(path, wanted, dictionary=dictionary, page=1 << 20)
    whole = path.read_bytes()
    good = stored_values(LocalBlob(path), start, stop, rows=12)
    missed = []
    for place in range(start, stop):
        data = bytearray(whole)
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            assert stored_values(LocalBlob(path), start, stop, rows=12) == good
            missed.append(place)
        except ShardError as error:
            assert "damaged" in str(error)
    ends = {at + known.bytes for at, known in good}
    assert len(missed) <= 8, "what a reader does not need: the encoding of levels, whether a dictionary is sorted"
    assert not any(at - 4 <= place < at + known.bytes for place in missed for at, known in good)
    assert all(place < min(ends) or place >= max(ends) for place in missed)
    path.write_bytes(whole)
    with pytest.raises(ShardError, match="damaged"):
        stored_values(LocalBlob(path), start, stop - 1, rows=12)
