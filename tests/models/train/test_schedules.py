"""Learning rates against the published schedulers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from degradekit_models.errors import ModelError
from degradekit_models.train.schedules import CosineRestarts, MultiStep

STORED = np.load(Path(__file__).parents[2] / "golden" / "zoo" / "schedules.npz")
SCHEDULES = json.loads(str(STORED["meta"]))["schedules"]


@pytest.mark.parametrize("name", SCHEDULES)
def test_published(name: str) -> None:
    told = SCHEDULES[name]
    schedule = (
        CosineRestarts(told["periods"], told["restart_weights"], told["eta_min"])
        if told["kind"] == "cos"
        else MultiStep(told["milestones"], told["gamma"])
    )
    got = [schedule.rate(told["base_lr"], int(step)) for step in STORED[f"{name}_step"]]
    np.testing.assert_allclose(got, STORED[f"{name}_lr"], rtol=1e-9, atol=1e-15)


def test_after_the_last_period_the_rate_stays() -> None:
    schedule = CosineRestarts((10,), (1.0,), 1e-7)
    assert schedule.rate(1e-3, 10) == schedule.rate(1e-3, 11) == pytest.approx(1e-7)


@pytest.mark.parametrize(("periods", "weights"), [((), ()), ((10, 0), (1, 1)), ((10,), (1, 1))])
def test_refused(periods: tuple[int, ...], weights: tuple[float, ...]) -> None:
    with pytest.raises(ModelError, match="cosine restarts: periods"):
        CosineRestarts(periods, weights)
