"""Audit a dataset: is it what its recipe says, and is it fit to train on?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from degradekit.cli.options import at_least

if TYPE_CHECKING:
    from tqdm import tqdm

    from degradekit.audit.result import Audit

__all__ = ["add_arguments", "run"]

LINE_SECONDS = 10.0
CHECKSUMS = ("auto", "all", "none")
FAIL_ON = ("error", "warning", "info", "never")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("dataset", help="dataset folder or URI")
    parser.add_argument("--against", metavar="OTHER", help="dataset to compare with, and to share nothing with")
    parser.add_argument("--real", metavar="FOLDER", help="real low-quality images to compare spectra with")
    parser.add_argument("--sample", type=_sample, default=3000, metavar="N", help="pairs to look at, or all (3000)")
    parser.add_argument("--replay", type=at_least(0), default=64, metavar="N", help="pairs to make again (default 64)")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="which pairs are looked at")
    parser.add_argument("--workers", type=at_least(1), metavar="N", help="processes (default: every CPU)")
    parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="run just this check; repeatable")
    parser.add_argument(
        "--checksums", choices=CHECKSUMS, default="auto", help="files to hash: up to 16 GiB (auto), all, or none"
    )
    parser.add_argument(
        "--fail-on", choices=FAIL_ON, default="warning", help="least finding that makes the exit code 1"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with pictures")
    parser.add_argument("--max-report-mb", type=float, default=8.0, metavar="MB", help="size of that page at most")
    parser.add_argument("--json", metavar="FILE", help="write everything that was found")
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit report")
    parser.add_argument("--markdown", metavar="FILE", help="write a digest")


def run(args: argparse.Namespace) -> int:
    """Print the table and write what was asked for; 0 without a finding that counts, 1 with one, 130 interrupted."""
    import os
    import sys

    from degradekit.audit.gather import Options
    from degradekit.audit.result import SEVERITIES
    from degradekit.audit.run import audit
    from degradekit.audit.words import text
    from degradekit.shards.dataset import open_dataset

    dataset = open_dataset(args.dataset)
    against = None if args.against is None else open_dataset(args.against)
    options = Options(
        args.sample,
        args.replay,
        args.seed,
        args.workers or len(os.sched_getaffinity(0)),
        args.checksums,
        tuple(args.only),
        args.real,
    )
    with _Progress(sys.stderr) as progress:
        found = audit(dataset, against=against, options=options, tick=progress, command=_command(args))
    print(text(found))
    _write(args, found)
    if args.html:
        from degradekit.audit.report import write_report

        size = write_report(found, dataset, args.html, max_mb=args.max_report_mb)
        print(f"{args.html}: {size / 1e6:.1f} MB", file=sys.stderr)
    elif sys.stderr.isatty():
        print("for a page with pictures: --html audit.html", file=sys.stderr)
    if found.partial:
        return 130
    counted = () if args.fail_on == "never" else SEVERITIES[: SEVERITIES.index(args.fail_on) + 1]
    return 1 if found.severity in counted else 0


def _sample(words: str) -> int:
    return 2**62 if words == "all" else at_least(1)(words)


def _command(args: argparse.Namespace) -> str:
    words = ["degradekit audit", args.dataset]
    for name in ("against", "real", "sample", "replay", "seed", "checksums"):
        value = getattr(args, name)
        if value is not None:
            words.append(f"--{name} {'all' if value == 2**62 else value}")
    return " ".join([*words, *(f"--only {name}" for name in args.only)])


def _write(args: argparse.Namespace, found: Audit) -> None:
    import json

    from degradekit.audit.words import junit, markdown
    from degradekit.errors import DegradekitError

    makers: dict[str, Callable[[], str]] = {
        "json": lambda: json.dumps(found.to_json(), indent=1) + "\n",
        "junit": lambda: junit(found),
        "markdown": lambda: markdown(found),
    }
    for option, make in makers.items():
        path = getattr(args, option)
        if path is not None:
            try:
                Path(path).write_text(make(), encoding="utf-8")
            except OSError as error:
                raise DegradekitError(
                    f"--{option} {path}: {error.strerror}; choose a file that can be written"
                ) from error


class _Progress:
    """One bar a stage on a terminal; elsewhere a line every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[Any] | None = None
        self._stage = ""
        self._last = time.monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        done = min(done, total)
        if self._stream.isatty():
            self._draw(stage, done, total)
        elif time.monotonic() - self._last > LINE_SECONDS:
            print(f"{stage}: {done} of {total}", file=self._stream, flush=True)
            self._last = time.monotonic()

    def _draw(self, stage: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, file=self._stream, dynamic_ncols=True)
        self._bar.update(done - self._bar.n)
