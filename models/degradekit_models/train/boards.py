"""Curves in other people's tools: TensorBoard, and Weights & Biases."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from degradekit_models.errors import ModelError

__all__ = ["Board", "MakeBoard", "TensorBoard", "WeightsAndBiases", "weights_and_biases"]


class Board(Protocol):
    """A place for curves."""

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Write what a step, counted from 0, measured."""

    def close(self) -> None:
        """Nothing more comes."""


MakeBoard: TypeAlias = Callable[[Path, int], Board]
"""Folder of the run and first step -> its board."""


class TensorBoard:
    """Files that ``tensorboard --logdir`` shows.

    Args:
        out: Folder of the run.
        step: The first step; what an earlier run wrote from it on is taken back.

    Raises:
        ModelError: TensorBoard is not installed.
    """

    def __init__(self, out: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ModelError("--tensorboard needs TensorBoard: pip install tensorboard") from error
        self._writer: Any = SummaryWriter(str(out / "tensorboard"), purge_step=step)

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Write what a step measured."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Nothing more comes."""
        self._writer.close()


class WeightsAndBiases:
    """A run at wandb.ai, or with ``WANDB_MODE=offline`` one in the folder that ``wandb sync`` sends later.

    A run that goes on keeps its name there (``wandb.id`` in the folder); steps that a killed run had logged already
    are not logged again, and have the same values.

    Args:
        out: Folder of the run.
        name: Of the run.
        facts: Its config, shown beside the curves.
    """

    def __init__(self, out: Path, *, name: str, facts: Mapping[str, Any]) -> None:
        wandb: Any = import_module("wandb")
        kept = out / "wandb.id"
        if not kept.exists():
            kept.write_text(uuid.uuid4().hex[:8], encoding="utf-8")
        self._run: Any = wandb.init(
            project="degradekit", name=name, id=kept.read_text(encoding="utf-8"), resume="allow", dir=str(out),
            config=dict(facts),
        )  # fmt: skip

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Write what a step measured."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Nothing more comes."""
        self._run.finish()


def weights_and_biases(name: str, facts: Mapping[str, Any]) -> MakeBoard:
    """The board of a run with this name and config.

    Raises:
        ModelError: wandb is not installed.
    """
    if find_spec("wandb") is None:
        raise ModelError("--wandb needs Weights & Biases: pip install wandb")
    return lambda out, _: WeightsAndBiases(out, name=name, facts=facts)
