"""The same loop as a job of Ray Train: a process for each worker, anywhere in a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from degradekit_models.errors import ModelError
from degradekit_models.train.boards import MakeBoard
from degradekit_models.train.config import Config
from degradekit_models.train.launch import Devices, run_here
from degradekit_models.train.loop import Run

__all__ = ["run_on_ray"]


def run_on_ray(
    config: Config, run: Run, devices: Devices, *, workers: int, every: int = 100, boards: Sequence[MakeBoard] = ()
) -> None:
    """Train on a Ray cluster: the one at ``RAY_ADDRESS``, else one of this machine.

    Every node must see the run's folder and its datasets under the same paths, and relative paths are those of this
    process. The job can be resumed here, by torchrun or with another number of workers.

    Args:
        config: What is trained.
        run: On what, and where to.
        devices: Accelerator and precision; a worker gets one device.
        workers: Processes, each a rank.
        every: Steps between two lines.
        boards: Further places for the curves.

    Raises:
        ModelError: Ray Train is not installed, or the job failed.
    """
    try:
        from ray.train import RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchTrainer
    except ImportError as error:
        raise ModelError(f"--ray needs Ray Train: pip install 'ray[train]' ({error})") from error
    folder = Path.cwd()

    def work() -> None:
        os.chdir(folder)
        run_here(config, run, devices, every=every, boards=boards)

    trainer = TorchTrainer(
        work,
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=devices.accelerator != "cpu"),
        run_config=RunConfig(name="ray", storage_path=str(run.out.resolve())),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        failures = getattr(error, "worker_failures", None) or {0: error}
        rank, cause = min(failures.items())
        raise ModelError(f"rank {rank} of the Ray job: {cause}") from error
