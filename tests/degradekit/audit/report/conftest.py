"""A small dataset and an audit of it with every kind of evidence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from degradekit.audit.measure import MEASURES, as_levels, measure_pair
from degradekit.audit.report import write_report
from degradekit.audit.result import (
    Audit,
    CheckResult,
    Curves,
    Finding,
    HeatMap,
    Histogram,
    PairName,
    Provenance,
    Sample,
    Scatter,
    Words,
)
from degradekit.codecs import decode
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.types import Record


@pytest.fixture(scope="session")
def dataset(built: Path) -> Dataset:
    return open_dataset(built)


@pytest.fixture(scope="session")
def audit(dataset: Dataset) -> Audit:
    records = [record for i in range(len(dataset)) if isinstance(record := dataset.read(i), Record)]
    measured = [
        measure_pair(as_levels(decode(r.gt)), as_levels(decode(r.lq)), scale=dataset.scale).values for r in records
    ]
    sample = Sample(
        np.array([r.index for r in records]),
        tuple(r.key for r in records),
        np.array([r.variant for r in records]),
        {name: np.array([values[name] for values in measured]) for name in MEASURES},
        {
            name: np.array([r.columns.get(name, "" if kind == "str" else np.nan) for r in records])
            for name, kind in dataset.schema.items()
        },
    )

    def pairs(count: int) -> tuple[PairName, ...]:
        return tuple(PairName(r.index, r.key, r.variant, 0.5 + r.index, "a note") for r in records[:count])

    return Audit(
        Provenance(dataset.store.uri, dataset.id, "small", 0, dataset.scale, dataset.info["counts"], {"python": "3"}),
        None,
        results(sample, pairs),
        sample,
        3 / len(sample),
        command="degradekit audit here",
    )


def results(sample: Sample, pairs: Callable[[int], tuple[PairName, ...]]) -> tuple[CheckResult, ...]:
    n = len(sample)
    counts, edges = np.histogram(sample.recorded["deg.jpeg1.quality"], 8)
    shift = Scatter(
        "shift",
        sample.values["shift_x"],
        sample.values["shift_y"],
        sample.index,
        ("right, GT px", "down, GT px"),
        (("stride sampling", -1.5, -1.5),),
    )
    psnr = Histogram("psnr_y", *np.histogram(sample.values["psnr_y"], 10)[::-1], unit="dB")
    f = np.linspace(0, 0.5, 16)
    return (
        CheckResult("decode", "Values decode", "ok", value="0 damaged", examined=n, of=n, bound=3 / n),
        CheckResult(
            "alignment",
            "LQ lies on its GT",
            "finding",
            value="median 0.31 px",
            threshold="0.25 px",
            examined=n,
            of=n,
            findings=(Finding("warning", "The median LQ is 0.31 GT px off.", 0.31, 0.25, "px", pairs(3), 3),),
            evidence=(shift,),
        ),
        CheckResult(
            "exposure",
            "GT is well exposed",
            "finding",
            examined=n,
            of=n,
            findings=(Finding("error", "2 GTs are clipped & <dark>.", 0.3, 0.05, "", pairs(2), 2),),
        ),
        CheckResult(
            "parameters",
            "Parameters follow the recipe",
            "ok",
            examined=n,
            of=n,
            evidence=(
                Histogram("deg.jpeg1.quality", edges, counts, np.full(8, 1 / 8)),
                Words("deg.noise1.op", ("gaussian_noise", "poisson_noise"), np.array([3, 5]), np.array([0.5, 0.5])),
                Words("gt.flip.op", ("flip",), np.array([8]), np.array([1.0])),
            ),
        ),
        CheckResult(
            "spectrum",
            "Spectrum",
            "ok",
            examined=n,
            of=n,
            evidence=(
                Curves("power", f, {"GT p5": f - 1, "GT p50": f, "GT p95": f + 1, "LQ": 2 * f}, ("cycles/px", "ln")),
            ),
        ),
        CheckResult("quality", "PSNR and SSIM", "ok", examined=n, of=n, evidence=(psnr,)),
        CheckResult(
            "drift",
            "Shards are alike",
            "ok",
            examined=2,
            of=2,
            unit="shards",
            evidence=(HeatMap("drift", ("shard 0", "shard 1"), ("blur", "noise"), np.array([[1, -2], [0.5, 0]]), "z"),),
        ),
        CheckResult("real", "Spectrum of real pictures", "not_run", reason="needs --real FOLDER"),
    )


@pytest.fixture(scope="session")
def page(audit: Audit, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    file = tmp_path_factory.mktemp("report") / "sub" / "report.html"
    size = write_report(audit, dataset, file)
    return SimpleNamespace(file=file, size=size, text=file.read_text(encoding="utf-8"))
