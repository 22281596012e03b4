"""Runs with one rank or several, one after another; every rank writes down which pairs it received.

A run may be killed while it goes. Imports once and forks, which costs a tenth of starting every process anew.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from degradekit_models.data import Batch, TrainingData
from degradekit_models.errors import ModelError
from degradekit_models.train import launch
from degradekit_models.train.config import parse_config
from degradekit_models.train.loop import Run
from degradekit_models.train.progress import Reporter


class KilledAt(Reporter):
    """A reporter that ends its own process as kill -9 does, right after a step."""

    last: int

    def step(self, step: int, *arguments: Any, **options: Any) -> None:
        super().step(step, *arguments, **options)
        if step == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_in_save(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train_rank(rank: int, shards: str, name: str, out: str, text: str, **options: Any) -> None:
    torch.set_num_threads(1)
    reporter = type("Killed", (KilledAt,), {"last": options.get("kill", -1)})
    fsync = killed_in_save if options.get("kill_in_save") else os.fsync
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
        validation=[shards] if options.get("validate") else [],
        stop_after=options.get("steps"),
        workers=options.get("workers", 0),
        allow_random_init=True,
        resume=True,
    )
    facts: dict[str, Any] = {}
    try:
        with (
            patch.object(TrainingData, "__iter__", watched),
            patch.object(launch, "Reporter", reporter),
            patch.object(os, "fsync", fsync),
        ):
            scheme, first = launch.run_here(parse_config(text), job, launch.Devices("cpu", 1))
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
        ranks = run.pop("ranks", 1)
        for pid in [fork(rank, ranks, port, run) for rank in range(ranks)]:
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
