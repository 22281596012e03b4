from pathlib import Path

import pytest

from degradekit_models.errors import ModelError
from degradekit_models.restore.jobs import Job, list_pictures, plan_jobs, run_jobs


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "c.bmp", "d.mp4", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_files_go_where_they_belong(folder, tmp_path):
    out = tmp_path / "out"
    names = {job.source.name: job.out.name for job in plan_jobs(folder, out)}
    assert names == {"a.png": "a.png", "b.JPG": "b.JPG", "c.bmp": "c.png", "d.mp4": "d.mp4"}
    names = {job.source.name: job.out.name for job in plan_jobs(folder, out, form="webp", suffix="_x")}
    assert names == {"a.png": "a_x.webp", "b.JPG": "b_x.webp", "c.bmp": "c_x.webp", "d.mp4": "d_x.mp4"}
    assert plan_jobs(folder / "a.png", out / "z.jpg") == [Job(folder / "a.png", out / "z.jpg", True)]
    assert [p.name for p in list_pictures(folder)] == ["a.png", "b.JPG", "c.bmp"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="has no pictures and videos"):
        plan_jobs(tmp_path / "empty", out)


def test_whatever_fails_is_kept_for_the_end(tmp_path):
    jobs = [Job(Path(name), tmp_path / "new" / name, True) for name in ("a", "b", "c", "d")]
    done = []

    def work(job):
        if job.source.name == "b":
            raise RuntimeError("not enough memory")
        if job.source.name == "c":
            raise ModelError("c: is no picture.")
        job.out.write_bytes(b"")

    failures = run_jobs(jobs, work, advance=done.append)
    assert [(f.source.name, f.reason) for f in failures] == [
        ("b", "RuntimeError: not enough memory"),
        ("c", "c: is no picture."),
    ]
    assert sum(done) == 4
    seen = []
    run_jobs(jobs, lambda job: seen.append(job.source.name), skip_existing=True)
    assert seen == ["b", "c"]


def test_a_result_whose_suffix_had_to_change_counts_as_done(tmp_path):
    job = Job(tmp_path / "a.jpg", tmp_path / "out.jpg", False)
    assert not job.done
    (tmp_path / "out.png").write_bytes(b"")
    assert job.done
    assert not Job(job.source, job.out, True).done
