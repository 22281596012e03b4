"""Every export is read back by the library that it was made for, or by that library's conventions."""

import json
import sys
from importlib.util import find_spec
from types import ModuleType

import cv2
import lmdb
import numpy as np
import pytest

from degradekit.errors import DegradekitError
from degradekit.interop import export
from degradekit.interop.optional import need


def from_png(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]


def test_folders(stills, pixels, tmp_path):
    export(stills, "folders", tmp_path / "out")
    wanted = pixels(stills)
    for role, at in (("gt", 0), ("lq", 1)):
        found = {p.stem: from_png(p.read_bytes()) for p in (tmp_path / "out" / role).iterdir()}
        assert found.keys() == wanted.keys()
        assert all((found[name] == wanted[name][at]).all() for name in wanted)
    facts = [json.loads(line) for line in (tmp_path / "out/params.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [fact["name"] for fact in facts] == sorted(wanted)
    for fact in facts:
        record = wanted[fact["name"]][2]
        assert (fact["key"], fact["columns"], fact["plan"]) == (record.key, record.columns, json.loads(record.plan))


def test_folders_of_clips(make, pixels, tmp_path):
    clips = make(3, frames=3)
    export(clips, "folders", tmp_path / "out", codec="webp")
    for name, (gt, _, _) in pixels(clips).items():
        files = sorted((tmp_path / "out/gt" / name).iterdir())
        assert [file.name for file in files] == [f"{t:08d}.webp" for t in range(3)]
        assert all((from_png(file.read_bytes()) == frame).all() for file, frame in zip(files, gt, strict=True))


@pytest.mark.parametrize("frames", [1, 2])
def test_basicsr_lmdb(make, pixels, tmp_path, frames):
    """BasicSR's conventions: keys are the lines' names up to the first dot, in both databases the same."""
    dataset = make(11, frames=frames)
    export(dataset, "basicsr", tmp_path / "out")
    read, lines = {}, {}
    for role in ("gt", "lq"):
        folder = tmp_path / "out" / f"{role}.lmdb"
        lines[role] = (folder / "meta_info.txt").read_text(encoding="ascii").splitlines()
        env = lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
        with env.begin(write=False) as transaction:
            assert env.stat()["entries"] == len(lines[role])
            for line in lines[role]:
                image = from_png(transaction.get(line.split(".")[0].encode("ascii")))
                name, shape, level = line.split(" ")
                assert name.endswith(".png") and shape == f"({image.shape[0]},{image.shape[1]},3)" and level == "1"
                read[role, line.split(".")[0]] = image
        env.close()
    keys = {role: {line.split(".")[0] for line in some} for role, some in lines.items()}
    wanted = pixels(dataset)
    assert keys["gt"] == keys["lq"] and len(keys["gt"]) == len(wanted) * frames
    for name, (gt, lq, _) in wanted.items():
        for t in range(frames):
            key = name if frames == 1 else f"{name}/{t:08d}"
            assert (read["gt", key] == gt.reshape(frames, 16, 20, 3)[t]).all()
            assert (read["lq", key] == lq.reshape(frames, 4, 5, 3)[t]).all()


def test_a_full_lmdb_is_one_sentence(stills, tmp_path, monkeypatch):
    monkeypatch.setattr("degradekit.interop.basicsr.MAP_BYTES", 1 << 14)
    with pytest.raises(DegradekitError, match=r"cannot be written .*free space there"):
        export(stills, "basicsr", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_webdataset(stills, pixels, tmp_path):
    wds = pytest.importorskip("webdataset")
    export(stills, "webdataset", tmp_path / "out")
    wanted = pixels(stills)
    reader = wds.WebDataset(str(tmp_path / "out/shard-000000.tar"), shardshuffle=False, empty_check=False)
    seen = 0
    for name, gt, lq, facts in reader.decode("rgb8").to_tuple("__key__", "gt.png", "lq.png", "json"):
        assert (gt == wanted[name][0]).all() and (lq == wanted[name][1]).all()
        assert facts["columns"] == wanted[name][2].columns
        seen += 1
    assert seen == len(wanted)


@pytest.mark.filterwarnings("ignore")
def test_huggingface(stills, pixels, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export(stills, "huggingface", tmp_path / "out", ratios={"train": 0.5, "val": 0.5}, seed=2)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "validation"}
    wanted = {record.key: (gt, lq, record) for gt, lq, record in pixels(stills).values()}
    rows = [row for split in loaded.values() for row in split]
    assert {row["key"] for row in rows} == wanted.keys() and len(rows) == len(wanted)
    for row in rows:
        gt, lq, record = wanted[row["key"]]
        assert (np.asarray(row["gt"]) == gt).all() and (np.asarray(row["lq"]) == lq).all()
        assert {name: row[name] for name in stills.schema if row[name] is not None} == record.columns
    features = loaded["train"].features
    assert isinstance(features["gt"], datasets.Image) and features["deg.blur.sigma"].dtype == "float64"


@pytest.mark.parametrize("frames", [1, 3])
def test_hdf5(make, pixels, tmp_path, frames):
    h5py = pytest.importorskip("h5py")
    dataset = make(70, frames=frames)
    export(dataset, "hdf5", tmp_path / "out")
    wanted = list(pixels(dataset).values())
    with h5py.File(tmp_path / "out/pairs.h5") as file:
        assert file["gt"].chunks[0] == 1
        assert (file["gt"][()] == np.stack([gt for gt, _, _ in wanted])).all()
        assert (file["lq"][()] == np.stack([lq for _, lq, _ in wanted])).all()
        assert file["key"].asstr()[:].tolist() == [record.key for _, _, record in wanted]
        quality = [record.columns["deg.jpeg.quality"] for _, _, record in wanted]
        assert file["columns/deg.jpeg.quality"][()].tolist() == quality
        sigma = np.array([record.columns.get("deg.blur.sigma", np.nan) for _, _, record in wanted])
        np.testing.assert_array_equal(file["columns/deg.blur.sigma"][()], sigma)
        assert json.loads(file["params"].asstr()[0])["plan"] == json.loads(wanted[0][2].plan)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # their reader leaves files open
def test_mds(stills, pixels, tmp_path, monkeypatch):
    """With MosaicML's own reader; what its package imports beside that, and this reader never calls, is left out."""
    spec = find_spec("streaming")
    if spec is None:
        pytest.skip("mosaicml-streaming is not installed")
    (place,) = spec.submodule_search_locations
    for name in ("streaming", "streaming.base", "brotli", "snappy", "zstd"):
        module = ModuleType(name)
        module.__path__ = [place + name.removeprefix("streaming").replace(".", "/")]
        monkeypatch.setitem(sys.modules, name, module)
    from streaming.base.local import LocalDataset

    monkeypatch.setattr("degradekit.interop.mds.SHARD_BYTES", 8000)
    export(stills, "mds", tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.mds"))) > 1
    reader = LocalDataset(str(tmp_path / "out"))
    wanted = list(pixels(stills).values())
    assert len(reader) == len(wanted)
    for i, (gt, lq, record) in enumerate(wanted):
        sample = reader[i]
        assert (np.asarray(sample["gt"]) == gt).all() and (np.asarray(sample["lq"]) == lq).all()
        assert sample["key"] == record.key and json.loads(sample["params"])["columns"] == record.columns
    for name in [name for name in sys.modules if name.startswith("streaming.")]:
        monkeypatch.delitem(sys.modules, name)


def test_stored_files_are_not_encoded_again(make, tmp_path):
    dataset = make(3, codec="png")
    export(dataset, "folders", tmp_path / "out")
    assert (tmp_path / "out/gt/00000002.png").read_bytes() == bytes(dataset.read(2).gt.data)


def test_a_missing_package_is_named():
    with pytest.raises(DegradekitError, match=r"HDF6 needs the package h6py.*degradekit\[interop\]"):
        need("h6py", "HDF6")
