"""The page: whole, self-contained, and true to the audit."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from degradekit.audit.report import STEPS, write_report
from degradekit.audit.report.choose import coverage, covering
from degradekit.audit.report.tiles import tile
from degradekit.audit.result import Audit, Sample
from degradekit.codecs import decode
from degradekit.errors import DegradekitError
from degradekit.shards.dataset import Dataset
from degradekit.types import Record, Tombstone

VOID = {"meta", "img", "input", "br", "hr", "link", "path", "circle", "source", "wbr"}


class Reader(HTMLParser):
    """Ids, links, addresses and whether tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.stack: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.ids += [facts["id"]] if facts.get("id") else []
        self.links += [facts["href"] or ""] if tag == "a" else []
        self.addresses += [value for name, value in attrs if name in {"src", "href", "srcset", "action"} and value]
        if tag == "img":
            assert facts.get("alt"), "a picture without words"
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def test_page_is_whole_and_fetches_nothing(page: SimpleNamespace) -> None:
    read = Reader(page.text)
    assert read.stack == []
    assert len(read.ids) == len(set(read.ids))
    assert {link.removeprefix("#") for link in read.links} <= set(read.ids)
    assert all(address.startswith(("data:image/webp;base64,", "#")) for address in read.addresses)
    assert not re.search(r"https?://|url\(|@import", page.text)
    assert page.size == len(page.text.encode()) < 8e6


def test_page_says_what_was_found(page: SimpleNamespace, audit: Audit) -> None:
    assert "2 of 7 checks found something: LQ lies on its GT, GT is well exposed" in page.text
    assert "2 GTs are clipped &amp; &lt;dark&gt;." in page.text
    assert "needs --real FOLDER" in page.text
    verdicts = re.findall(r'<tr class="(\w+)" data-check="(\w+)"', page.text)
    assert [name for _, name in verdicts][:2] == ["exposure", "alignment"], "the worst come first"
    assert {name for _, name in verdicts} == {result.name for result in audit.results}
    assert verdicts[-1] == ("not_run", "real")
    assert "degradekit audit here" in page.text


def pairs_of(text: str) -> list[dict[str, Any]]:
    found = re.search(r'id="pairs">(.*?)</script>', text, re.DOTALL)
    assert found
    pairs: list[dict[str, Any]] = json.loads(found.group(1))["pairs"]
    return pairs


def test_inspector_knows_what_was_recorded_and_measured(page: SimpleNamespace, audit: Audit, dataset: Dataset) -> None:
    pairs = pairs_of(page.text)
    assert len(pairs) >= 40
    for pair in pairs[::9]:
        record = dataset.read(pair["index"])
        assert isinstance(record, Record)
        assert (pair["key"], pair["variant"]) == (record.key, record.variant)
        assert pair["recorded"].keys() == record.columns.keys()
        assert pair["recorded"]["deg.jpeg1.quality"] == pytest.approx(record.columns["deg.jpeg1.quality"], rel=1e-4)
        place = int(np.searchsorted(audit.sample.index, pair["index"]))
        assert pair["measured"]["psnr_y"] == pytest.approx(audit.sample.values["psnr_y"][place], rel=1e-4)
    assert {check for pair in pairs for check in pair["checks"]} == {"alignment", "exposure"}


def test_keys_cannot_break_out(audit: Audit, dataset: Dataset, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    sample = dataclasses.replace(audit.sample, key=(evil, *audit.sample.key[1:]))
    finding = dataclasses.replace(audit.results[1].findings[0], message=evil)
    first = dataclasses.replace(audit.results[1], findings=(finding,))
    bad = dataclasses.replace(audit, sample=sample, results=(audit.results[0], first, *audit.results[2:]), command=evil)
    write_report(bad, dataset, tmp_path / "r.html")
    assert evil not in (tmp_path / "r.html").read_text()


def test_tile_shows_one_place_of_both(audit: Audit, dataset: Dataset) -> None:
    record = dataset.read(3)
    assert isinstance(record, Record)
    shown = tile(dataset, audit, 3, ("alignment",), side=33)
    (y, x), (h, w) = shown.crop, shown.gt.shape[:2]
    assert (h, w, y % 4, x % 4) == (32, 32, 0, 0)
    np.testing.assert_array_equal(shown.gt, decode(record.gt)[0, y : y + h, x : x + w])
    np.testing.assert_array_equal(shown.lq, decode(record.lq)[0, y // 4 : (y + h) // 4, x // 4 : (x + w) // 4])
    assert shown.drawn["alignment"].startswith("data:image/webp;base64,")


def test_a_pair_that_is_not_there_says_why(audit: Audit, dataset: Dataset) -> None:
    dead = next(i for i in range(len(dataset)) if isinstance(dataset.read(i), Tombstone))
    shown = tile(dataset, audit, dead, (), side=32)
    assert shown.problem.startswith("read: ")
    assert shown.gt.size == 0


def test_size_is_kept(audit: Audit, dataset: Dataset, tmp_path: Path, page: SimpleNamespace) -> None:
    smaller = write_report(audit, dataset, tmp_path / "r.html", max_mb=page.size / 1e6 * 0.9)
    assert smaller < page.size * 0.9
    with pytest.raises(DegradekitError, match=r"smallest report takes .* MB, more than --max-report-mb 0.01"):
        write_report(audit, dataset, tmp_path / "never.html", max_mb=0.01)
    assert not (tmp_path / "never.html").exists()
    assert list(STEPS) == sorted(STEPS, reverse=True)


def test_unwritable_place(audit: Audit, dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DegradekitError, match="report cannot be written to"):
        write_report(audit, dataset, tmp_path / "file" / "r.html")


def test_interrupted_audit_says_so(audit: Audit, dataset: Dataset, tmp_path: Path) -> None:
    write_report(dataclasses.replace(audit, partial=True), dataset, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "PARTIAL" in text
    assert "Interrupted. " in text


def flat_sample(**recorded: np.ndarray) -> Sample:
    n = len(next(iter(recorded.values())))
    return Sample(np.arange(n), tuple(map(str, range(n))), np.zeros(n, int), {}, recorded)


def test_covering_pairs_lie_at_the_corners() -> None:
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), -1).reshape(-1, 2)
    chosen = covering(flat_sample(a=grid[:, 0], b=grid[:, 1]), 4)
    assert {tuple(grid[i]) for i in chosen} == {(0, 0), (4, 4), (0, 4), (4, 0)}
    assert len(set(covering(flat_sample(a=np.zeros(7)), 5))) == 5, "twins fill up what is left"


def test_coverage_names_the_region_without_pairs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4000))
    keep = ~((a > 0.8) & (b < 0.2))
    (found,) = coverage(flat_sample(a=a[keep], b=b[keep], twin=2 * a[keep], atom=np.round(a[keep])), 4)[:1]
    assert found.names == ("a", "b")
    assert len(found.empty) == 1
    assert found.empty[0].startswith("no pair with a from 0.8")
    assert not coverage(flat_sample(a=a, twin=2 * a), 4), "one follows the other"
