"""The Parquet layout itself: row groups, encodings, offsets."""

import threading
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from degradekit.errors import ShardError
from degradekit.shards import FORMATS, parquet_file
from degradekit.shards.offsets import ENTRY, Entry, Offsets, Slot, beside, pack_offsets
from degradekit.storage import LocalBlob
from degradekit.types import Record, Tombstone

PARQUET = FORMATS["parquet"]


def _groups(path):
    meta = pq.read_metadata(path)
    return [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]


@pytest.mark.parametrize(
    ("variants", "groups"), [(1, [64, 64, 52]), (4, [64, 64, 52]), (5, [60, 60, 60]), (90, [90, 90])]
)
def test_row_groups_are_cut_between_gts(tmp_path, records, schema, variants, groups):
    PARQUET.write(tmp_path / "shard", records(180, variants=variants), schema=schema)
    assert _groups(tmp_path / "shard") == groups


def test_large_images_make_small_row_groups(tmp_path, records, schema, monkeypatch):
    wanted = records(30, variants=3)
    size = len(wanted[0].gt.data) + len(wanted[0].lq.data)
    monkeypatch.setattr(parquet_file, "GROUP_BYTES", 7 * size)
    PARQUET.write(tmp_path / "shard", wanted, schema=schema)
    assert _groups(tmp_path / "shard") == [6, 6, 6, 6, 6]
    monkeypatch.setattr(parquet_file, "GROUP_BYTES", 1)
    PARQUET.write(tmp_path / "shard", wanted, schema=schema)
    assert _groups(tmp_path / "shard") == [3] * 10
    with PARQUET.open(tmp_path / "shard", offsets=None) as shard:
        assert [shard.read(row) for row in range(30)] == wanted


def test_images_are_uncompressed_and_gts_in_a_dictionary(tmp_path, records, schema):
    PARQUET.write(tmp_path / "shard", records(64, variants=4), schema=schema)
    group = pq.read_metadata(tmp_path / "shard").row_group(0)
    chunks = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert (chunks["gt"].compression, chunks["lq"].compression, chunks["plan"].compression) == (
        "UNCOMPRESSED",
        "UNCOMPRESSED",
        "ZSTD",
    )
    assert "RLE_DICTIONARY" in chunks["gt"].encodings
    assert chunks["lq"].dictionary_page_offset is None
    assert not chunks["gt"].is_stats_set and not chunks["lq"].is_stats_set
    assert (chunks["index"].statistics.min, chunks["index"].statistics.max) == (0, 63)
    quality = chunks["deg.jpeg.quality"].statistics
    assert (quality.min, quality.max) == (-3, 60)


@pytest.mark.parametrize(("first", "variants", "shared"), [(0, 1, False), (0, 2, True), (3, 4, True), (0, 90, True)])
def test_only_gts_with_variants_go_into_a_dictionary(tmp_path, records, schema, monkeypatch, first, variants, shared):
    monkeypatch.setattr(parquet_file, "GROUP_BYTES", 1)  # the first row group of (3, 4) is a last variant alone
    wanted = records(40, first=first, variants=variants, dead=(5,))
    PARQUET.write(tmp_path / "shard", wanted, schema=schema)
    meta = pq.read_metadata(tmp_path / "shard")
    chunks = [meta.row_group(i).column(j) for i in range(meta.num_row_groups) for j in range(meta.num_columns)]
    assert {chunk.has_dictionary_page for chunk in chunks if chunk.path_in_schema == "gt"} == {shared}
    with PARQUET.open(tmp_path / "shard", offsets=None) as shard:
        assert [record for block in shard.blocks() for record in block] == wanted


def test_offsets_point_at_the_bytes_of_every_image(tmp_path, records, schema):
    wanted = records(150, variants=2, dead=(0, 77), size=(200, 220))
    path = tmp_path / "shard.parquet"
    written = PARQUET.write(path, wanted, schema=schema)
    offsets = Offsets(PARQUET.check(path, written).offsets, "name")
    data = path.read_bytes()
    assert (offsets.rows, offsets.first_index, offsets.shard_bytes) == (150, 0, len(data))
    for row, record in enumerate(wanted):
        entry = offsets[row]
        assert (entry.key, entry.variant) == (record.key, record.variant)
        if isinstance(record, Tombstone):
            assert entry.gt is entry.lq is None
            continue
        for slot, image in ((entry.gt, record.gt), (entry.lq, record.lq)):
            assert data[slot.offset : slot.offset + slot.length] == image.data
            assert (slot.codec, slot.dtype, slot.shape) == (image.codec, image.dtype, image.shape)
    assert offsets[2].gt.offset == offsets[3].gt.offset


def test_an_image_that_looks_like_its_neighbour_is_still_found(tmp_path, records, schema):
    base = records(4)
    data = [b"x" * 100 + bytes([i]) for i in (1, 2, 3)] + [(101).to_bytes(4, "little") + b"x" * 97]
    wanted = [
        replace(r, lq=replace(r.lq, data=d), gt=replace(r.gt, data=d * 2)) for r, d in zip(base, data, strict=True)
    ]
    path = tmp_path / "shard.parquet"
    written = PARQUET.write(path, wanted, schema=schema)
    beside(path).write_bytes(PARQUET.check(path, written).offsets)
    with PARQUET.open(path) as shard:
        assert [shard.read(row) for row in range(4)] == wanted


def test_offsets_of_another_shard_are_refused(tmp_path, records, schema):
    for name, count in (("a", 5), ("b", 6)):
        written = PARQUET.write(tmp_path / f"{name}.parquet", records(count), schema=schema)
    beside(tmp_path / "a.parquet").write_bytes(PARQUET.check(tmp_path / "b.parquet", written).offsets)
    with pytest.raises(ShardError, match=r"_a\.idx describes a shard of \d+ bytes"):
        PARQUET.open(tmp_path / "a.parquet").read(0)
    with pytest.raises(ShardError, match=r"the offset file is damaged; delete it"):
        Offsets(b"nonsense", "x")


def test_extreme_values_fit_the_offset_file():
    slot = Slot(2**63, 2**32 - 1, 2**64 - 1, "raw+lz4", "uint16", (2**32 - 1, 2**32 - 1, 1, 2**16 - 1))
    entry = Entry("k" * 65_535, 2**32 - 1, slot, slot)
    offsets = Offsets(pack_offsets([entry], first_index=2**60, shard_bytes=2**62), "x")
    assert offsets[0] == entry
    assert offsets.find(entry.key, entry.variant) == 0
    assert ENTRY.size < 100


def test_threads_may_share_a_reader(tmp_path, records, schema):
    wanted = records(200)
    path = tmp_path / "shard.parquet"
    written = PARQUET.write(path, wanted, schema=schema)
    beside(path).write_bytes(PARQUET.check(path, written).offsets)
    wrong = []

    def read(shift):
        for step in range(100):
            row = (step * 67 + shift) % 200
            if shard.read(row) != wanted[row]:
                wrong.append(row)

    with PARQUET.open(path) as shard:
        threads = [threading.Thread(target=read, args=(shift,)) for shift in (0, 31, 99)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_parquet_file_of_somebody_else_is_named(tmp_path):
    for column in ("a", "gt"):
        pq.write_table(pa.table({column: [b"1"]}), tmp_path / "x.parquet", store_schema=False)
        with pytest.raises(ShardError, match="no intact Parquet shard of degradekit"):
            len(PARQUET.open(tmp_path / "x.parquet"))


def test_a_shard_of_tombstones_only(tmp_path, records, schema):
    wanted = records(3, dead=(0, 1, 2))
    path = tmp_path / "shard.parquet"
    written = PARQUET.write(path, wanted, schema=schema)
    beside(path).write_bytes(PARQUET.check(path, written).offsets)
    assert len(written.info.tombstones) == 3
    with PARQUET.open(path) as shard:
        assert [shard.read(row) for row in range(3)] == wanted
    assert not any(isinstance(record, Record) for record in wanted)
    assert LocalBlob(path).size() == path.stat().st_size
