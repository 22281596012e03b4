from __future__ import annotations

import multiprocessing
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from degradekit.errors import ShardError, StreamError
from degradekit.shards.dataset import open_dataset
from degradekit.storage import LocalBlob, LocalStore
from degradekit.stream import PairStream, cache
from degradekit.stream.cache import Cache, byte_count

from .conftest import gt_pixels, make

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # Python 3.12 and later, on a fork
COUNT, SHARD = 64, 8


def near(place: Path, local: Path, **options: object) -> PairStream:
    settings = {"batch_size": 4, "shuffle_block_size": 2 * SHARD} | options
    return PairStream(remote=str(place), local=local, **settings)  # type: ignore[arg-type]


def indices(stream: PairStream) -> list[int]:
    return [index for batch in stream for index in batch["index"].tolist()]


def kept(local: Path) -> dict[str, int]:
    """Name and size of what is in a cache at one moment: what takes room comes under the lock of its room."""
    sizes = {}
    with cache._locked(local, "room"):
        for path in local.rglob("*shard-*"):
            with suppress(FileNotFoundError):  # given up meanwhile
                if cache.LOCKS not in path.parts:
                    sizes[path.name] = path.stat().st_size
    return sizes


@pytest.fixture(params=["parquet", "lmdb"])
def place(request: pytest.FixtureRequest, make_set: Callable[..., Path]) -> Path:
    return make_set(COUNT, format=request.param, codec="raw")


@pytest.fixture
def parquet(make_set: Callable[..., Path]) -> Path:
    return make_set(COUNT, codec="raw")


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between the tries of a download."""
    monkeypatch.setattr(cache.time, "sleep", lambda seconds: None)


def test_a_cache_gives_every_pair_with_its_pixels_and_keeps_the_shards(place: Path, tmp_path: Path) -> None:
    stream = near(place, tmp_path / "cache")
    seen = []
    for batch in stream:
        for at, index in enumerate(batch["index"].tolist()):
            assert np.array_equal(batch["gt"][at], gt_pixels(index)[0])
            seen.append(index)
    assert sorted(seen) == list(range(COUNT))
    shards = {name: size for name, size in kept(tmp_path / "cache").items() if not name.startswith("_")}
    assert shards == {Path(row.file).name: row.bytes for row in open_dataset(place).shards}
    assert indices(near(place, tmp_path / "cache")) == seen


def test_the_order_needs_two_blocks_at_a_time(parquet: Path, tmp_path: Path) -> None:
    order = indices(near(parquet, tmp_path / "cache"))
    for first in range(0, COUNT, 2 * SHARD):
        assert len({index // SHARD for index in order[first : first + 2 * SHARD]}) == 2
    local = PairStream(parquet, batch_size=4, shuffle_block_size=2 * SHARD)
    assert indices(local) == order


def test_a_cache_never_takes_more_than_its_limit(place: Path, tmp_path: Path) -> None:
    limit = int(sum(sorted(row.bytes for row in open_dataset(place).shards)[-4:]) * 1.05)
    stream = near(place, tmp_path / "cache", cache_limit=limit, predownload=6)
    seen = []
    for batch in stream:
        assert sum(kept(tmp_path / "cache").values()) <= limit
        seen += batch["index"].tolist()
    assert sorted(seen) == list(range(COUNT))
    assert len([name for name in kept(tmp_path / "cache") if not name.startswith("_")]) <= 4


def test_a_cache_that_cannot_hold_two_blocks_is_refused(parquet: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"cannot hold two blocks of 2 shards .* give [0-9]+ bytes or more"):
        near(parquet, tmp_path, cache_limit="2kb")
    with pytest.raises(StreamError, match="'lots' is no size"):
        byte_count("lots")
    with pytest.raises(StreamError, match="is no size"):
        byte_count("1.2.3gb")
    assert byte_count("2kb") == 2000


def cache_of(stream: PairStream) -> Cache:
    store = stream.pairs[0].dataset.store  # type: ignore[attr-defined]
    assert isinstance(store, Cache)
    return store


class Flaky(LocalStore):
    """A remote whose first downloads break off, in one of two ways."""

    def __init__(self, root: Path, failures: int, *, silently: bool) -> None:
        super().__init__(root)
        self.left, self.silently = failures, silently

    def open(self, name: str) -> LocalBlob:
        return Breaking(self.root / name, self)


class Breaking(LocalBlob):
    def __init__(self, path: Path, store: Flaky) -> None:
        super().__init__(path)
        self.store = store

    def pread(self, offset: int, length: int) -> bytes:
        if self.store.left and offset:
            self.store.left -= 1
            if not self.store.silently:
                raise ConnectionResetError("the connection broke")
            return b""
        return super().pread(offset, min(length, 1000))


@pytest.mark.usefixtures("instant")
@pytest.mark.parametrize("silently", [True, False])
def test_a_download_that_breaks_off_is_tried_again(parquet: Path, tmp_path: Path, silently: bool) -> None:
    stream = near(parquet, tmp_path / "cache")
    cache_of(stream).remote = Flaky(parquet, 2, silently=silently)
    assert sorted(indices(stream)) == list(range(COUNT))
    assert not list((tmp_path / "cache").rglob("*" + cache.PART))


@pytest.mark.usefixtures("instant")
@pytest.mark.parametrize(("silently", "message"), [(True, "arrived damaged"), (False, "cannot be downloaded")])
def test_a_download_that_always_breaks_off_is_named(
    parquet: Path, tmp_path: Path, silently: bool, message: str
) -> None:
    stream = near(parquet, tmp_path / "cache")
    cache_of(stream).remote = Flaky(parquet, 10**6, silently=silently)
    with pytest.raises(StreamError, match=rf"shard-\d+.parquet {message}"):
        indices(stream)
    assert not [name for name in kept(tmp_path / "cache") if name.endswith((".parquet", cache.PART))]


def test_what_a_killed_download_left_is_swept(parquet: Path, tmp_path: Path) -> None:
    stream = near(parquet, tmp_path / "cache")
    left = cache_of(stream).folder / f"data/shard-000001.parquet.99999{cache.PART}"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert sorted(indices(stream)) == list(range(COUNT))
    assert not left.exists()


def test_a_cache_that_is_deleted_under_the_reader(place: Path, tmp_path: Path) -> None:
    stream = near(place, tmp_path / "cache")
    seen = []
    for number, batch in enumerate(stream):
        if number in (2, 7):
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # downloads go on meanwhile
        seen += batch["index"].tolist()
    assert sorted(seen) == list(range(COUNT))


def test_a_file_that_is_damaged_in_the_cache_is_fetched_again(place: Path, tmp_path: Path) -> None:
    order = indices(near(place, tmp_path / "cache"))
    for path in (tmp_path / "cache").rglob("shard-*"):
        if cache.LOCKS not in path.parts:
            data = bytearray(path.read_bytes())
            data[len(data) // 3 : len(data) // 3 + 64] = bytes(64)
            path.write_bytes(data)
    assert indices(near(place, tmp_path / "cache")) == order


@pytest.mark.usefixtures("instant")
def test_what_is_damaged_at_its_origin_is_an_error(fresh_set: Callable[..., Path], tmp_path: Path) -> None:
    place = fresh_set(16, codec="raw")
    path = place / "data/shard-000000.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StreamError, match="arrived damaged"):
        indices(near(place, tmp_path / "cache"))


def test_a_full_cache_says_what_to_do(parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds all the room with a download of its own."""
    monkeypatch.setattr(cache, "PATIENCE", 0.0)
    monkeypatch.setattr(cache, "_is_garbage", lambda path: False)
    limit = 10 * open_dataset(parquet).shards[0].bytes
    stream = near(parquet, tmp_path / "cache", cache_limit=limit)
    with (tmp_path / "cache-part").open("wb") as file:
        file.truncate(limit)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache-part").rename(tmp_path / f"cache/other{cache.PART}")
    with pytest.raises(StreamError, match="has no room for"):
        cache_of(stream).near("data/shard-000000.parquet")


@pytest.mark.parametrize(("start", "processes"), [("fork", 2), ("spawn", 1)])
def test_processes_share_one_cache(parquet: Path, tmp_path: Path, start: str, processes: int) -> None:
    limit = int(sum(row.bytes for row in open_dataset(parquet).shards[:4]) * 1.5)
    streams = [near(parquet, tmp_path / "cache", cache_limit=limit, shuffle_seed=seed) for seed in (0, 1)]
    next(iter(streams[0]))  # files and maps are open when the processes begin
    streams[0].set_epoch(1)
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context(start)) as pool:
        for seen in pool.map(indices, streams, timeout=120):
            assert sorted(seen) == list(range(COUNT))
    assert sum(kept(tmp_path / "cache").values()) <= limit


def test_a_bucket_is_streamed_and_filtered_where_it_is(s3_server: str, tmp_path: Path) -> None:
    name = f"{tmp_path.relative_to('/')}/set/train"
    query = f"?region=us-east-1&scheme=http&endpoint_override={quote(s3_server)}"
    make(f"s3://bucket/{name}{query}", 24)
    uri = f"s3://bucket/{tmp_path.relative_to('/')}/set{query}"
    stream = PairStream(
        remote=uri, local=tmp_path / "cache", split="train", batch_size=4, shuffle_block_size=8,
        where="deg.jpeg1.quality >= 16",
    )  # fmt: skip
    assert stream.samples == 8
    assert not (tmp_path / "cache").exists()
    assert sorted(indices(stream)) == list(range(16, 24))
    assert set(kept(tmp_path / "cache")) == {"shard-000002.parquet", "_shard-000002.idx"}
    plain = PairStream(f"s3://bucket/{name}{query}")
    assert sorted(indices(plain)) == list(range(24))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:  # with a client that was used
        assert sorted(pool.submit(indices, plain).result(timeout=120)) == list(range(24))


def test_a_cache_is_no_place_to_write(parquet: Path, tmp_path: Path) -> None:
    store = cache_of(near(parquet, tmp_path / "cache"))
    with pytest.raises(ShardError, match="is a cache of"):
        store.workspace()
    with pytest.raises(ShardError, match="is a cache of"):
        store.publish(tmp_path / "x", "x")
    assert store.leftovers() == []
    assert "dataset.json" in store.sizes()


@pytest.fixture
def web(make_set: Callable[..., Path]) -> Iterator[str]:
    """Address of a web server that serves the folder of a dataset of 24 pairs, by ranges."""
    root = make_set(24)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(root.parent))

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

        def end_headers(self) -> None:
            self.send_header("Accept-Ranges", "bytes")
            super().end_headers()

        def do_GET(self) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
            path = Path(self.translate_path(self.path))
            if wanted is None or not path.is_file():
                super().do_GET()
                return
            first, last = map(int, wanted.groups())
            data = path.read_bytes()
            part = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{root.name}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_web_server_is_streamed(web: str, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    stream = PairStream(remote=web, local=tmp_path / "cache", batch_size=4, where="deg.jpeg1.quality < 20")
    assert sorted(indices(stream)) == list(range(20))
    assert sorted(indices(PairStream(web, batch_size=4))) == list(range(24))
