"""Builds from an object store to an object store: the bytes of a local build, whatever happens on the way."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from degradekit.job import plan_build, run_build
from degradekit.progress import Progress
from degradekit.recipe import load_recipe
from degradekit.shards.dataset import open_dataset

Run = Callable[..., tuple[int, str, str]]

CLOCKS = {"build.json", "progress.json"}
OWN = CLOCKS | {"plan.json"}
"""What two equal datasets may have otherwise: clocks, and the sizes of local source files."""


class Bucket:
    """One test's part of the bucket on the loopback.

    Args:
        address: Host and port of the server.
        prefix: Where the part begins.
    """

    def __init__(self, address: str, prefix: str) -> None:
        self.address, self.prefix = address, prefix
        self.client: Any = boto3.client("s3", endpoint_url=f"http://{address}", region_name="us-east-1")

    def uri(self, name: str, bucket: str = "bucket") -> str:
        options = f"region=us-east-1&scheme=http&endpoint_override={quote(self.address)}"
        return f"s3://{bucket}/{self.prefix}/{name}?{options}"

    def objects(self, name: str) -> dict[str, Any]:
        """Key below ``name`` -> what the server lists of it, but for the empty objects that stand for folders."""
        root = f"{self.prefix}/{name}/"
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix=root)
        items = (item for page in pages for item in page.get("Contents", []))
        return {item["Key"].removeprefix(root): item for item in items if not item["Key"].endswith("/")}

    def sidecars(self, name: str) -> dict[str, Any]:
        """Committed shards, and when they were."""
        found = self.objects(f"{name}/data")
        return {key: item["LastModified"] for key, item in found.items() if key.endswith(".json")}

    def put(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket="bucket", Key=f"{self.prefix}/{name}", Body=data)

    def get(self, name: str) -> bytes:
        return bytes(self.client.get_object(Bucket="bucket", Key=f"{self.prefix}/{name}")["Body"].read())

    def dataset(self, name: str) -> dict[str, bytes]:
        """Every file that decides a dataset."""
        return {key: self.get(f"{name}/{key}") for key in self.objects(name) if key not in OWN}


@pytest.fixture
def bucket(s3_server: str, tmp_path: Path) -> Iterator[Bucket]:
    part = Bucket(s3_server, str(tmp_path.relative_to("/")))
    yield part
    part.client.close()


@pytest.fixture
def photos(bucket: Bucket, quick_source: Path) -> str:
    """The local pictures again as objects, with names that no source should trip over."""
    (quick_source / "sub dir").mkdir()
    for i, path in enumerate(sorted(quick_source.glob("*.png"))):
        path.rename(quick_source / f"sub dir/ü #{i} & co.png")
    (quick_source / "broken.png").write_bytes(b"no picture")
    (quick_source / "notes.txt").write_text("no image")
    for path in quick_source.rglob("*.*"):
        bucket.put(f"photos/{path.relative_to(quick_source)}", path.read_bytes())
    return bucket.uri("photos")


def local(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in OWN
    }


def test_from_bucket_to_bucket(
    bucket: Bucket, photos: str, build: Run, degradekit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    out = bucket.uri("set")
    code, printed, errors = build(source=photos, out=out)
    assert code == 1 and printed == f"24 pairs in 8 shards at {out}\n"
    assert "failed: broken.png (6 pairs) at read: broken.png is text ('no picture')" in errors
    assert f"see quarantine.jsonl in {out}" in errors and "no image suffix (1)" in errors
    assert list(Path().iterdir()) == [], "nothing is written where the command runs"
    assert "progress.json" not in bucket.objects("set")
    build(out=tmp_path / "local")
    assert bucket.dataset("set") == local(tmp_path / "local")

    assert degradekit("verify", out, "--workers", 1) == (0, "24 pairs and 6 tombstones in 8 shards: no problem\n", "")
    code, printed, _ = degradekit("replay", out, "--sample", 8)
    assert (code, printed) == (0, "8 of 8 pairs are equal bit for bit (plans drawn again and equal)\n")
    code, printed, _ = degradekit("inspect", out, "--key", "sub dir/ü #1 & co.png#r2")
    assert code == 0 and printed.startswith("sub dir/ü #1 & co.png#r2")

    before = {key: item["LastModified"] for key, item in bucket.objects("set").items()}
    code, printed, _ = build(source=photos, out=out)
    assert code == 1 and "nothing to do" in printed
    assert {key: item["LastModified"] for key, item in bucket.objects("set").items()} == before


def test_another_build_is_refused_and_forced(bucket: Bucket, build: Run, degradekit: Run, tmp_path: Path) -> None:
    out = bucket.uri("set")
    assert build(out=out)[0] == 0
    bucket.put("set/data/thesis.txt", b"mine")
    code, _, errors = build("--seed", 1, out=out)
    assert code == 2 and f"{out} holds another build: seed was 0 and is 1" in errors
    assert build("--seed", 1, "--force", "--limit", 8, out=out)[0] == 0
    assert degradekit("verify", out, "--workers", 1)[0] == 0
    assert build("--seed", 1, "--limit", 8, out=tmp_path / "local")[0] == 0
    found = bucket.dataset("set")
    assert found.pop("data/thesis.txt") == b"mine"
    assert found == local(tmp_path / "local")


def test_a_build_that_was_killed_goes_on(
    bucket: Bucket, photos: str, build: Run, quick_recipe: Path, degradekit: Run, tmp_path: Path
) -> None:
    out = bucket.uri("set")
    arguments = ["build", str(quick_recipe), "--source", photos, "--per-image", "24", "--shard-size", "4"]
    arguments += ["--executor", "inline", "--out"]
    process = subprocess.Popen([sys.executable, "-m", "degradekit", *arguments, out], stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 120
        while len(bucket.sidecars("set")) < 2:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    before = bucket.sidecars("set")
    assert len(before) < 30
    assert "dataset.json" not in bucket.objects("set")
    for verb in ("verify", "replay"):
        code, _, errors = degradekit(verb, out)
        assert code == 3 and "is not finished: run the same build again" in errors
    code, printed, errors = degradekit(*arguments, out)
    assert code == 1 and printed.startswith("96 pairs in 30 shards")
    after = bucket.sidecars("set")
    assert {key: after[key] for key in before} == before, "a committed shard was made again"
    build(out=tmp_path / "local", **{"per-image": 24})
    assert bucket.dataset("set") == local(tmp_path / "local")


def test_what_is_not_there_is_named(bucket: Bucket, build: Run, degradekit: Run, photos: str, tmp_path: Path) -> None:
    out = bucket.uri("set", bucket="none")
    code, _, errors = build(out=out)
    assert code == 3 and f"{out}: plan.json cannot be written: " in errors and "bucket does not exist" in errors
    for source in (bucket.uri("nothing"), bucket.uri("photos", bucket="none")):
        code, _, errors = build(source=source)
        assert code == 2 and f"source {source} has no images" in errors
    code, _, errors = degradekit("verify", bucket.uri("set"))
    assert (code, errors) == (3, f"degradekit: {bucket.uri('set')} holds no dataset.\n")
    code, _, errors = build(out="nfs://server/set")
    assert code == 3 and "nfs://server/set: no installed file system opens it" in errors
    assert not (tmp_path / "out").exists()


def test_an_object_that_cannot_be_fetched_is_a_tombstone(
    bucket: Bucket, photos: str, quick_recipe: Path, tmp_path: Path
) -> None:
    plan = plan_build(load_recipe(quick_recipe), source=photos, out=str(tmp_path / "out"))
    bucket.client.delete_object(Bucket="bucket", Key=f"{bucket.prefix}/photos/sub dir/ü #2 & co.png")
    summary = run_build(plan, Progress(None), executor="inline")
    assert (summary.pairs, summary.failures) == (3, 2)
    reasons = {dead.key: dead.reason for dead in open_dataset(tmp_path / "out").tombstones()}
    assert reasons["sub dir/ü #2 & co.png#r0"].startswith("sub dir/ü #2 & co.png cannot be fetched (")
    assert bucket.address not in " ".join(reasons.values()), "where it was built is no part of a dataset"


def test_a_local_uri_is_a_local_folder(build: Run, tmp_path: Path, quick_source: Path) -> None:
    assert build(out=f"file://{tmp_path}/set", source=f"file://{quick_source}")[0] == 0
    assert (tmp_path / "set/progress.json").exists()
    build(out=tmp_path / "local")
    assert local(tmp_path / "set") == local(tmp_path / "local")
