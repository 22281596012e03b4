"""Where shards are made: in this process, or as Ray tasks. Same function, same bytes; only small reports travel back.

An executor takes the build's spec and an iterator of tasks and yields reports as shards are committed. It pulls a task
only when there is room for it, so the driver's memory depends on the shards in flight, not on the size of the build.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from degradekit.build import BuildSpec, ShardReport, ShardTask, Unit, build_shard, rehearse
from degradekit.errors import BuildError, DegradekitError, ShardError

__all__ = ["inline", "on_ray"]

DEATHS_BEFORE_BISECTION = 2
"""A worker may die twice on a shard (a lost node, a full memory) before one of its images is suspected."""

DEATHS_BEFORE_GIVING_UP = 6

TASKS_PER_WORKER = 64
"""Ray replaces a worker process after so many shards, so that a leak in a codec library cannot grow for days."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def inline(spec: BuildSpec, tasks: Iterator[ShardTask]) -> Generator[ShardReport]:
    """Make the shards one after another in this process."""
    for task in tasks:
        yield build_shard(spec, task)


def on_ray(
    spec: BuildSpec, tasks: Iterator[ShardTask], *, workers: int | None = None, address: str | None = None
) -> Generator[ShardReport]:
    """Make every shard in a Ray task.

    Args:
        spec: What all tasks share.
        tasks: Pulled as slots become free.
        workers: Shards at a time; default one for every CPU of the cluster.
        address: A running cluster (``auto`` or ``host:port``); default a local one that is started and stopped here.

    Raises:
        BuildError: There is no such cluster, or a node of it cannot run this degradekit.
        ShardError: Workers keep dying on a shard although no single image of it kills them.
        DegradekitError: What a task raised on purpose.
    """
    with _cluster(workers, address) as ray:
        slots = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        pool = _Pool(ray, spec)
        # Two tasks a slot keep workers busy while reports travel; an explicit limit on a shared cluster is exact.
        window = slots if workers and address else 2 * slots
        for task in tasks:
            pool.submit(task)
            if len(pool) >= window:
                yield pool.next_report()
        while len(pool):
            yield pool.next_report()


@contextmanager
def _cluster(workers: int | None, address: str | None) -> Iterator[Any]:
    import ray  # takes a second: only builds that use it pay

    if ray.is_initialized():
        raise BuildError("a Ray session is already open in this process; call ray.shutdown() before a build on Ray")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    local = {"num_cpus": workers, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            _knock(address)
        ray.init(address=address or "local", **quiet, **({} if address else local))
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        where = f"cannot join the Ray cluster at {address}" if address else "cannot start Ray on this machine"
        reason = " ".join(str(error).split())
        raise BuildError(f"{where} ({reason}); check the address, or choose --executor inline") from error
    if callable(on_sigterm) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own in its place, which ends the process with 1
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Fail at once where nobody listens: Ray would try for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


class _Pool:
    """Tasks in flight on one cluster, with what to do when a worker dies under them."""

    def __init__(self, ray: Any, spec: BuildSpec) -> None:
        self.ray = ray
        self.spec = ray.put(spec)
        remote = ray.remote(num_cpus=1, max_retries=0, max_calls=TASKS_PER_WORKER, runtime_env={"env_vars": ONE_THREAD})
        self.build = remote(build_shard)
        self.rehearse = remote(rehearse)
        self.flying: dict[Any, ShardTask] = {}
        self.deaths: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.flying)

    def submit(self, task: ShardTask) -> None:
        self.flying[self.build.remote(self.spec, task)] = task

    def next_report(self) -> ShardReport:
        """Wait for a shard; a task whose worker died is tried again, or bisected, and waited for as well."""
        while True:
            (ref,), _ = self.ray.wait(list(self.flying), num_returns=1)
            task = self.flying.pop(ref)
            try:
                report: ShardReport = self._get(ref)
            except _WorkerDied as death:
                self.submit(self._after_death(task, str(death)))
            else:
                self.deaths.pop(task.number, None)
                return report

    def _get(self, ref: Any) -> Any:
        try:
            return self.ray.get(ref)
        except self.ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, DegradekitError | OSError | MemoryError):
                raise cause from error
            if isinstance(cause, self.ray.exceptions.RaySystemError):  # the task could not be unpickled
                reason = str(cause).partition("\n")[0].removeprefix("System error: ")
                remedy = "install the same version on every node"
                raise BuildError(f"a node of the cluster cannot run this degradekit ({reason}); {remedy}") from error
            raise
        except (self.ray.exceptions.RayError, ConnectionError) as error:
            raise _WorkerDied(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error

    def _after_death(self, task: ShardTask, why: str) -> ShardTask:
        deaths = self.deaths[task.number] = self.deaths.get(task.number, 0) + 1
        if deaths >= DEATHS_BEFORE_GIVING_UP:
            raise ShardError(
                f"shard {task.number}: {deaths} workers died on it, though each of its images alone kills none "
                f"(last: {why}); look at the memory of the nodes, then run the same command again"
            )
        if deaths % DEATHS_BEFORE_BISECTION:
            return task
        healthy = [unit for unit in task.units if unit.key not in task.poisoned]
        return replace(task, poisoned=task.poisoned | {unit.key for unit in self._bisect(healthy)})

    def _bisect(self, units: Sequence[Unit]) -> list[Unit]:
        """The units that kill a worker whenever they are tried."""
        if not units or self._survives(units):
            return []
        if len(units) == 1:
            return [] if self._survives(units) else list(units)
        middle = len(units) // 2
        return self._bisect(units[:middle]) + self._bisect(units[middle:])

    def _survives(self, units: Sequence[Unit]) -> bool:
        try:
            self._get(self.rehearse.remote(self.spec, tuple(units)))
        except _WorkerDied:
            return False
        return True


class _WorkerDied(Exception):
    """The process of a task ended without an answer."""
