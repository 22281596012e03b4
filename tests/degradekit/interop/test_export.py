"""What every format has in common: splits, leaks, folders, and the command line."""

import json

import pytest

from degradekit.errors import DegradekitError
from degradekit.interop import EXPORTS, export
from degradekit.splits import leaks, source_of, split_of

HALF = {"train": 0.5, "val": 0.5}


@pytest.mark.parametrize("to", sorted(EXPORTS))
def test_every_format_is_written_whole_or_not_at_all(stills, tmp_path, to):
    assert export(stills, to, tmp_path / "out") == {"": 19}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]
    with pytest.raises(DegradekitError, match="is there already"):
        export(stills, to, tmp_path / "out")
    with pytest.raises(DegradekitError, match="split none holds no pair"):
        export(stills, to, tmp_path / "second", ratios={"train": 1.0, "none": 0.0})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]


@pytest.mark.parametrize("to", ["webdataset", "mds", "folders", "huggingface"])
def test_the_same_pairs_give_the_same_bytes(stills, tmp_path, to):
    for name in "ab":
        export(stills, to, tmp_path / name)
    files = [{p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*.*")} for n in "ab"]
    assert files[0] == files[1]


def test_splits_are_by_source(stills, tmp_path):
    counts = export(stills, "folders", tmp_path / "out", ratios=HALF, seed=2)
    assert counts.keys() == HALF.keys() and sum(counts.values()) == 19
    for name, count in counts.items():
        facts = [json.loads(line) for line in (tmp_path / "out" / name / "params.jsonl").read_text().splitlines()]
        assert len(facts) == count == len(list((tmp_path / "out" / name / "lq").iterdir()))
        assert {split_of(source_of(fact["key"]), HALF, seed=2) for fact in facts} == {name}


def test_a_leak_is_refused_and_can_be_left_out(make, tmp_path):
    dataset = make(same=dict.fromkeys(range(10), "twins"))
    found = leaks(dataset, HALF)
    assert found
    with pytest.raises(DegradekitError, match=r"sources are in two splits .* has the same content as .*--drop-leaks"):
        export(dataset, "folders", tmp_path / "out", ratios=HALF)
    with pytest.raises(DegradekitError, match="holds no pair"):  # every source is the same: one split keeps them all
        export(dataset, "folders", tmp_path / "out", ratios=HALF, drop_leaks=True)
    dataset = make(same={3: "twins", 4: "twins"}, name="two")
    seed = next(seed for seed in range(99) if leaks(dataset, HALF, seed=seed))
    counts = export(dataset, "folders", tmp_path / "out", ratios=HALF, seed=seed, drop_leaks=True)
    assert sum(counts.values()) == 17  # the later source's two crops


@pytest.mark.parametrize("to", ["webdataset", "huggingface", "mds"])
def test_clips_are_refused_where_there_is_no_convention(make, tmp_path, to):
    with pytest.raises(DegradekitError, match="is a clip of 3 frames"):
        export(make(4, frames=3), to, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_names_are_told(stills, tmp_path):
    with pytest.raises(DegradekitError, match="'tfrecord' is unknown to export; choose one of folders"):
        export(stills, "tfrecord", tmp_path / "out")
    with pytest.raises(DegradekitError, match="'gif' is unknown"):
        export(stills, "folders", tmp_path / "out", codec="gif")


def test_the_command_line(stills, tmp_path, degradekit):
    code, out, err = degradekit("export", stills.store.uri, "--to", "folders", "--out", tmp_path / "out")
    assert (code, err) == (0, "") and "19 pairs" in out and "1 tombstone" in out
    code, out, err = degradekit(
        "export", stills.store.uri, "--to", "mds", "--out", tmp_path / "split", "--split", "train=0.5,val=0.5"
    )
    assert code == 0 and "train" in out and "val" in out
    code, _, err = degradekit("export", stills.store.uri, "--to", "mds", "--out", tmp_path / "split")
    assert code == 2 and "is there already" in err
