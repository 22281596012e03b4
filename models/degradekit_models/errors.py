"""Every error that the model zoo raises on purpose.

A message says, in one sentence, what was wrong, where, the value, and the remedy.
"""

__all__ = ["CheckpointError", "ModelError"]


class ModelError(Exception):
    """A network cannot be built, or was given an input that it cannot take."""


class CheckpointError(ModelError):
    """A weight file cannot be read, recognised, or loaded into the network it was meant for."""
