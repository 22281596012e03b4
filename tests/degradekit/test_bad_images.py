"""Pictures that are damaged, rare or no pictures: each becomes a tombstone with its reason, or a pair as it looks."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from degradekit import codecs
from degradekit.errors import SourceError
from degradekit.job import plan_build, run_build
from degradekit.progress import Progress
from degradekit.recipe import load_recipe
from degradekit.shards.dataset import open_dataset
from degradekit.shards.verify import verify_dataset
from degradekit.source import open_source
from degradekit.types import Record

Run = Callable[..., tuple[int, str, str]]


def noise(h: int, w: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8))


def bomb(path: Path, side: int) -> None:
    """A PNG of some bytes whose header asks for gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b""))


BAD = {
    "animated.png": "has 3 frames or pages",
    "animated.webp": "has 3 frames or pages",
    "bomb.png": "60000x60000 px, 3600 million; the limit max_pixels is 300000000: raise extract.max_pixels",
    "gif.png": "is a GIF",
    "half.jpg": "cannot be read as JPEG (image file is truncated",
    "half.png": "cannot be read as PNG (it ends before its last chunk); replace or remove the file",
    "text.jpg": "is text ('hello'); degradekit reads PNG, JPEG",
    "zero.jpg": "is empty (0 bytes)",
    "zero.png": "is empty (0 bytes)",
}


@pytest.fixture
def zoo(quick_source: Path) -> Path:
    """Everything that a folder of pictures should not hold, among pictures that it may."""
    noise(32, 32, 9).convert("CMYK").save(quick_source / "cmyk.jpg", quality=100)
    noise(32, 32, 9).quantize(64).save(quick_source / "palette.png")
    noise(1, 1).save(quick_source / "dot.png")
    frames = [noise(40, 40, i) for i in range(3)]
    for name, kind in (("animated.png", "PNG"), ("animated.webp", "WEBP"), ("gif.png", "GIF"), ("plain.gif", "GIF")):
        frames[0].save(quick_source / name, format=kind, save_all=True, append_images=frames[1:])
    noise(40, 48).save(quick_source / "half.jpg")
    for name, whole in (("half.jpg", quick_source / "half.jpg"), ("half.png", quick_source / "0.png")):
        (quick_source / name).write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for name in ("zero.png", "zero.jpg"):
        (quick_source / name).write_bytes(b"")
    (quick_source / "text.jpg").write_text("hello")
    bomb(quick_source / "bomb.png", 60_000)
    (quick_source / "folder.png").mkdir()
    for link, target in (("round", "."), ("self.png", "self.png"), ("to.png", "fro.png"), ("fro.png", "to.png")):
        (quick_source / link).symlink_to(target)
    os.mkfifo(quick_source / "pipe.png")
    return quick_source


def test_bad_images_become_tombstones_and_good_ones_pairs(zoo: Path, build: Run, tmp_path: Path) -> None:
    code, printed, errors = build(**{"per-image": 2})
    out = tmp_path / "out"
    assert code == 1
    assert printed == f"14 pairs in 8 shards at {out}\n"
    assert "16 images" in errors and "broken link (3), folder visited by another path (1)" in errors
    assert "no image suffix (1), not a file (1)" in errors
    assert f"18 pairs failed and 0 were skipped as the recipe asks: see quarantine.jsonl in {out}" in errors
    dead = {entry.key: entry for entry in open_dataset(out).tombstones()}
    assert dead.keys() == {f"{name}#r{i}" for name in BAD for i in (0, 1)}
    for name, reason in BAD.items():
        entry = dead[f"{name}#r0"]
        assert entry.step == "read" and reason in entry.reason and str(zoo) not in entry.reason
        assert errors.count(f"failed: {name} (2 pairs) at read: {entry.reason}") == 1
    assert verify_dataset(out) == []
    assert json.loads((out / "progress.json").read_text())["failures"] == 18


def test_rare_images_are_read_as_they_look(zoo: Path, build: Run, tmp_path: Path) -> None:
    build(**{"per-image": 1})
    dataset = open_dataset(tmp_path / "out")
    gts = {}
    for record in map(dataset.read, range(len(dataset))):
        if isinstance(record, Record):
            gts[record.key.partition("#")[0]] = codecs.decode(record.gt)[0].astype(int)
    assert (gts["palette.png"] == np.asarray(Image.open(zoo / "palette.png").convert("RGB"))).all()
    assert np.abs(gts["cmyk.jpg"] - np.asarray(noise(32, 32, 9))).mean() < 20
    assert np.ptp(gts["dot.png"], axis=(0, 1)).tolist() == [0, 0, 0]


def test_the_same_dataset_gives_the_same_exit_code(zoo: Path, build: Run) -> None:
    first, again = build(), build()
    assert first[0] == again[0] == 1
    assert "nothing to do" in again[1]
    assert [line for line in again[2].splitlines() if line.startswith("failed")] == [
        line for line in first[2].splitlines() if line.startswith("failed")
    ]


def test_an_image_that_goes_away_is_a_tombstone(quick_recipe: Path, quick_source: Path, tmp_path: Path) -> None:
    plan = plan_build(load_recipe(quick_recipe), source=str(quick_source), out=str(tmp_path / "out"))
    (quick_source / "2.png").unlink()
    (quick_source / "3.png").unlink()
    (quick_source / "3.png").mkdir()
    summary = run_build(plan, Progress(None), executor="inline")
    assert (summary.pairs, summary.failures) == (2, 2)
    reasons = {dead.key: dead.reason for dead in open_dataset(tmp_path / "out").tombstones()}
    assert "2.png cannot be opened (No such file or directory)" in reasons["2.png#r0"]
    assert "3.png cannot be opened (Is a directory)" in reasons["3.png#r0"]


def test_a_disk_that_fails_while_an_image_is_read_is_named(quick_source: Path) -> None:
    with pytest.raises(SourceError, match=r"0.png cannot be read \(Input/output error\); check the disk"):  # noqa: SIM117
        with open_source(str(quick_source / "0.png")):
            raise OSError(5, "Input/output error")
