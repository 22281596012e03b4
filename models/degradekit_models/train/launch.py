"""Devices, precision and processes of a run: one process, several on this machine, torchrun's, or Ray Train's."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from degradekit_models.train.boards import MakeBoard
from degradekit_models.train.config import Config
from degradekit_models.train.loop import Run, train
from degradekit_models.train.progress import Reporter
from degradekit_models.train.scheme import Scheme

__all__ = ["Devices", "make_fabric", "run_here"]


@dataclass(frozen=True, slots=True)
class Devices:
    """What a run computes on.

    Args:
        accelerator: ``auto``, ``cpu`` or ``cuda``.
        devices: How many of this machine, each with a process of its own; a process that torchrun or Ray Train
            started is one of the group as they made it, whatever this says.
        precision: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
    """

    accelerator: str = "auto"
    devices: int | str = "auto"
    precision: Any = "32-true"


def make_fabric(config: Config, devices: Devices) -> Fabric:
    """Fabric for a run; in a process that torchrun or Ray Train started, for the group that it is one of.

    Args:
        config: The run; where parts of its networks stand still, ranks do not wait for their gradients.
        devices: What it computes on.

    Returns:
        Launched by nobody yet.

    Example:
        >>> from degradekit_models.train.config import parse_config
        >>> config = parse_config('''
        ... name: a
        ... generator: {arch: msrresnet_x4}
        ... data: {}
        ... iterations: 1
        ... optimizer: {lr: 1.0e-4}
        ... pixel: {weight: 1}
        ... ''')
        >>> make_fabric(config, Devices("cpu", 1)).world_size
        1
    """
    strategy = "ddp_find_unused_parameters_true" if config.idle else "ddp"
    local, world = (int(os.environ.get(name, "0")) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    if local and "RANK" in os.environ:
        return Fabric(
            accelerator=devices.accelerator, devices=local, num_nodes=world // local, strategy=strategy,
            precision=devices.precision, plugins=[TorchElasticEnvironment()],
        )  # fmt: skip
    chosen: dict[str, Any] = {name: getattr(devices, name) for name in ("accelerator", "devices", "precision")}
    fabric = Fabric(**chosen)
    return fabric if fabric.world_size == 1 else Fabric(**chosen, strategy=strategy)


def run_here(
    config: Config,
    run: Run,
    devices: Devices,
    *,
    every: int = 100,
    boards: Sequence[MakeBoard] = (),
) -> tuple[Scheme, bool]:
    """Train in this process as one of its group; the first rank alone speaks and keeps.

    Args:
        config: What is trained.
        run: On what, and where to.
        devices: On which devices.
        every: Steps between two lines.
        boards: Further places for the curves.

    Returns:
        The trained networks, and whether this is the first rank.

    Raises:
        ModelError: See `train`.
    """
    fabric = make_fabric(config, devices)
    fabric.launch()
    first = fabric.global_rank == 0
    reporter = Reporter(
        run.out if first and run.keep else None, every=every, stream=sys.stderr if first else None, boards=boards
    )
    try:
        return train(config, run, fabric, reporter), first
    finally:
        reporter.end()
