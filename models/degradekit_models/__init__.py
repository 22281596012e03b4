"""The model zoo: networks that train on degradekit shards, equal to the published ones tensor by tensor.

Importing the package loads no torch; the networks are imported by the first `build`.

Example:
    >>> import degradekit_models
    >>> net = degradekit_models.build("srvgg_animevideov3", num_conv=2)
    >>> type(net).__name__
    'SRVGGNetCompact'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from degradekit_models.errors import CheckpointError, ModelError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CheckpointError", "ModelError", "build", "load_checkpoint", "names"]


def names() -> tuple[str, ...]:
    """Lists every name that `build` knows, in the order of the registry.

    Example:
        >>> "rrdbnet_x4_23b" in names()
        True
    """
    from degradekit_models.archs import ARCHS

    return tuple(ARCHS)


def build(name: str, **overrides: Any) -> nn.Module:
    """Builds a freshly initialised network by name.

    Args:
        name: a key of `degradekit_models.archs.ARCHS`, for example ``"rrdbnet_x4_23b"``.
        **overrides: constructor arguments that replace the recorded ones, for example ``num_block=2``.

    Raises:
        ModelError: the name or an argument is unknown.

    Example:
        >>> build("msrresnet_x2", num_block=1).upscale
        2
    """
    from degradekit_models.archs import build as build_arch

    return build_arch(name, **overrides)


def load_checkpoint(path: str | Path, *, arch: str | None = None) -> nn.Module:
    """Builds the network that a weight file belongs to, and loads the file; see `checkpoints.load_checkpoint`."""
    from degradekit_models.checkpoints import load_checkpoint as load

    return load(path, arch=arch)
