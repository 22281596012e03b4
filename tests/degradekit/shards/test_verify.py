"""Damage anywhere is found and named."""

import json
from dataclasses import replace

import numpy as np
import pytest

from degradekit.codecs import encode
from degradekit.shards import FORMATS
from degradekit.shards.commit import commit, sealed
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.shards.offsets import beside
from degradekit.shards.verify import verify_dataset, verify_shard
from degradekit.storage import open_store
from degradekit.types import Record

SAMPLES, SIZE = 96, 72


def build(folder, stream, schema, *, format, scale=4):
    store = open_store(folder)
    for number in range(-(-len(stream) // SIZE)):
        commit(store, number, stream[number * SIZE : (number + 1) * SIZE], format=format, schema=schema)
    facts = BuildFacts("recipe", "0" * 32, 1, scale, format, "png", SIZE, 2, len(stream), schema)
    finish(store, facts)


@pytest.fixture(params=sorted(FORMATS))
def format(request):
    return request.param


@pytest.fixture
def out(tmp_path, records, schema, format):
    build(tmp_path / "out", records(SAMPLES, variants=2, dead=(6,)), schema, format=format)
    return tmp_path / "out"


def _flip(path, place, bit=5):
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def test_a_sound_dataset_has_no_problems(out):
    assert verify_dataset(out) == []
    assert verify_dataset(out, pixels=False) == []
    assert verify_shard(open_dataset(out), 1) == []
    assert verify_dataset(out, workers=2) == []


def test_any_flipped_bit_is_found(out, format):
    shard = out / f"data/shard-000000{FORMATS[format].suffix}"
    whole = shard.read_bytes()
    dataset = open_dataset(out)
    rng = np.random.default_rng(0)
    places = {0, 3, 4, len(whole) - 1, len(whole) - 5, *rng.integers(0, len(whole), 40).tolist()}
    for place in sorted(places):
        _flip(shard, place, bit=place % 8)
        problems = verify_shard(open_dataset(out), 0)
        assert problems, f"byte {place}"
        assert all("shard-000000" in problem for problem in problems), problems
        shard.write_bytes(whole)
    assert verify_shard(dataset, 0) == []


@pytest.mark.parametrize("role", ["gt", "lq"])
@pytest.mark.parametrize("offsets", [True, False])
def test_a_flipped_bit_in_an_image_names_shard_row_sample_and_column(out, format, role, offsets):
    dataset = open_dataset(out)
    record = dataset.read(41)
    dataset.close()
    shard = out / f"data/shard-000000{FORMATS[format].suffix}"
    if not offsets:
        beside(shard).unlink(missing_ok=True)
    _flip(shard, shard.read_bytes().index(getattr(record, role).data) + 20)
    problems = verify_shard(open_dataset(out), 0)
    rows = (40, 41) if role == "gt" else (41,)
    if format == "lmdb" or offsets:
        file = f"shard-000000{FORMATS[format].suffix}"
        names = [f"{file}: row {row} (sample {record.key!r}, variant {row - 40}), {role}" for row in rows]
        assert len(problems) == len(rows)
        assert all(name in problem for name, problem in zip(names, problems, strict=True))
    else:  # the page's checksum covers a whole row group
        assert len(problems) == 1
        assert f"row group 0 (rows from 0), column {role}" in problems[0]


def test_a_flipped_bit_in_a_plan_is_named(out, format):
    shard = out / f"data/shard-000000{FORMATS[format].suffix}"
    if format == "lmdb":
        place = shard.read_bytes().index(b'{"draw":50,')
        expected = "row 50"
    else:
        import pyarrow.parquet as pq

        meta = pq.read_metadata(shard).row_group(0)
        chunk = next(meta.column(i) for i in range(meta.num_columns) if meta.column(i).path_in_schema == "plan")
        place = chunk.data_page_offset + chunk.total_compressed_size - 10
        expected = "row group 0 (rows from 0)"
    _flip(shard, place)
    problems = verify_shard(open_dataset(out), 0)
    assert len(problems) >= 1
    assert expected in problems[0]


def test_truncated_missing_and_swapped_shards_are_named(out, format):
    first, second = (out / f"data/shard-00000{n}{FORMATS[format].suffix}" for n in (0, 1))
    data = first.read_bytes(), second.read_bytes()
    first.write_bytes(data[0][:-100])
    (problem,) = verify_dataset(out)
    assert f"{first.name} has {len(data[0]) - 100} bytes, the manifest says {len(data[0])}" in problem
    first.write_bytes(data[1])
    assert any(first.name in problem for problem in verify_dataset(out))
    first.unlink()
    assert any(f"{first.name} is missing" in problem for problem in verify_dataset(out))
    first.write_bytes(data[0])
    assert verify_dataset(out) == []


def test_a_damaged_or_missing_offset_file(tmp_path, records, schema):
    build(tmp_path, records(10), schema, format="parquet")
    offsets = tmp_path / "data/_shard-000000.idx"
    whole = offsets.read_bytes()
    for place in range(0, len(whole), 97):
        _flip(offsets, place)
        (problem,) = verify_dataset(tmp_path)
        assert "_shard-000000.idx is damaged" in problem
        offsets.write_bytes(whole)
    offsets.unlink()
    assert verify_dataset(tmp_path) == []
    assert isinstance(open_dataset(tmp_path).read(3), Record)


def test_sidecars_quarantine_and_strays_are_checked(out, format):
    suffix = FORMATS[format].suffix
    sidecar = out / "data/_shard-000001.json"
    text = sidecar.read_text()
    content = json.loads(text)
    content.pop("digest")
    content["info"]["rows"] += 1
    sidecar.write_bytes(sealed(content))
    assert any("shard-000001.json and manifest.parquet differ" in problem for problem in verify_dataset(out))
    sidecar.write_text(text.replace('"rows"', '"r0ws"'))
    assert any("shard-000001.json was changed" in problem for problem in verify_dataset(out))
    sidecar.write_text(text)
    (out / f"data/shard-000009{suffix}").write_bytes(b"")
    assert verify_dataset(out) == [f"{out}/data/shard-000009{suffix} belongs to no shard of this dataset."]
    (out / f"data/shard-000009{suffix}").unlink()
    (out / "quarantine.jsonl").write_text("")
    assert any("quarantine.jsonl was changed" in problem for problem in verify_dataset(out))
    (out / "dataset.json").write_text("{}")
    (problem,) = verify_dataset(out)
    assert "dataset.json" in problem


def test_a_sample_that_occurs_twice_in_two_shards_is_named(tmp_path, records, schema, format):
    stream = records(SAMPLES)
    stream[80] = replace(stream[80], key=stream[5].key)
    build(tmp_path, stream, schema, format=format)
    (problem,) = verify_dataset(tmp_path)
    assert f"indices 5 and 80 are both sample {stream[5].key!r}, variant 0" in problem


def test_images_that_do_not_decode_or_have_the_wrong_size_are_named(tmp_path, records, schema, format):
    stream = records(12)
    wrong = encode(np.zeros((1, 5, 5, 3), np.uint8), "png")
    stream[3] = replace(stream[3], lq=wrong)
    stream[8] = replace(stream[8], gt=replace(stream[8].gt, data=stream[8].gt.data[:50]))
    build(tmp_path, stream, schema, format=format)
    problems = verify_dataset(tmp_path)
    assert len(problems) == 2
    assert (
        f"row 3 (sample {stream[3].key!r}, variant 0): GT (1, 16, 20, 3) is not 4 times LQ (1, 5, 5, 3)" in problems[0]
    )
    assert f"row 8 (sample {stream[8].key!r}, variant 0), gt: a png value of 50 bytes cannot be decoded" in problems[1]
    assert verify_dataset(tmp_path, pixels=False) == []
