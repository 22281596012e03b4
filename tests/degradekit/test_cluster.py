"""A build on a real Ray cluster of three nodes, one of which is lost on the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.ray

Run = Callable[..., tuple[int, str, str]]

QUIET = {
    "RAY_AUTH_MODE": "disabled",  # the cluster lives on the loopback for half a minute
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "OMP_NUM_THREADS": "1",
}


class Cluster:
    """Nodes of one CPU each on this machine, all stopped at the end by their process ids.

    Args:
        folder: For logs and sockets, whose paths must be short.
        environment: Of the nodes, beside that of this process.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.folder = folder
        self.environment = {**os.environ, **QUIET, **environment}
        self.nodes: list[subprocess.Popen[str]] = []

    def start(self, *, joining: int) -> None:
        """Start a head, and nodes that join it."""
        port = self.address.partition(":")[2]
        self._node("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={self.folder}/ray")
        self._wait()
        for _ in range(joining):  # one at a time: two would take the same name for their sockets
            self._node(f"--address={self.address}")
            self._wait()

    def _node(self, *arguments: str) -> None:
        ray = [str(Path(sys.executable).with_name("ray")), "start", *arguments, "--block", "--disable-usage-stats"]
        small = [
            "--node-ip-address=127.0.0.1",
            "--num-cpus=1",
            "--object-store-memory=80000000",
            "--include-log-monitor=false",
        ]
        with self._log(len(self.nodes)).open("w") as log:
            self.nodes.append(
                subprocess.Popen(
                    [*ray, *small, "--min-worker-port=0", "--max-worker-port=0"],
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
            )

    def _log(self, number: int) -> Path:
        return self.folder / f"node {number}.log"

    def _wait(self) -> None:
        until = time.monotonic() + 90
        for number, node in enumerate(self.nodes):
            while "Ray runtime started" not in self._log(number).read_text():
                assert node.poll() is None and time.monotonic() < until, self._log(number).read_text()
                time.sleep(0.05)

    def kill(self, number: int) -> None:
        """Take a node away without a word: its raylet, its workers, everything."""
        node = self.nodes[number]
        family = []
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(node.pid).children(recursive=True)
        with suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        for process in family:  # workers may have groups of their own
            with suppress(psutil.NoSuchProcess):
                process.kill()
        node.wait()

    def busy(self, number: int) -> bool:
        """Whether a shard is being made on a node at this moment."""
        for process in psutil.Process(self.nodes[number].pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name().startswith("ray::build_sh"):
                    return True
        return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not in ``tmp_path``: a path of a socket has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="dk-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def running(folder: Path, *, joining: int, **environment: str) -> Iterator[Cluster]:
    """A cluster, which is gone after the block whatever happens in it."""
    cluster = Cluster(folder, **environment)
    try:
        cluster.start(joining=joining)
        yield cluster
    finally:
        for number in reversed(range(len(cluster.nodes))):
            cluster.kill(number)


@pytest.fixture
def cluster(folder: Path) -> Iterator[Cluster]:
    with running(folder, joining=2) as three:
        yield three


def files(out: Path) -> dict[str, bytes]:
    names = [*(out / "data").iterdir(), out / "dataset.json", out / "manifest.parquet", out / "quarantine.jsonl"]
    return {path.name: path.read_bytes() for path in names}


def sidecars(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "data").glob("_*.json")}


@contextmanager
def started(recipe: Path, source: Path, out: Path, address: str) -> Iterator[subprocess.Popen[str]]:
    """A build of 400 pairs in 100 shards on a cluster; it is ended with the block."""
    command = [sys.executable, "-m", "degradekit", "build", str(recipe), "--source", str(source), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--per-image", "100", "--shard-size", "4", "--ray-address", address],
        cwd=out.parent,  # Ray lets workers import from where the driver runs
        env={**os.environ, **QUIET},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 90
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_build_outlives_a_node(
    cluster: Cluster, build: Run, quick_recipe: Path, quick_source: Path, tmp_path: Path
) -> None:
    """Stopped by SIGTERM, as a scheduler does it, started again, and robbed of a node: the bytes of an inline build."""
    out = tmp_path / "out"
    with started(quick_recipe, quick_source, out, cluster.address) as process:
        wait_until(lambda: len(sidecars(out)) >= 3, process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "stopped; finished shards are kept, the same command goes on where it was" in errors
    assert '"state": "stopped"' in (out / "progress.json").read_text()
    before = sidecars(out)
    assert 3 <= len(before) < 100 and not (out / "dataset.json").exists()
    assert all(node.poll() is None for node in cluster.nodes), "a build stopped a cluster that it had only joined"

    with started(quick_recipe, quick_source, out, cluster.address) as process:
        wait_until(lambda: len(sidecars(out)) >= len(before) + 10 and cluster.busy(1), process)
        cluster.kill(1)
        assert len(sidecars(out)) < 100, "the node was lost too late to matter"
        printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert f"400 pairs in 100 shards at {out}" in printed
    assert {name: sidecars(out)[name] for name in before} == before, "a finished shard was made again"
    assert build(out=tmp_path / "inline", **{"per-image": 100})[0] == 0
    assert files(out) == files(tmp_path / "inline")


def test_a_node_without_this_degradekit_is_named(
    folder: Path, quick_recipe: Path, quick_source: Path, tmp_path: Path
) -> None:
    (folder / "old/degradekit").mkdir(parents=True)
    (folder / "old/degradekit/__init__.py").write_text("")
    with (
        running(folder, joining=0, PYTHONPATH=str(folder / "old")) as cluster,
        started(quick_recipe, quick_source, tmp_path / "out", cluster.address) as process,
    ):
        printed, errors = process.communicate(timeout=120)
    assert (process.returncode, printed) == (2, "")
    sentence = "cannot run this degradekit (No module named 'degradekit.build'); install the same version on every node"
    assert sentence in errors and "Traceback" not in errors


def test_an_address_where_nobody_listens_is_named(build: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        code, _, errors = build("--ray-address", address, executor="ray")
    assert code == 2 and errors.count("\n") == 1
    assert f"cannot join the Ray cluster at {address} ([Errno 111] Connection refused); check the address" in errors
