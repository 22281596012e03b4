from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from degradekit.errors import StreamError
from degradekit.loader import PairDataset, PairLoader, to_tensors
from degradekit.stream import PairStream

from .stream.conftest import gt_pixels, make_set  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # more workers than this machine has cores
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),  # Python 3.12 and later, on a fork
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),  # torchdata 0.11 with torch 2.13
]
FORK = multiprocessing.get_context("fork")


def indices(batches: Iterable[dict[str, Any]]) -> list[int]:
    return [index for batch in batches for index in batch["index"].tolist()]


def stream_of(place: Path, **options: Any) -> PairStream:
    return PairStream(place, **({"batch_size": 4} | options))


@pytest.fixture
def place(make_set: Callable[..., Path]) -> Path:  # noqa: F811
    return make_set(29)


@pytest.fixture
def whole(place: Path) -> list[list[int]]:
    stream = stream_of(place)
    return [indices(stream) for _ in range(3)]


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_a_loader_gives_the_order_and_resumes_exactly_once(place: Path, whole: list[list[int]], workers: int) -> None:
    """Two batches and a state; another loader with other workers, ranks and batch size gives the rest of the epoch."""
    options = {"num_workers": workers, "multiprocessing_context": FORK if workers else None}
    loader = PairLoader(stream_of(place), **options)
    assert len(loader) == 8
    assert indices(loader) == whole[0]
    received = indices(islice(loader, 3))  # of the second epoch; workers had more ready
    state = json.dumps(loader.state_dict())
    assert len(state) < 1024
    rest = []
    for rank in range(2):
        other = PairLoader(stream_of(place, batch_size=3, rank=rank, world_size=2), num_workers=(workers + 1) % 2)
        other.load_state_dict(json.loads(state))
        rest.append([batch["index"].tolist() for batch in other])
        assert other.state_dict()["epoch"] == 2
    assert received + [i for parts in zip(*rest, strict=True) for part in parts for i in part] == whole[1]
    assert indices(loader) == whole[1][12:]
    assert indices(loader) == whole[2]


def test_a_plain_dataloader(place: Path, whole: list[list[int]]) -> None:
    stream = stream_of(place)
    loader = DataLoader(PairDataset(stream), batch_size=None, num_workers=2, multiprocessing_context=FORK)
    for epoch in range(2):
        stream.set_epoch(epoch)
        batches = list(loader)
        assert indices(batches) == whole[epoch]
    resumed = stream_of(place, batch_size=5)
    resumed.load_state_dict(stream.state_dict(after=batches[2]))
    assert indices(resumed) == whole[1][12:]
    alone = DataLoader(PairDataset(stream_of(place)), batch_size=None)
    assert [indices(alone) for _ in range(2)] == whole[:2]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stateful_dataloader(place: Path, whole: list[list[int]], workers: int) -> None:
    stateful = pytest.importorskip("torchdata.stateful_dataloader")
    options = {"batch_size": None, "num_workers": workers, "multiprocessing_context": FORK if workers else None}
    for step in (1, 4, 7):
        loader = stateful.StatefulDataLoader(PairDataset(stream_of(place)), **options)
        received = indices(islice(loader, step))
        state = loader.state_dict()
        other = stateful.StatefulDataLoader(PairDataset(stream_of(place)), **options)
        other.load_state_dict(state)
        assert received + indices(other) == whole[0]


def test_a_stateful_dataloader_with_other_workers_is_told_what_to_do(place: Path) -> None:
    dataset = PairDataset(stream_of(place))
    dataset.load_state_dict({"worker": 1, "workers": 3, "made": 2, "start": dataset.stream.state_dict()})
    with pytest.raises(StreamError, match=r"worker 0 of 1 was given the state of worker 1 of 3.*state_dict\(after"):
        iter(dataset)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
def test_lightning_saves_and_resumes_mid_epoch(place: Path, whole: list[list[int]], tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")

    class Model(lightning.LightningModule):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
            self.seen: list[int] = []

        def training_step(self, batch: dict[str, Any], number: int) -> torch.Tensor:
            self.seen += batch["index"].tolist()
            return self.layer(torch.ones(1, 1)).sum()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def fit(steps: int, resume: Path | None) -> list[int]:
        model = Model()
        trainer = lightning.Trainer(
            max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=tmp_path, barebones=False,
        )  # fmt: skip
        trainer.fit(model, PairLoader(stream_of(place)), ckpt_path=resume)
        trainer.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
        return model.seen

    first = fit(11, None)
    second = fit(20, tmp_path / "last.ckpt")
    assert first + second == whole[0] + whole[1] + whole[2][:16]


def test_tensors_are_laid_out_as_asked(place: Path) -> None:
    contiguous, last = (
        next(iter(PairLoader(stream_of(place, dtype=dtype), layout=layout)))
        for dtype, layout in (("stored", "contiguous"), ("float32", "channels_last"))
    )
    assert contiguous["gt"].shape == (4, 3, 16, 16)
    assert contiguous["gt"].is_contiguous()
    assert contiguous["gt"].dtype == torch.uint8
    assert last["gt"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last["gt"], contiguous["gt"].float() / 255)
    index = int(contiguous["index"][0])
    assert np.array_equal(contiguous["gt"][0].numpy(), gt_pixels(index)[0].transpose(2, 0, 1))
    clip = to_tensors({"lq": np.zeros((2, 5, 4, 6, 3), np.uint8)})
    assert clip["lq"].shape == (2, 5, 3, 4, 6)


def test_options_that_are_the_streams(place: Path) -> None:
    with pytest.raises(StreamError, match="takes no batch_size, shuffle"):
        PairLoader(stream_of(place), shuffle=True, batch_size=4)


def test_the_rank_is_taken_from_the_process_group(place: Path, tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        stream = stream_of(place)
        stream.rank, stream.world_size = 1, 2
        assert indices(PairLoader(stream)) == indices(stream_of(place))
        told = stream_of(place, rank=1, world_size=2)
        assert len(indices(PairLoader(told))) == 15
    finally:
        torch.distributed.destroy_process_group()
