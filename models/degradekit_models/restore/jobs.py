"""Which files are restored to where, and going on when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from degradekit_models.errors import ModelError
from degradekit_models.restore.pictures import SUFFIXES as PICTURES
from degradekit_models.restore.video import SUFFIXES as VIDEOS

__all__ = ["Failure", "Job", "is_video", "list_pictures", "plan_jobs", "run_jobs"]


@dataclass(frozen=True)
class Job:
    """One file to restore.

    Attributes:
        source: a picture or video.
        out: where to; of a picture with `settled` False the suffix becomes ``.png`` if its format cannot hold it.
        settled: whether the suffix was asked for.
    """

    source: Path
    out: Path
    settled: bool

    @property
    def done(self) -> bool:
        """Whether the result is there."""
        return self.out.is_file() or (not self.settled and self.out.with_suffix(".png").is_file())


@dataclass(frozen=True)
class Failure:
    """A file that could not be restored, and why."""

    source: Path
    reason: str


def is_video(path: Path) -> bool:
    """Whether the suffix is that of a video.

    Example:
        >>> is_video(Path("a.MP4")), is_video(Path("a.png"))
        (True, False)
    """
    return path.suffix.lower() in VIDEOS


def list_pictures(path: Path) -> list[Path]:
    """The pictures of a folder in order of their names, or the one file.

    Raises:
        ModelError: there is nothing.
    """
    return _listed(path, PICTURES, "pictures")


def plan_jobs(source: Path, out: Path, *, form: str = "auto", suffix: str = "") -> list[Job]:
    """Lists the pictures and videos of a folder, or the one file, and where they go.

    Args:
        source: a file or folder.
        out: a folder; for one file also the file to write.
        form: ``"auto"`` keeps every file's format; else the suffix of pictures, such as ``"png"``.
        suffix: added to every name.

    Raises:
        ModelError: there is nothing to restore, two files would be written to one place, or one over its source.
    """
    sources = _listed(source, PICTURES + VIDEOS, "pictures and videos")
    if not source.is_dir() and out.suffix and not out.is_dir():
        jobs = [Job(source, out, True)]
    else:
        jobs = [Job(path, *_place(path, out, form, suffix)) for path in sources]
    written: dict[Path, Path] = {}
    for job in jobs:
        if job.out.resolve() == job.source.resolve():
            raise ModelError(f"{job.source} would be written over itself; choose another --out, or a --suffix.")
        other = written.setdefault(job.out, job.source)
        if other != job.source:
            raise ModelError(f"{other} and {job.source} would both be written to {job.out}; rename one.")
    return jobs


def run_jobs(
    jobs: Iterable[Job],
    work: Callable[[Job], object],
    *,
    skip_existing: bool = False,
    advance: Callable[[int], object] = lambda count: None,
) -> list[Failure]:
    """Does all jobs; one that fails is kept for the end.

    Args:
        jobs: what to do.
        work: does one.
        skip_existing: leave out what is done already.
        advance: called with 1 after every job.

    Returns:
        What failed.
    """
    failures = []
    for job in jobs:
        if not (skip_existing and job.done):
            try:
                job.out.parent.mkdir(parents=True, exist_ok=True)
                work(job)
            except ModelError as error:
                failures.append(Failure(job.source, str(error)))
            except Exception as error:  # whatever ails one file must not stop the others
                failures.append(Failure(job.source, f"{type(error).__name__}: {error}"))
        advance(1)
    return failures


def _place(path: Path, out: Path, form: str, suffix: str) -> tuple[Path, bool]:
    if is_video(path):
        return out / f"{path.stem}{suffix}{path.suffix}", True
    if form != "auto":
        return out / f"{path.stem}{suffix}.{form}", True
    held = ".png" if path.suffix.lower() == ".bmp" else path.suffix
    return out / f"{path.stem}{suffix}{held}", False


def _listed(path: Path, suffixes: Sequence[str], what: str) -> list[Path]:
    if path.is_file():
        if path.suffix.lower() not in suffixes:
            raise ModelError(f"{path}: {path.suffix or 'no suffix'} is none of {', '.join(suffixes)}.")
        return [path]
    if not path.is_dir():
        raise ModelError(f"{path}: there is no such file or folder.")
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith("."))
    if not found:
        raise ModelError(f"{path}: has no {what} ({', '.join(suffixes)}).")
    return found
