import pytest
from hypothesis import given
from hypothesis import strategies as st

from degradekit.canonical import canonical_json
from degradekit.errors import ShardError
from degradekit.shards.summary import ShardInfo, Summary, merge_stats
from degradekit.types import EncodedImage, Record, Tombstone

IMAGE = EncodedImage(b"x", "raw", (1, 1, 1, 1), "uint8")


def _info(values, first=0):
    summary = Summary({"deg.a": "int"})
    for index, value in enumerate(values, first):
        summary.add(Record(index, f"k{index}", 0, IMAGE, IMAGE, "", {} if value is None else {"deg.a": value}))
    return summary.close()


@given(st.lists(st.lists(st.none() | st.integers(-1000, 1000), min_size=1), min_size=1, max_size=4))
def test_statistics_of_shards_merge_to_those_of_the_whole(shards):
    merged: dict = {}
    for values in shards:
        merged = merge_stats(merged, _info(values).stats)
    assert merged == _info([value for values in shards for value in values]).stats


def test_an_info_survives_json():
    summary = Summary({"deg.x": "float"})
    summary.add(Tombstone(5, "k", 1, "read", "why"))
    summary.add(Record(6, "k", 2, IMAGE, IMAGE, "plan", {"deg.x": 0.1}))
    info = summary.close()
    assert ShardInfo.from_json(info.to_json()) == info
    assert info.tombstones == (Tombstone(5, "k", 1, "read", "why"),)


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(ShardError, match="cannot be stored as JSON"):
        Summary({}).add(Record(0, "caf\udce9.png", 0, IMAGE, IMAGE, "", {}))


def test_canonical_json_is_one_text_for_one_value():
    assert canonical_json({"b": [1, 2.5], "a": "ä"}) == '{"a":"ä","b":[1,2.5]}'
    assert canonical_json({"a": "ä", "b": [1, 2.5]}) == '{"a":"ä","b":[1,2.5]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("inf"))
