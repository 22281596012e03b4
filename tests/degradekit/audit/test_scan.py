"""An audit says the same whether shards have censuses or have to be read, and hashes what it is told."""

from dataclasses import replace

import pytest

from degradekit.audit import gather as gathering
from degradekit.audit.gather import Options, gather
from degradekit.audit.run import audit
from degradekit.audit.scan import PARTS, scan_shard
from degradekit.repair import drop
from degradekit.shards.commit import shard_name
from degradekit.shards.dataset import open_dataset
from tests.degradekit.audit import catalogue as c

OPTIONS = Options(sample=8, replay=0)


@pytest.fixture(scope="module")
def made():
    recipe = c.recipe_of()
    return recipe, [c.make(i, recipe) for i in range(48)]


@pytest.fixture
def dataset(made, tmp_path):
    recipe, pairs = made
    return c.store(tmp_path / "data", pairs, recipe, shard=8)


def said(found):
    """Everything that an audit says but for the note on where it has it from."""
    results = {result["name"]: result for result in found.to_json()["results"]}
    results["integrity"].pop("value")
    return results


def test_reading_the_shards_says_what_their_censuses_say(dataset):
    with_them = audit(dataset, options=OPTIONS)
    assert "no census" not in with_them.result("integrity").value
    for row in dataset.shards[1:]:
        (dataset.store.root / shard_name(row.number, ".npz")).unlink()
    without = audit(dataset, options=OPTIONS)
    assert without.result("integrity").value == (
        "SHA-256 of every shard, 5 shards read as a whole, which have no census, 8 pairs decoded"
    )
    assert said(with_them) == said(without)


def test_a_dataset_of_an_older_version_is_read(dataset):
    older = replace(dataset, shards=tuple(replace(row, census_sha256="") for row in dataset.shards))
    assert said(audit(older, options=OPTIONS)) == said(audit(dataset, options=OPTIONS))


def test_no_shard_is_opened_that_has_a_census(dataset, monkeypatch):
    monkeypatch.setattr(type(dataset), "shard", lambda self, number: pytest.fail(f"shard {number} was opened"))
    scan = scan_shard(dataset, 2, reference=None, checksums=True)
    assert (scan.counted, scan.hashed, len(scan.census.index)) == (True, True, 8)


def test_a_damaged_census_is_a_damage(dataset):
    file = dataset.store.root / shard_name(3, ".npz")
    file.write_bytes(file.read_bytes()[:-9] + bytes(9))
    found = audit(dataset, options=OPTIONS).result("integrity")
    assert "_shard-000003.npz is damaged" in found.findings[0].message


def test_a_shard_that_pairs_were_dropped_from_is_read(dataset, made):
    _, pairs = made
    drop(dataset.store.root, [{"key": pairs[11].key, "variant": 0, "reason": "soft"}])
    smaller = open_dataset(dataset.store.root)
    scans = [scan_shard(smaller, number, reference=None) for number in range(6)]
    assert [scan.counted for scan in scans] == [True, False, True, True, True, True]
    assert [i for scan in scans for i in scan.census.index] == [i for i in range(48) if i != 11]


@pytest.mark.parametrize(("checksums", "hashed"), [("auto", 3), ("all", 6), ("none", 0)])
def test_files_are_hashed_up_to_a_budget(dataset, monkeypatch, checksums, hashed):
    largest = max(row.bytes for row in dataset.shards)
    monkeypatch.setattr(gathering, "HASHED", 3 * largest)
    facts = gather(dataset, replace(OPTIONS, checksums=checksums), lambda *_: None)
    assert sum(scan.hashed for scan in facts.scans) in ((hashed, hashed + 1) if checksums == "auto" else (hashed,))
    words = audit(dataset, options=replace(OPTIONS, checksums=checksums)).result("integrity").value
    assert {"auto": "of 6 shards, sizes of all (fewer than", "all": "every shard", "none": "0 of 6"}[checksums] in words


def test_a_file_of_another_size_is_hashed_whatever_the_budget(dataset):
    file = dataset.store.root / dataset.shards[4].file
    file.write_bytes(file.read_bytes()[:-100])
    found = audit(dataset, options=replace(OPTIONS, checksums="none")).result("integrity")
    assert "shard-000004.parquet has" in found.findings[0].message


def test_counts_of_neighbours_are_kept_together(made, tmp_path):
    recipe, pairs = made
    dataset = c.store(tmp_path / "many", pairs, recipe, shard=1)
    facts = gather(dataset, OPTIONS, lambda *_: None)
    assert [number for part in facts.parts for number in part.numbers] == list(range(48))
    assert len(facts.parts) == PARTS
    assert all(not scan.counts for scan in facts.scans)
    assert facts.counts["deg.noise.op", ""].sum() == 48
