"""The LMDB layout itself: compact, without leftovers, and safe to open."""

import lmdb
import pytest
from lmdb.verify import verify

from degradekit.errors import ShardError
from degradekit.shards import FORMATS, lmdb_file, lmdb_reader
from degradekit.types import Record

LMDB = FORMATS["lmdb"]


@pytest.mark.parametrize("block", [1, 5_000, 32 << 20])
def test_any_number_of_transactions_gives_a_compact_sound_file(tmp_path, records, schema, monkeypatch, block):
    wanted = records(120, variants=2, dead=(9,), size=(120, 120))
    monkeypatch.setattr(lmdb_file, "BLOCK_BYTES", block)
    path = tmp_path / "shard.lmdb"
    LMDB.write(path, wanted, schema=schema)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shard.lmdb"]
    assert verify(str(path), subdir=False) == []
    assert LMDB.damage(path) is None
    stat = path.stat()
    assert stat.st_blocks * 512 >= stat.st_size
    gts = {r.key: len(r.gt.data) for r in wanted if isinstance(r, Record)}
    values = sum(-(-(size + 16) // 4096) for size in gts.values()) + sum(isinstance(r, Record) for r in wanted)
    assert stat.st_size < 4096 * (values + 40)
    with LMDB.open(path) as shard:
        assert [shard.read(row) for row in range(120)] == wanted


def test_blocks_of_large_images_are_short(tmp_path, records, schema, monkeypatch):
    wanted = records(20)
    path = tmp_path / "shard.lmdb"
    LMDB.write(path, wanted, schema=schema)
    monkeypatch.setattr(lmdb_reader, "BLOCK_BYTES", 3 * (len(wanted[0].gt.data) + len(wanted[0].lq.data)) - 50)
    with LMDB.open(path) as shard:
        blocks = list(shard.blocks())
    assert max(map(len, blocks)) <= 4
    assert [record for block in blocks for record in block] == wanted


def test_writing_replaces_what_a_dead_builder_left(tmp_path, records, schema):
    path = tmp_path / "shard.lmdb"
    LMDB.write(path, records(50), schema=schema)
    LMDB.write(path, records(3), schema=schema)
    first = path.read_bytes()
    path.unlink()
    LMDB.write(path, records(3), schema=schema)
    assert path.read_bytes() == first


def test_every_mapping_is_released(tmp_path, records, schema):
    path = tmp_path / "shard.lmdb"
    LMDB.write(path, records(3), schema=schema)
    readers = [LMDB.open(path, readahead=readahead) for readahead in (True, False)]
    for reader in readers:
        reader.read(1)
    assert len(lmdb_reader._MAPPINGS) == 1
    for reader in readers:
        reader.close()
        reader.close()
    assert lmdb_reader._MAPPINGS == {}
    reader = LMDB.open(path)
    reader.read(0)
    del reader
    assert lmdb_reader._MAPPINGS == {}


def test_a_failing_engine_is_a_shard_error(tmp_path, records, schema, monkeypatch):
    def full(*arguments, **options):
        raise lmdb.DiskError("no space left on device")

    monkeypatch.setattr(lmdb, "open", full)
    with pytest.raises(ShardError, match=r"no space left on device; \d+ MB are free there"):
        LMDB.write(tmp_path / "shard.lmdb", records(3), schema=schema)


def test_broken_pages_are_named_without_opening_the_file(tmp_path, records, schema):
    path = tmp_path / "shard.lmdb"
    LMDB.write(path, records(64, size=(64, 64)), schema=schema)
    data = bytearray(path.read_bytes())
    data[4096 * 2 + 16 : 4096 * 2 + 64] = b"\xff" * 48
    path.write_bytes(data)
    assert "page" in LMDB.damage(path)
    path.write_bytes(b"")
    assert LMDB.damage(path)
