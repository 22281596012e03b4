"""The doctor: finds what is there, and has a remedy for everything that is not."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

import pytest

from degradekit import doctor
from degradekit.codecs import CODECS
from degradekit.doctor import Check, examine


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_working_machine_passes_and_every_check_has_one_line() -> None:
    checks = examine()
    assert not [check for check in checks if check.state == "fail"]
    assert all((check.state == "ok") == (not check.remedy) for check in checks)
    assert all("\n" not in check.found for check in checks)
    names = by_name(checks)
    assert len(names) == len(checks)
    assert {f"codec {name}" for name in CODECS} <= set(names)
    assert {"python", "numpy", "numba", "ray", "ray import", "cpu", "cores", "memory", "numba cache"} <= set(names)
    assert names["numpy"].found == metadata.version("numpy")


def test_a_missing_and_an_old_library_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "lmdb":
            raise metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "xxhash" else "99.0"

    monkeypatch.setattr(doctor.metadata, "version", version)
    names = by_name(list(doctor._versions()))
    assert names["lmdb"].state == "fail" and "pip install" in names["lmdb"].remedy
    assert names["xxhash"].state == "fail" and "older than" in names["xxhash"].found
    assert names["numpy"].state == "ok"


def test_a_look_that_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Check]:
        raise ImportError("libGL.so.1 is missing")

    (check,) = doctor._guard("codecs", broken)
    assert (check.name, check.state) == ("codecs", "fail")
    assert "libGL" in check.found and check.remedy


def test_the_folder_need_not_exist(tmp_path: Path) -> None:
    check = examine(str(tmp_path / "a" / "b"))[-1]
    assert (check.name, check.state) == ("out", "ok") and "GB free" in check.found
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check = examine(str(tmp_path / "file" / "set"))[-1]
    assert check.state == "fail" and "no folder" in check.found


def test_a_closed_folder_and_a_full_disk_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ENOUGH_DISK", 2**62)
    assert examine(str(tmp_path))[-1].state == "warn"
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    check = examine(str(tmp_path))[-1]
    assert check.state == "fail" and "cannot be written" in check.found


def test_an_unknown_scheme_fails() -> None:
    check = examine("nowhere://bucket/set")[-1]
    assert (check.name, check.state) == ("out", "fail") and "nowhere" in check.found


@pytest.mark.ray
def test_ray_runs_a_task() -> None:
    check = by_name(examine(ray=True))["ray task"]
    assert check.state == "ok" and f"ran a task on {platform.node()}" in check.found
