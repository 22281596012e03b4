"""Runs with one rank and with several, one after another; every rank writes down which pairs it received.

Imports once and forks the ranks, which costs a tenth of starting them one by one.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from degradekit_models.data import Batch, TrainingData
from degradekit_models.errors import ModelError
from degradekit_models.train.config import parse_config
from degradekit_models.train.launch import Devices, run_here
from degradekit_models.train.loop import Run


def train_rank(rank: int, shards: str, name: str, out: str, text: str, **options: Any) -> None:
    torch.set_num_threads(1)
    received: list[list[str]] = []
    iterate = TrainingData.__iter__

    def watched(data: TrainingData) -> Iterator[Batch]:
        for number, batch in enumerate(iterate(data)):
            received.append(list(batch.keys))
            poisoned = options.get("poison") == [rank, number]
            yield batch._replace(lq=batch.lq * torch.nan) if poisoned else batch

    job = Run(
        out=Path(out),
        data={shards: None},
        validation=[shards],
        stop_after=options.get("steps"),
        resume=True,
    )
    facts: dict[str, Any] = {}
    try:
        with patch.object(TrainingData, "__iter__", watched):
            scheme, first = run_here(parse_config(text), job, Devices("cpu", 1))
        sums = {name: value.double().sum().item() for name, value in scheme.generator.bare.state_dict().items()}
        facts = {"weights": sums, "first": first, "ranks": scheme.fabric.world_size}
    except ModelError as error:
        facts = {"error": str(error)}
    Path(f"{name}-{rank}.json").write_text(json.dumps(facts | {"keys": received}))


def fork(rank: int, ranks: int, port: int, run: dict[str, Any]) -> int:
    """The id of a process that is one rank of a group, as torchrun or Ray Train would set it up."""
    if pid := os.fork():
        return pid
    if ranks > 1:
        group = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks}
        os.environ |= {name: str(value) for name, value in group.items()}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        train_rank(rank, **run)
    finally:
        sys.stderr.flush()
        os._exit(0)


def main(runs: list[dict[str, Any]]) -> None:
    for run in runs:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        ranks = run.pop("ranks")
        for pid in [fork(rank, ranks, port, run) for rank in range(ranks)]:
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
