"""docs/format.md tells people how to read a dataset without us: what it says has to be true."""

import hashlib
import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import lmdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import xxhash

from degradekit.shards import FORMATS
from degradekit.shards.commit import commit
from degradekit.shards.manifest import BuildFacts, finish
from degradekit.storage import open_store
from degradekit.types import Tombstone

DOC = (Path(__file__).parents[3] / "docs/format.md").read_text(encoding="utf-8")


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@pytest.fixture
def out(tmp_path, monkeypatch, records, schema):
    monkeypatch.chdir(tmp_path)
    store = open_store(tmp_path / "out")
    stream = records(20, variants=2, dead=(3,), codec="qoi")
    for record in stream:
        if not isinstance(record, Tombstone):
            record.columns["deg.jpeg.quality"] = 10 * record.index
    for number in range(2):
        commit(store, number, stream[number * 10 : (number + 1) * 10], format="parquet", schema=schema)
    finish(store, BuildFacts("r", "0" * 32, 1, 4, "parquet", "qoi", 10, 2, 20, schema), clock={})
    return tmp_path / "out"


def test_the_example_runs_as_printed(out, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    exec(compile(code, "docs/format.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["3 of 20", "földer/img0000.png#0,0 (5, 4) (20, 16) 0"]
    assert len(lines) == 4


def test_the_listed_files_and_columns_are_those_of_a_dataset(out, schema):
    listing = DOC[DOC.index("out/\n") : DOC.index("```\n\nThe same layout")]
    named = {line.split()[0] for line in listing.splitlines()[1:]} - {"plan.json", "progress.json"}  # the builder's
    found = {str(path.relative_to(out)) for path in out.rglob("*")} - {"data"}
    assert {name.rstrip("/") for name in named} == {name for name in found if "000001" not in name}
    table = DOC[DOC.index("| column |") : DOC.index("The footer's metadata")]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    columns = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert columns == set(pq.read_schema(out / "data/shard-000000.parquet").names) - set(schema)
    facts = json.loads(pq.read_schema(out / "data/shard-000000.parquet").metadata[b"degradekit"])
    assert facts == {"format_version": 1, "schema": [list(item) for item in schema.items()]}


def test_the_hashes_are_what_the_page_says(out, records, schema):
    dataset = json.loads((out / "dataset.json").read_text())
    digest = dataset.pop("digest")
    assert digest == hashlib.sha256(canonical(dataset).encode()).hexdigest()
    logical = []
    for number in range(2):
        sidecar = json.loads((out / f"data/_shard-00000{number}.json").read_text())
        rows = pq.read_table(out / f"data/shard-00000{number}.parquet").to_pylist()
        lines = [canonical(schema).encode()]
        for row in rows:
            identity = [row["index"], row["key"], row["variant"], row["status"]]
            if row["status"] == "tombstone":
                lines.append(canonical([*identity, row["step"], row["reason"]]).encode() + b"\n")
                continue
            images = [
                [row[r + "_codec"], row[r + "_shape"], row[r + "_dtype"], len(row[r]), xxhash.xxh3_64_hexdigest(row[r])]
                for r in ("gt", "lq")
            ]
            columns = {name: row[name] for name in schema if row[name] is not None}
            line = [*identity, *images, row["plan"], columns, json.loads(row["meta"])]
            lines.append(canonical(line).encode() + b"\n")
        assert sidecar["info"]["logical"] == hashlib.sha256(b"".join(lines)).hexdigest()
        logical.append(sidecar["info"]["logical"])
    assert dataset["roots"]["logical"] == hashlib.sha256("\n".join(logical).encode()).hexdigest()


def test_an_lmdb_shard_reads_as_the_page_says(tmp_path, records, schema):
    stream = records(6, first=300, variants=3, dead=(300,))
    stream[2] = replace(stream[2], plan="é" * 5000)
    FORMATS["lmdb"].write(tmp_path / "shard", stream, schema=schema)
    env = lmdb.open(str(tmp_path / "shard"), subdir=False, readonly=True, lock=False)
    with env.begin() as transaction:
        for record in stream:
            value = transaction.get(record.index.to_bytes(8, "big"))
            *lengths, digest = struct.unpack_from("<5IQ", value)
            parts, at = [], 28
            for length in lengths:
                parts.append(value[at : at + length])
                at += length
            assert at == len(value)
            assert digest == xxhash.xxh3_64_intdigest(b"".join(parts[:4]))
            if isinstance(record, Tombstone):
                continue
            head, columns, meta, plan, lq = parts
            assert (json.loads(columns), json.loads(meta), plan.decode()) == (record.columns, record.meta, record.plan)
            holder = json.loads(head)["gt"]["at"]
            assert holder == (301 if record.index < 303 else 303)
            assert transaction.get(holder.to_bytes(8, "big") + b"gt") == record.gt.data
            assert lq == record.lq.data
        keys = transaction.get(b"__keys__")
        assert json.loads(keys[8:]) == [[r.key, r.variant, not isinstance(r, Tombstone)] for r in stream]
    env.close()


def test_a_census_is_what_the_page_says(out):
    section = DOC[DOC.index("## The census") : DOC.index("## Hashes")]
    named = {name for row in section.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row[:40])}
    with np.load(out / "data/_shard-000001.npz") as file:
        assert set(file.files) == named
        facts, values, counts = json.loads(file["facts"].tobytes()), file["values"], file["counts"]
    assert (facts["version"], sum(header[-1] for header in facts["headers"])) == (1, 10)
    numbers = [group for group in facts["groups"] if len(group) == 3]
    assert sum(size for _, _, size in numbers) == len(values) == len(counts)
    (column, op, size), *_ = numbers
    assert (column, op) == ("deg.blur.sigma", "öp0")
    first = (values[:size].astype("<u4") << 16).view("<f4")
    assert np.allclose(first, [10 / 7, 14 / 7, 16 / 7], rtol=1 / 128)
    assert facts["groups"][0][:3] == ["deg.blur.op", "", ["", "öp0", "öp1"]]
