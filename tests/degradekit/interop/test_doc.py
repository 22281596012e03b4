"""docs/interop.md: every block runs as it stands, one after the other in one folder."""

import re
import shlex
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[3] / "docs/interop.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", TEXT, re.DOTALL)
OPTIONAL = ("pandas", "polars", "duckdb", "datasets")


def is_ray(code):
    return "to_ray_dataset" in code


@pytest.fixture
def folder(make, tmp_path, monkeypatch):
    make(40, name="out")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", [code for kind, code in BLOCKS if kind == "python" and not is_ray(code)])
def test_python_blocks_run(folder, code, capsys):
    for name in OPTIONAL:
        if f"import {name}" in code or f"from {name}" in code:
            pytest.importorskip(name)
    exec(compile(code, "docs/interop.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_what_the_blocks_say_of_the_dataset(folder):
    duckdb = pytest.importorskip("duckdb")
    (query,) = re.findall(r'"""(SELECT .*?)"""', TEXT)
    count, mean = duckdb.sql(query).fetchall()[0]
    assert count == 39 and mean == pytest.approx((sum(range(30, 70)) - 35) / 39)


def test_commands_run(folder, degradekit):
    lines = [line for kind, code in BLOCKS if kind == "sh" for line in code.splitlines()]
    assert len(lines) == 5
    for line in lines:
        program, *words = shlex.split(line)
        code, _, err = degradekit(*words)
        assert (program, code, err) == ("degradekit", 0, ""), line
    assert len(list((folder / "folders/train/gt").iterdir())) > 20


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_ray_data(make, pixels, tmp_path, monkeypatch, capsys):
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    from degradekit.errors import DegradekitError
    from degradekit.interop import to_ray_dataset

    monkeypatch.setenv("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    ray.init(num_cpus=1, include_dashboard=False, configure_logging=False, log_to_driver=False)
    try:
        dataset = make(12, format="lmdb", name="other")
        rows = to_ray_dataset(dataset, columns=["deg.jpeg.quality", "deg.blur.sigma"]).take_all()
        wanted = pixels(dataset)
        assert sorted(row["index"] for row in rows) == [int(name) for name in wanted]
        for row in rows:
            gt, lq, record = wanted[f"{row['index']:08d}"]
            assert (row["gt"] == gt).all() and (row["lq"] == lq).all()
            assert row["deg.jpeg.quality"] == record.columns["deg.jpeg.quality"]
        with pytest.raises(DegradekitError, match=r"has no column deg\.nothing"):
            to_ray_dataset(dataset, columns=["deg.nothing"])
        make(12, name="out")
        monkeypatch.chdir(tmp_path)
        (code,) = [code for kind, code in BLOCKS if kind == "python" and is_ray(code)]
        exec(compile(code, "docs/interop.md", "exec"), {})
        assert "(16, 20, 3)" in capsys.readouterr().out
    finally:
        ray.shutdown()
