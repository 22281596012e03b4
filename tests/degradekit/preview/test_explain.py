"""An explanation ends with the stored LQ, and notices when it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from degradekit import codecs
from degradekit.page import Picture, render_html
from degradekit.plan import Plan
from degradekit.preview import explain
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.types import Record


@pytest.fixture
def dataset(built: Path) -> Dataset:
    return open_dataset(built)


@pytest.fixture
def records(dataset: Dataset) -> list[Record]:
    return [row for row in map(dataset.read, range(8)) if isinstance(row, Record)]


def test_the_last_picture_is_the_stored_lq(dataset: Dataset, records: list[Record]) -> None:
    for record in records[:4]:
        found = explain(dataset, record)
        assert (found.differing, found.of) == (0, 256)
        assert found.verdict == "the last step gives the stored LQ bit for bit (256 pixels)"
        walked, pair, steps = found.page.sections
        first, *others = [figure for figure in walked.groups[0].figures if isinstance(figure, Picture)]
        plan = Plan.from_json(record.plan)
        assert len(others) == len(plan.degrade)
        assert np.array_equal(first.pixels, codecs.decode(record.gt))
        assert np.array_equal(others[-1].pixels, codecs.decode(record.lq))
        assert [f.title for f in pair.groups[0].figures] == ["GT", "LQ"]
        table = steps.groups[0].table
        assert table is not None
        paths = [f"gt.{step.at}" for step in plan.target] + [f"deg.{step.at}" for step in plan.degrade]
        assert [row[0] for row in table.rows] == paths
        assert f"quality {plan.degrade[-1].draw.quality}" in table.rows[-1][2]
        assert record.key in render_html(found.page)


def test_another_lq_is_noticed(dataset: Dataset, records: list[Record]) -> None:
    record = records[0]
    lq = codecs.decode(record.lq).copy()
    lq[0, 3, 4] ^= 1
    found = explain(dataset, replace(record, lq=codecs.encode(lq, "png")))
    assert found.differing == 1 and "differs from the stored LQ in 1 of 256 pixels" in found.page.lead
    smaller = explain(dataset, replace(record, lq=codecs.encode(lq[:, :8], "png")))
    assert smaller.differing == smaller.of == 128
