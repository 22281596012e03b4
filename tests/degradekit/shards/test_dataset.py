import json
import multiprocessing
import pickle
from dataclasses import asdict, replace

import pyarrow.parquet as pq
import pytest

from degradekit.errors import ShardError
from degradekit.shards import FORMATS
from degradekit.shards import dataset as dataset_module
from degradekit.shards.commit import commit
from degradekit.shards.dataset import open_dataset
from degradekit.shards.manifest import BuildFacts, environment, finish
from degradekit.storage import open_store
from degradekit.types import Record

SIZE, SAMPLES, DEAD = 20, 50, (7, 45)


def facts_of(schema, **changes):
    facts = BuildFacts(
        recipe="scale: 4\n# text\n",
        recipe_digest="ab" * 16,
        seed=17,
        scale=4,
        format="parquet",
        codec="png",
        shard_size=SIZE,
        variants=2,
        samples=SAMPLES,
        schema=schema,
    )
    return replace(facts, **changes)


def build(folder, records, schema, *, format="parquet", clock=None):
    store = open_store(folder)
    everything = records(SAMPLES, variants=2, dead=DEAD)
    for number in range(3):
        part = everything[number * SIZE : (number + 1) * SIZE]
        commit(store, number, part, format=format, schema=schema)
    finish(store, facts_of(schema, format=format), clock=clock)
    return everything


@pytest.fixture(params=sorted(FORMATS))
def format(request):
    return request.param


def test_a_dataset_gives_every_record_by_index_and_name(tmp_path, records, schema, format):
    wanted = build(tmp_path / "out", records, schema, format=format)
    dataset = open_dataset(tmp_path / "out")
    assert len(dataset) == SAMPLES
    assert [dataset.read(index) for index in range(SAMPLES)] == wanted
    assert [dataset.locate(index) for index in (0, 19, 20, 49)] == [(0, 0), (0, 19), (1, 0), (2, 9)]
    assert dataset.find(wanted[33].key, 1) == 33
    assert dataset.find(wanted[45].key, 1) == 45
    assert dataset.find("nobody.png") is None
    assert dataset.tombstones() == [wanted[7], wanted[45]]
    assert (dataset.scale, dataset.schema, dataset.info["seed"]) == (4, schema, 17)
    for index in (-1, SAMPLES):
        with pytest.raises(ShardError, match=f"has no index {index}; it has 50 samples"):
            dataset.read(index)
    with pytest.raises(ShardError, match="has no shard 3; it has 3"):
        dataset.shard(3)


def test_counts_and_columns_are_of_the_whole_dataset(tmp_path, records, schema, format):
    wanted = build(tmp_path / "out", records, schema, format=format)
    dataset = open_dataset(tmp_path / "out")
    size = sum((tmp_path / "out" / shard.file).stat().st_size for shard in dataset.shards)
    assert dataset.info["counts"] == {"samples": 50, "ok": 48, "tombstones": 2, "shards": 3, "bytes": size}
    quality = [record.columns["deg.jpeg.quality"] for record in wanted if isinstance(record, Record)]
    expected = {"type": "int", "count": 48, "min": -3, "max": 46, "sum": sum(quality)}
    assert dataset.info["columns"]["deg.jpeg.quality"] == expected
    table = dataset.table(["deg.jpeg.quality"])
    assert table["deg.jpeg.quality"].drop_null().to_pylist() == quality
    assert table["index"].to_pylist() == list(range(SAMPLES))


def test_two_builds_are_equal_but_for_the_clock(tmp_path, records, schema, format):
    for name in "ab":
        build(tmp_path / name, records, schema, format=format, clock={"host": name})
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 3 * (4 if format == "parquet" else 3) + 4
    different = [
        str(file) for file in files if (tmp_path / "a" / file).read_bytes() != (tmp_path / "b" / file).read_bytes()
    ]
    assert different == ["build.json"]
    assert json.loads((tmp_path / "b/build.json").read_text()) == {"host": "b"}


def test_the_identity_is_that_of_the_content_and_not_of_the_format(tmp_path, records, schema):
    for format in FORMATS:
        build(tmp_path / format, records, schema, format=format)
    first, second = (open_dataset(tmp_path / format) for format in FORMATS)
    assert first.id == second.id
    assert first.info["roots"]["logical"] == second.info["roots"]["logical"]
    assert first.info["roots"]["files"] != second.info["roots"]["files"]


def test_the_manifest_and_the_quarantine_read_without_degradekit(tmp_path, records, schema):
    wanted = build(tmp_path / "out", records, schema)
    rows = pq.read_table(tmp_path / "out/manifest.parquet").to_pylist()
    assert [row["file"] for row in rows] == [f"data/shard-00000{number}.parquet" for number in range(3)]
    assert [(row["first_index"], row["rows"], row["tombstones"]) for row in rows] == [
        (0, 20, 1),
        (20, 20, 0),
        (40, 10, 1),
    ]
    lines = [json.loads(line) for line in (tmp_path / "out/quarantine.jsonl").read_text().splitlines()]
    assert lines[0] == asdict(wanted[7]) | {"shard": "shard-000000.parquet"}
    assert [line["index"] for line in lines] == list(DEAD)


def test_finishing_again_is_a_no_op_and_another_plan_is_refused(tmp_path, records, schema):
    build(tmp_path / "out", records, schema)
    store = open_store(tmp_path / "out")
    before = (tmp_path / "out/dataset.json").stat().st_mtime_ns
    finish(store, facts_of(schema))
    assert (tmp_path / "out/dataset.json").stat().st_mtime_ns == before
    with pytest.raises(ShardError, match=r"already is dataset .* build into an empty folder"):
        finish(store, facts_of(schema, seed=18))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 61}, r"shards \[3\] are missing of 4"),
        ({"samples": 40}, r"shards \[2\] are too many of 2"),
        ({"samples": 51}, r"shard-000002\.parquet \(parquet, 10 rows from index 40\) is of another plan"),
        ({"format": "lmdb"}, r"shard-000000\.parquet .* is of another plan"),
        ({"schema": {}}, r"is of another plan"),
    ],
)
def test_an_incomplete_or_foreign_build_is_not_finished(tmp_path, records, schema, changes, message):
    build(tmp_path / "out", records, schema)
    (tmp_path / "out/dataset.json").unlink()
    with pytest.raises(ShardError, match=message):
        finish(open_store(tmp_path / "out"), facts_of(schema, **changes) if "schema" not in changes else facts_of({}))
    assert not (tmp_path / "out/dataset.json").exists()


def test_a_folder_without_a_finished_dataset_says_what_to_do(tmp_path, records, schema):
    with pytest.raises(ShardError, match="holds no dataset"):
        open_dataset(tmp_path / "nowhere")
    build(tmp_path / "out", records, schema)
    (tmp_path / "out/dataset.json").unlink()
    with pytest.raises(ShardError, match="has 3 shards but is not finished: run the same build again"):
        open_dataset(tmp_path / "out")


def test_a_hand_edit_is_noticed_and_named(tmp_path, records, schema):
    build(tmp_path / "out", records, schema)
    path = tmp_path / "out/dataset.json"
    text = path.read_text()
    path.write_text(text.replace('"seed": 17', '"seed": 18'))
    with pytest.raises(ShardError, match=r"dataset\.json was changed after it was written"):
        open_dataset(tmp_path / "out")
    path.write_text(text)
    manifest = tmp_path / "out/manifest.parquet"
    table = pq.read_table(manifest)
    pq.write_table(table.slice(0, 2), manifest)
    with pytest.raises(ShardError, match=r"manifest\.parquet was changed after it was written"):
        open_dataset(tmp_path / "out")


def test_a_dataset_of_a_later_version_names_the_release_to_install(tmp_path, records, schema, monkeypatch):
    build(tmp_path / "out", records, schema)
    monkeypatch.setattr(dataset_module, "VERSION", 0)
    with pytest.raises(ShardError, match=r"format version 1, this build reads 0: install degradekit \d"):
        open_dataset(tmp_path / "out")


def test_few_shards_stay_open_and_closed_ones_open_again(tmp_path, records, schema, format, monkeypatch):
    wanted = build(tmp_path / "out", records, schema, format=format)
    monkeypatch.setattr(dataset_module, "OPEN_SHARDS", 1)
    dataset = open_dataset(tmp_path / "out")
    for index in (0, 25, 49, 1, 26, 48):
        assert dataset.read(index) == wanted[index]
    dataset.close()
    assert dataset.read(3) == wanted[3]


def _keys(dataset, indices, queue):
    queue.put([dataset.read(index).plan for index in indices])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_dataset_reads_in_other_processes(tmp_path, records, schema, format, method):
    wanted = build(tmp_path / "out", records, schema, format=format)
    dataset = open_dataset(tmp_path / "out")
    dataset.read(3)
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    worker = context.Process(target=_keys, args=(dataset, [3, 44], queue))
    worker.start()
    assert queue.get() == [wanted[3].plan, wanted[44].plan]
    worker.join()
    assert pickle.loads(pickle.dumps(dataset)).read(44) == dataset.read(44) == wanted[44]


def test_the_environment_names_what_can_change_a_pixel():
    found = environment()
    assert {"numpy", "imagecodecs", "opencv-python-headless", "pyarrow"} <= set(found["libraries"])
    assert found["cpu_features"]
    assert json.loads(json.dumps(found)) == found == environment()
