"""Old datasets come in exactly, and what is wrong with one is named."""

import cv2
import lmdb
import numpy as np
import pytest

from degradekit import open_dataset, verify_dataset
from degradekit.codecs import decode
from degradekit.errors import DegradekitError, ShardError, SourceError, StreamError
from degradekit.interop import export, import_pairs
from degradekit.interop.imports import match_pairs
from degradekit.splits import leaks, split_indices
from degradekit.stream import PairStream

RNG = np.random.default_rng(0)


def write(path, h, w, *, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = RNG.integers(0, np.iinfo(dtype).max + 1, (h, w, 3)).astype(dtype)
    assert cv2.imwrite(str(path), image[..., ::-1])
    return image


@pytest.fixture
def old(tmp_path):
    """Three pairs of scale 2, named as DIV2K does, one of them in a subfolder."""
    pixels = {}
    for name in ("0001", "0002", "sub/0003"):
        pixels[f"{name}.png"] = write(tmp_path / f"HR/{name}.png", 12, 16), write(tmp_path / f"LR/{name}x2.png", 6, 8)
    return tmp_path, pixels


def told(old, **options):
    with pytest.raises(SourceError) as error:
        import_pairs(old[0] / "HR", old[0] / "LR", old[0] / "out", **options)
    assert not (old[0] / "out/dataset.json").exists()
    return str(error.value)


@pytest.mark.parametrize("format", ["parquet", "lmdb"])
def test_folders_come_in_exactly(old, format):
    folder, pixels = old
    dataset = import_pairs(folder / "HR", folder / "LR", folder / "out", format=format, shard_size=2)
    assert (len(dataset), dataset.scale, len(dataset.shards)) == (3, 2, 2)
    for index, (name, (gt, lq)) in enumerate(sorted(pixels.items())):
        record = dataset.read(index)
        assert record.key == record.meta["source"] == name and record.plan == "" and record.columns == {}
        assert (decode(record.gt)[0] == gt).all() and (decode(record.lq)[0] == lq).all()
    assert verify_dataset(folder / "out") == []
    assert str(folder) not in str([dataset.info, dataset.read(0).meta])
    with pytest.raises(ShardError, match="already holds a dataset"):
        import_pairs(folder / "HR", folder / "LR", folder / "out")


def test_imported_pairs_stream_and_what_they_lack_is_named(old):
    folder, pixels = old
    import_pairs(folder / "HR", folder / "LR", folder / "out")
    (batch,) = PairStream(folder / "out", batch_size=3, shuffle=False)
    assert (batch["gt"] == np.stack([gt for _, (gt, _) in sorted(pixels.items())])).all()
    with pytest.raises(StreamError, match="deg"):
        PairStream(folder / "out", where="deg.jpeg.quality < 60")
    with pytest.raises(DegradekitError, match="plan"):
        list(PairStream(folder / "out", batch_size=3, lq="plan"))


def test_export_and_import_are_inverse(stills, pixels, tmp_path):
    wanted = sorted(pixels(stills).items())
    export(stills, "basicsr", tmp_path / "a")
    export(stills, "folders", tmp_path / "b", codec="webp")
    one = import_pairs(tmp_path / "a/gt.lmdb", tmp_path / "a/lq.lmdb", tmp_path / "c", codec="qoi")
    two = import_pairs(tmp_path / "b/gt", tmp_path / "b/lq", tmp_path / "d", scale=4)
    for dataset in (one, two):
        assert len(dataset) == len(wanted)
        for index, (name, (gt, lq, _)) in enumerate(wanted):
            record = dataset.read(index)
            assert record.key.startswith(name)
            assert (decode(record.gt)[0] == gt).all() and (decode(record.lq)[0] == lq).all()


def test_sixteen_bits_stay(tmp_path):
    gt, lq = write(tmp_path / "gt/a.png", 8, 8, dtype=np.uint16), write(tmp_path / "lq/a.png", 4, 4, dtype=np.uint16)
    record = import_pairs(tmp_path / "gt", tmp_path / "lq", tmp_path / "out").read(0)
    assert (decode(record.gt)[0] == gt).all() and (decode(record.lq)[0] == lq).all()


def test_tiles_of_an_image_are_crops_of_one_source(tmp_path):
    for i in range(12):
        name = f"{i // 3:04d}_s{i % 3 + 1:03d}.png"
        write(tmp_path / "gt" / name, 8, 8), write(tmp_path / "lq" / name, 4, 4)
    dataset = import_pairs(tmp_path / "gt", tmp_path / "lq", tmp_path / "out")
    assert dataset.read(1).key == "0000.png#s002"
    sets = [{i // 3 for i in found} for found in split_indices(dataset, {"a": 0.5, "b": 0.5}).values()]
    assert not sets[0] & sets[1]
    assert leaks(dataset, {"a": 0.5, "b": 0.5}) == []


def test_missing_partners_are_named(old):
    (old[0] / "LR/0002x2.png").unlink()
    write(old[0] / "LR/0009x2.png", 6, 8)
    assert "2 images" in told(old)
    assert "GT 0002.png has no LQ" in told(old) and "LQ 0009x2.png has no GT" in told(old)
    dataset = import_pairs(old[0] / "HR", old[0] / "LR", old[0] / "out", skip=True)
    assert [dataset.read(i).key for i in range(len(dataset))] == ["0001.png", "sub/0003.png"]


def test_a_wrong_scale_and_odd_sizes_are_named(old):
    write(old[0] / "HR/0002.png", 13, 17)
    message = told(old)
    assert "GT 0002.png is 13x17 px, 2 times its LQ of 6x8 are 12x16 (crop the GT to that)" in message
    write(old[0] / "HR/0002.png", 24, 32)
    assert "GT 0002.png is 24x32 px, 2 times its LQ of 6x8 are 12x16:" in told(old)
    assert told(old, scale=4).startswith("2 images")
    write(old[0] / "LR2/0001x2.png", 9, 9)
    with pytest.raises(SourceError, match="are the two swapped"):
        match_pairs(old[0] / "LR", old[0] / "LR2")


def test_two_files_of_one_name_are_named(old):
    write(old[0] / "HR/0001.bmp", 12, 16)
    write(old[0] / "LR/0002.png", 6, 8)
    assert "have one name" in told(old) and "belong to one GT" in told(old)


def test_a_file_that_cannot_be_read_is_a_tombstone(old):
    good = (old[0] / "HR/0001.png").read_bytes()
    (old[0] / "HR/0001.png").write_bytes(good[:60] + bytes([good[60] ^ 1]) + good[61:])
    dataset = import_pairs(old[0] / "HR", old[0] / "LR", old[0] / "out")
    assert [dead.key for dead in dataset.tombstones()] == ["0001.png"]
    assert verify_dataset(old[0] / "out") == []
    (old[0] / "HR/0002.png").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"0002\.png is text"):
        import_pairs(old[0] / "HR", old[0] / "LR", old[0] / "out2")


def test_a_wrong_lmdb_is_named(tmp_path, stills):
    export(stills, "basicsr", tmp_path / "old")
    gt, lq = tmp_path / "old/gt.lmdb", tmp_path / "old/lq.lmdb"
    with (lq / "meta_info.txt").open("a") as file:
        file.write("99999999.png (4,5,3) 1\n")
    with pytest.raises(SourceError, match=r"LQ 99999999\.png has no GT"):
        import_pairs(gt, lq, tmp_path / "out")
    with (gt / "meta_info.txt").open("a") as file:
        file.write("99999999.png (16,20,3) 1\n")
    with pytest.raises(SourceError, match=r"has no key '99999999', which its meta_info.txt names"):
        import_pairs(gt, lq, tmp_path / "out")
    (gt / "meta_info.txt").write_text("")
    with pytest.raises(SourceError, match="names no image"):
        import_pairs(gt, lq, tmp_path / "out")
    (gt / "meta_info.txt").unlink()
    with pytest.raises(SourceError, match="is no LMDB of BasicSR"):
        import_pairs(gt, lq, tmp_path / "out")
    with lmdb.open(str(lq), readonly=True, lock=False) as env:  # every one was closed
        assert env.stat()["entries"] == 19


def test_the_command_line_and_what_is_missing(old, degradekit):
    folder = old[0]
    code, out, err = degradekit("import", "--gt", folder / "HR", "--lq", folder / "LR", "--out", folder / "out")
    assert (code, err) == (0, "") and out.startswith("3 pairs of scale 2 in 1 shards") and "no plan" in out
    assert degradekit("verify", folder / "out", "--workers", "1")[0] == 0
    code, out, err = degradekit("inspect", folder / "out", "--key", "0002.png", "--save", folder / "saved")
    assert (code, err) == (0, "") and "imported: no plan" in out
    assert sorted(path.name for path in (folder / "saved").iterdir()) == ["gt.png", "lq.png"]
    code, out, _ = degradekit("inspect", folder / "out", "--key", "0002.png", "--json")
    assert code == 0 and '"plan":null' in out and '"alignment":null' in out
    assert degradekit("sheet", folder / "out", "--out", folder / "sheet.png")[0] == 0
    code, _, err = degradekit("replay", folder / "out")
    assert code == 2 and "was imported, so it has no plans to replay" in err
    (folder / "LR/0001x2.png").unlink()
    code, _, err = degradekit("import", "--gt", folder / "HR", "--lq", folder / "LR", "--out", folder / "out2")
    assert code == 2 and "GT 0001.png has no LQ" in err
    assert open_dataset(folder / "out").info["recipe"] == ""
