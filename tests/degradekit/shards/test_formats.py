"""What every shard format promises, whatever its layout."""

import multiprocessing
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from degradekit.codecs import CODECS, checksum, decode, encode
from degradekit.errors import ShardError
from degradekit.shards import FORMATS, PARTS
from degradekit.shards.interface import summarise
from degradekit.shards.offsets import beside
from degradekit.types import EncodedImage, Record, Tombstone


@pytest.fixture(params=sorted(FORMATS))
def layout(request):
    return FORMATS[request.param]


def _write(layout, path, records, schema):
    written = layout.write(path, iter(records), schema=schema)
    offsets = layout.check(path, written).offsets
    if offsets is not None:
        beside(path).write_bytes(offsets)
    return written.info


def _all(reader, parts=PARTS):
    return [record for block in reader.blocks(parts) for record in block]


@pytest.mark.parametrize("variants", [1, 4])
def test_records_come_back_as_they_were_by_row_and_in_blocks(layout, tmp_path, records, schema, variants):
    wanted = records(150, first=300, variants=variants, dead=(300, 333, 449))
    path = tmp_path / f"shard{layout.suffix}"
    info = _write(layout, path, wanted, schema)
    with layout.open(path) as shard:
        assert len(shard) == info.rows == 150
        assert shard.first_index == info.first_index == 300
        assert shard.schema() == schema
        assert [shard.read(row) for row in range(150)] == wanted
        assert _all(shard) == wanted
        assert max(len(block) for block in shard.blocks()) <= 64
    assert [tombstone.index for tombstone in info.tombstones] == [300, 333, 449]


def test_offsets_are_optional(tmp_path, records, schema):
    wanted = records(70, variants=2, dead=(5,))
    layout = FORMATS["parquet"]
    path = tmp_path / "shard.parquet"
    _write(layout, path, wanted, schema)
    with layout.open(path, offsets=None) as slow, layout.open(path) as fast:
        for row in (69, 0, 5, 33, 64):
            for parts in (PARTS, ("gt",), ("lq", "columns"), ("meta",), ()):
                assert slow.read(row, parts) == fast.read(row, parts)
        assert slow.find(wanted[40].key, 0) == fast.find(wanted[40].key, 0) == 40


def test_parts_that_were_not_asked_for_stay_empty(layout, tmp_path, records, schema):
    wanted = records(10)
    path = tmp_path / f"shard{layout.suffix}"
    _write(layout, path, wanted, schema)
    with layout.open(path) as shard:
        empty = shard.read(4, ())
        assert (empty.gt.data, empty.lq.data, empty.plan, empty.columns, empty.meta) == (b"", b"", "", {}, {})
        assert (empty.index, empty.key, empty.variant) == (4, wanted[4].key, 0)
        assert (empty.gt.shape, empty.gt.codec, empty.gt.dtype) == ((1, 16, 20, 3), "png", "uint8")
        for part in PARTS:
            other = [name for name in PARTS if name != part]
            assert getattr(shard.read(4, (part,)), part) == getattr(wanted[4], part)
            assert shard.read(4, (part,)) == replace(shard.read(4), **{name: getattr(empty, name) for name in other})
            assert _all(shard, (part,))[4] == shard.read(4, (part,))
        with pytest.raises(ShardError, match=r"no part pixels; it has gt, lq"):
            shard.read(4, ("pixels",))
        for row in (-1, 10):
            with pytest.raises(ShardError, match=rf"has no row {row}; it has 10"):
                shard.read(row)


def test_typed_columns_and_names_without_pixels(layout, tmp_path, records, schema):
    wanted = records(70, first=70, variants=2, dead=(90,))
    path = tmp_path / f"shard{layout.suffix}"
    _write(layout, path, wanted, schema)
    with layout.open(path) as shard:
        table = shard.table(["deg.blur.op", "gt.flip.done"])
        assert table.column_names == ["index", "key", "variant", "status", "deg.blur.op", "gt.flip.done"]
        assert table["index"].to_pylist() == list(range(70, 140))
        assert table["status"].to_pylist().count("tombstone") == 1
        expected = [record.columns.get("deg.blur.op") if isinstance(record, Record) else None for record in wanted]
        assert table["deg.blur.op"].to_pylist() == expected
        assert [str(field.type) for field in shard.table().schema][4:] == ["string", "double", "int64", "bool"]
        with pytest.raises(ShardError, match=r"no column deg\.typo"):
            shard.table(["deg.typo"])
        for row in (0, 20, 69):
            assert shard.find(wanted[row].key, wanted[row].variant) == row
        assert shard.find(wanted[0].key, 7) is None
        assert shard.find("img", 0) is None


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    codec=st.sampled_from(sorted(CODECS)),
    shape=st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    scale=st.integers(1, 3),
    data=st.data(),
)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_any_image_in_any_codec_survives_any_format(name, tmp_path, codec, shape, dtype, scale, data):
    t, h, w, c = shape
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    clips = [rng.integers(0, np.iinfo(dtype).max + 1, s).astype(dtype) for s in ((t, h * scale, w * scale, c), shape)]
    key = data.draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
    plan = data.draw(st.text(st.characters(exclude_categories=["Cs"])))
    record = Record(0, key, 0, encode(clips[0], codec), encode(clips[1], codec), plan, {})
    path = tmp_path / f"shard{FORMATS[name].suffix}"
    _write(FORMATS[name], path, [record], {})
    with FORMATS[name].open(path) as shard:
        back = shard.read(0)
    assert back == record
    assert np.array_equal(decode(back.gt), clips[0])
    assert np.array_equal(decode(back.lq), clips[1])


def test_the_logical_hash_is_that_of_the_content(tmp_path, records, schema):
    wanted = records(40, variants=2, dead=(7,))
    hashes = {name: _write(FORMATS[name], tmp_path / name, wanted, schema) for name in FORMATS}
    assert len(set(map(repr, hashes.values()))) == 1
    for name, layout in FORMATS.items():
        with layout.open(tmp_path / name, offsets=None) as shard:
            assert summarise(shard) == hashes[name]
    logical = hashes["lmdb"].logical
    changes = [
        {"plan": "{}"},
        {"variant": 5},
        {"key": "other"},
        {"meta": {}},
        {"columns": {}},
        {"lq": replace(wanted[12].lq, data=wanted[12].lq.data + b"x")},
        {"gt": replace(wanted[12].gt, codec="webp")},
        {"gt": replace(wanted[12].gt, shape=(1, 20, 16, 3))},
    ]
    for change in changes:
        other = [*wanted[:12], replace(wanted[12], **change), *wanted[13:]]
        assert FORMATS["lmdb"].write(tmp_path / "other", other, schema=schema).info.logical != logical


def test_equal_records_give_equal_bytes(layout, tmp_path, records, schema):
    files = []
    for name in "ab":
        _write(layout, tmp_path / name, records(130, variants=2, dead=(4,)), schema)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("variants", [2, 5, 70])
def test_variants_share_the_bytes_of_their_gt(layout, tmp_path, records, schema, variants):
    count = 140
    wanted = records(count, variants=variants, dead=(0, variants + 1), size=(64, 64))
    path = tmp_path / "shard"
    _write(layout, path, wanted, schema)
    gts = {record.key: record.gt.data for record in wanted if isinstance(record, Record)}
    whole = path.read_bytes()
    assert sum(whole.count(data) for data in gts.values()) == len(gts)
    images = sum(map(len, gts.values())) + sum(len(r.lq.data) for r in wanted if isinstance(r, Record))
    per_record = 4096 if layout.suffix == ".lmdb" else 100  # LMDB rounds every large value up to pages
    assert len(whole) < images + per_record * (count + len(gts)) + 32_768
    with layout.open(path) as shard:
        assert _all(shard) == wanted


def test_one_key_with_two_gts_keeps_both(layout, tmp_path, records, schema):
    wanted = records(4, variants=4)
    other = encode(np.zeros((1, 16, 20, 3), np.uint8), "png")
    wanted[2] = replace(wanted[2], gt=other)
    _write(layout, tmp_path / "shard", wanted, schema)
    with layout.open(tmp_path / "shard", offsets=None) as shard:
        assert [shard.read(row) for row in range(4)] == wanted


def test_gaps_duplicates_and_strangers_are_refused(layout, tmp_path, records, schema):
    good = records(6)
    cases = {
        r"index 4 where 3 follows": [*good[:3], *good[4:]],
        r"index 2 where 3 follows": [*good[:3], good[2]],
        r"variant 0 occurs twice": [*good[:3], replace(good[3], key=good[0].key)],
        r"columns that the schema lacks: deg\.new": [replace(good[0], columns={"deg.new": 1})],
        r"deg\.jpeg\.quality: 1\.5 is float, the schema says int": [
            replace(good[0], columns={"deg.jpeg.quality": 1.5})
        ],
        r"True is bool, the schema says int": [replace(good[0], columns={"deg.jpeg.quality": True})],
        r"nan is not a finite number": [replace(good[0], columns={"deg.blur.sigma": float("nan")})],
        r"does not fit 64 bits": [replace(good[0], columns={"deg.jpeg.quality": 2**63})],
        r"occurs twice or has no name": [replace(good[0], key="")],
        r"no records": [],
    }
    for message, stream in cases.items():
        with pytest.raises(ShardError, match=message):
            layout.write(tmp_path / "shard", stream, schema=schema)
    with pytest.raises(ShardError, match="type 'complex'; choose one of bool"):
        layout.write(tmp_path / "shard", good, schema={"deg.x": "complex"})
    with pytest.raises(ShardError, match="'index' could clash with a fixed column"):
        layout.write(tmp_path / "shard", good, schema={"index": "int"})


def test_values_take_the_type_of_their_column(layout, tmp_path, records):
    schema = {"deg.a": "float", "deg.b": "str"}
    record = replace(records(1)[0], columns={"deg.a": 2, "deg.b": True})
    layout.write(tmp_path / "shard", [record], schema=schema)
    with layout.open(tmp_path / "shard", offsets=None) as shard:
        columns = shard.read(0).columns
    assert columns == {"deg.a": 2.0, "deg.b": "true"}
    assert type(columns["deg.a"]) is float


def test_statistics_are_of_the_stored_values(layout, tmp_path, records, schema):
    wanted = records(20, dead=(19,))
    info = layout.write(tmp_path / "shard", wanted, schema=schema).info
    assert info.stats["deg.jpeg.quality"] == {"count": 19, "min": -3, "max": 15, "sum": sum(range(-3, 16))}
    assert info.stats["deg.blur.op"] == {"count": sum(1 for i in range(19) if i % 3)}
    assert info.stats["gt.flip.done"] == {"count": 12, "min": 0, "max": 1, "sum": 6}


def _digest(reader, row, queue):
    queue.put(checksum(reader.read(row).gt.data))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_open_reader_works_in_other_processes_and_stays_open_here(layout, tmp_path, records, schema, method):
    wanted = records(70)
    path = tmp_path / f"shard{layout.suffix}"
    _write(layout, path, wanted, schema)
    context = multiprocessing.get_context(method)
    with layout.open(path) as shard:
        shard.read(3)
        queue = context.SimpleQueue()
        workers = [context.Process(target=_digest, args=(shard, row, queue)) for row in (3, 66)]
        for worker in workers:
            worker.start()
        got = {queue.get(), queue.get()}
        for worker in workers:
            worker.join()
        assert got == {checksum(wanted[3].gt.data), checksum(wanted[66].gt.data)}
        assert shard.read(66) == wanted[66]
        assert pickle.loads(pickle.dumps(shard)).read(5) == wanted[5]


def test_two_readers_of_one_file_close_independently(layout, tmp_path, records, schema):
    wanted = records(5)
    path = tmp_path / f"shard{layout.suffix}"
    _write(layout, path, wanted, schema)
    first, second = layout.open(path), layout.open(path)
    assert first.read(1) == second.read(1) == wanted[1]
    first.close()
    assert second.read(2) == wanted[2]
    assert first.read(3) == wanted[3]
    second.close()
    first.close()


def test_what_is_no_shard_is_said_to_be_none(layout, tmp_path, records, schema):
    nonsense = tmp_path / f"nonsense{layout.suffix}"
    nonsense.write_bytes(b"PAR1" + bytes(9000))
    with pytest.raises(ShardError, match="is no intact"):
        len(layout.open(nonsense))
    with pytest.raises(ShardError, match=r"gone\..*"):
        len(layout.open(tmp_path / f"gone{layout.suffix}"))
    whole = tmp_path / f"shard{layout.suffix}"
    layout.write(whole, records(80), schema=schema)
    data = whole.read_bytes()
    for size in (0, 10, 5000, len(data) // 2, len(data) - 1):
        nonsense.write_bytes(data[:size])
        with pytest.raises(ShardError, match=r"intact|truncated|missing"):
            layout.open(nonsense).read(79)


def test_a_tombstone_reads_as_one_whatever_is_asked(layout, tmp_path, records, schema):
    path = tmp_path / f"shard{layout.suffix}"
    _write(layout, path, records(3, dead=(1,)), schema)
    with layout.open(path) as shard:
        for parts in ((), ("gt", "lq"), PARTS):
            assert shard.read(1, parts) == Tombstone(1, "földer/img0001.png#0,0", 0, "read", "truncated, ä at 1")


def test_an_image_of_memoryview_bytes_is_stored(layout, tmp_path, records, schema):
    record = records(1)[0]
    view = replace(record, gt=EncodedImage(memoryview(record.gt.data), "png", record.gt.shape, "uint8"))
    path = tmp_path / f"shard{layout.suffix}"
    _write(layout, path, [view], schema)
    with layout.open(path) as shard:
        assert shard.read(0) == record
