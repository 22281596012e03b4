"""Looks at this machine and says what a build would miss: versions, CPU, memory, caches, codecs, disk, Ray."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeAlias

from degradekit.errors import DegradekitError

__all__ = ["Check", "State", "examine"]

State: TypeAlias = Literal["ok", "warn", "fail"]

ENOUGH_DISK = 2**30
"""Bytes below which the disk of ``--out`` gets a warning: about two thousand pairs of 400 px."""
ENOUGH_MEMORY = 2**30
"""Bytes below which workers may not fit: one peaked at 0.32 GB with crops of 400 px; whole images take more."""

REINSTALL = "reinstall degradekit with its dependencies"
REMEDIES = {
    "ray": "see Ray's own log; --executor inline works without it",
    "out": "check the URI, credentials and network",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Args:
        name: What.
        state: ``ok``; ``warn``: something is slower or missing, builds work; ``fail``: builds will not work.
        found: What was found.
        remedy: What to do about it; empty when ok.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def examine(out: str | None = None, *, ray: bool = False) -> list[Check]:
    """Look at everything; nothing is written, except by ``ray`` what Ray itself writes.

    Args:
        out: Where a dataset is meant to go: a folder (it need not exist yet) or a URI.
        ray: Start a local cluster with one CPU, run one task and stop it.

    Example:
        >>> {check.state for check in examine() if check.name.startswith("codec ")}
        {'ok'}
    """
    looks: list[tuple[str, Callable[[], Iterable[Check]]]] = [
        ("versions", _versions),
        ("machine", _machine),
        ("numba cache", _numba_cache),
        ("codecs", _codecs),
        ("image readers", _readers),
        ("ray", lambda: _ray(start=ray)),
        ("object stores", _stores),
    ]
    if out is not None:
        looks.append(("out", lambda: _place(out)))
    return [check for name, look in looks for check in _guard(name, look)]


def _guard(name: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """What a look finds; a library that is missing or broken, a disk or a network that does not answer is a finding."""
    try:
        return list(look())
    except (DegradekitError, ImportError, OSError, RuntimeError, ValueError) as error:
        return [Check(name, "fail", f"{type(error).__name__}: {error}", REMEDIES.get(name, REINSTALL))]


def _versions() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Check("python", "ok" if good else "fail", version, "" if good else "install Python 3.11 or newer")
    try:
        requirements = metadata.requires("degradekit") or []
        yield Check("degradekit", "ok", metadata.version("degradekit"))
    except metadata.PackageNotFoundError:
        yield Check("degradekit", "warn", "not installed", "pip install it, so that datasets can record its version")
        return
    for requirement in requirements:
        found = re.match(r"([\w.-]+)(?:\[[^\]]*\])?(?:>=([\d.]+))?", requirement)
        if found is not None and "extra ==" not in requirement:
            yield _library(found[1], found[2] or "0")
    for name, purpose in (("torch", "the model zoo"), ("scikit-image", "--source sample"), ("jsonschema", "the tests")):
        yield _optional(name, purpose)


def _library(name: str, least: str) -> Check:
    remedy = f"pip install '{name}>={least}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Check(name, "fail", "not installed", remedy)
    if _numbers(version) < _numbers(least):
        return Check(name, "fail", f"{version} is older than {least}", remedy)
    return Check(name, "ok", version)


def _optional(name: str, purpose: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "ok", f"not installed; only {purpose} would need it")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _machine() -> Iterator[Check]:
    model, features = _cpu()
    vector = [name for name in ("avx512f", "avx2", "asimd", "fma") if name in features]
    yield Check("cpu", "ok", f"{model} ({', '.join(vector) or 'no vector features that are known here'})")
    yield Check("cores", "ok", f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}")
    if {"fma", "asimd"} & features:
        yield Check("fused multiply-add", "ok", "yes")
    else:
        remedy = "build a dataset on nodes of one kind: other nodes compute other last digits"
        yield Check("fused multiply-add", "warn", "the CPU does not announce it", remedy)
    free = _free_memory()
    if free is None:
        yield Check("memory", "warn", "unknown", "make sure that each worker has a GB")
    else:
        low = free < ENOUGH_MEMORY
        remedy = "close other programs or use fewer --workers" if low else ""
        yield Check("memory", "warn" if low else "ok", f"{free / 2**30:.1f} GiB free", remedy)


def _cpu() -> tuple[str, set[str]]:
    """Model and announced features, as Linux tells them for x86 (model name, flags) and ARM (Features)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    facts = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    features = set(f"{facts.get('flags', '')} {facts.get('features', '')}".split())
    return facts.get("model name") or platform.processor() or platform.machine(), features


def _free_memory() -> int | None:
    """Bytes that are free for new processes: of the machine, or of the container where its limit is lower."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        return min(free, limit - int((group / "memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return free


def _numba_cache() -> Iterator[Check]:
    from degradekit.apply import _quantise

    folder = Path(_nearest_folder(str(getattr(_quantise, "stats").cache_path)))  # noqa: B009 - numba's own attribute
    if os.access(folder, os.W_OK):
        yield Check("numba cache", "ok", "can be written")
        return
    remedy = "set NUMBA_CACHE_DIR to a folder that can be written: otherwise every process compiles all loops again"
    yield Check("numba cache", "warn", "cannot be written", remedy)


def _codecs() -> Iterator[Check]:
    import numpy as np

    from degradekit.codecs import CODECS, decode, encode

    ramp = np.arange(2 * 24 * 20 * 3, dtype=np.uint32).reshape(2, 24, 20, 3)
    for name, codec in CODECS.items():
        kinds = [dtype for dtype in codec.dtypes if codec.holds(ramp.shape, dtype)]
        try:
            broken = [kind for kind in kinds if (decode(encode(ramp.astype(kind), name)) != ramp.astype(kind)).any()]
        except (DegradekitError, RuntimeError, AttributeError, ImportError) as error:
            yield Check(f"codec {name}", "fail", f"does not work: {error}", "pip install --force-reinstall imagecodecs")
            continue
        found = f"a round trip of {', '.join(broken)} changes pixels" if broken else f"round trip of {', '.join(kinds)}"
        yield Check(f"codec {name}", "fail" if broken else "ok", found, "choose another --codec" if broken else "")


def _readers() -> Iterator[Check]:
    from degradekit.source import decoders

    for name, library in decoders().items():
        missing = "None" in library
        remedy = f"install a Pillow with {name} if the source has such files" if missing else ""
        yield Check(f"reads {name}", "warn" if missing else "ok", library, remedy)


def _ray(*, start: bool) -> Iterator[Check]:
    version = metadata.version("ray")
    if start:
        yield Check("ray task", "ok", f"{version} ran a task on {_one_task()}")
    else:
        importlib.import_module("ray")
        yield Check("ray import", "ok", f"{version} can be imported (--ray starts it)")


def _one_task() -> str:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # asks Ray not to print advice about GPUs
    ray.init(address="local", num_cpus=1, object_store_memory=100 * 2**20, **quiet)
    try:
        return str(ray.get(ray.remote(platform.node).remote()))
    finally:
        ray.shutdown()


def _stores() -> Iterator[Check]:
    from pyarrow import fs

    kinds = {"s3://": "S3FileSystem", "gs://": "GcsFileSystem", "hdfs://": "HadoopFileSystem"}
    native = [scheme for scheme, name in kinds.items() if hasattr(fs, name)]
    yield Check("object stores of pyarrow", "ok", ", ".join(native) or "none")
    for scheme, package in (("hf://", "huggingface_hub"), ("az://", "adlfs")):
        installed = importlib.util.find_spec(package) is not None
        found = f"{package} is installed" if installed else f"not available; pip install {package} if you need it"
        yield Check(scheme, "ok", found)


def _place(out: str) -> list[Check]:
    if "://" in out and not out.startswith("file://"):
        return [_remote(out)]
    folder = _nearest_folder(out.removeprefix("file://"))
    if not folder.is_dir():
        return [Check("out", "fail", f"{folder} is no folder", "choose a folder that can be made")]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [Check("out", "fail", f"{folder} cannot be written", "allow this user in, or choose another --out")]
    free = shutil.disk_usage(folder).free
    low = free < ENOUGH_DISK
    remedy = "free space, or see what a build needs with build --dry-run" if low else ""
    return [Check("out", "warn" if low else "ok", f"{free / 1e9:.1f} GB free on the disk of {out}", remedy)]


def _remote(out: str) -> Check:
    from degradekit.storage import open_store

    files = open_store(out).sizes("")
    return Check("out", "ok", f"{out} answers; it holds {len(files)} files")


def _nearest_folder(path: str) -> Path:
    """The path itself, or the nearest of its parents that exists."""
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    return place
