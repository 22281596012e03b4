"""Saving a run so that it goes on bit for bit: whole files or none, tensors and plain values only."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from degradekit_models.errors import ModelError
from degradekit_models.whole import written_whole

__all__ = ["LAST", "load_state", "save_state"]

LAST = "last.ckpt"
VERSION = 1


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state; after a crash the file is the old one or the new one, never half of it.

    Raises:
        ModelError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part, part.open("wb") as file:
            torch.save({"version": VERSION, **state}, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        raise ModelError(f"the checkpoint {path} cannot be written: {error}") from error


def load_state(path: Path) -> dict[str, Any]:
    """Read a state back.

    Raises:
        ModelError: There is none, or it is no checkpoint of a run.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ModelError(f"the checkpoint {path} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise ModelError(f"{path} is no checkpoint of a training run; weights belong into generator.weights.")
    return state
