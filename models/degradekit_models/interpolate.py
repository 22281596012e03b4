"""Mixing the weights of networks of one kind: from faithful to vivid, or from cleaning little to cleaning much."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from degradekit_models.checkpoints import read_checkpoint
from degradekit_models.errors import CheckpointError, ModelError
from degradekit_models.whole import written_whole

__all__ = ["interpolate", "save_weights"]


def interpolate(a: str | Path, b: str | Path, *, alpha: float, key: str | None = None) -> dict[str, Tensor]:
    """Mixes two weight files tensor by tensor: ``(1 - alpha) * a + alpha * b``.

    With a PSNR-trained network as `a` and a GAN-trained one as `b`, larger is sharper and less faithful; with
    realesr-general-wdn-x4v3 as `a` and realesr-general-x4v3 as `b`, alpha is the strength of denoising.

    Args:
        a: a weight file in any layout; see `read_checkpoint`.
        b: another of the same network.
        alpha: share of `b`; beyond 0..1 extrapolates.
        key: container inside both files; None takes the first that exists, ``params_ema`` before ``params``.

    Raises:
        CheckpointError: a file cannot be read, or their tensors differ in names or shapes.
        ModelError: alpha is not finite.

    Source:
        Wang et al., "ESRGAN", ECCVW 2018, section 3.4 (network interpolation).

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, value in {"a": 0.0, "b": 1.0}.items():
        ...         torch.save({"params": {"conv.weight": torch.full((1,), value)}}, f"{folder}/{name}.pth")
        ...     interpolate(f"{folder}/a.pth", f"{folder}/b.pth", alpha=0.8)
        {'conv.weight': tensor([0.8000])}
    """
    if not abs(alpha) < float("inf"):
        raise ModelError(f"--alpha {alpha} is not finite.")
    first, second = read_checkpoint(a, key=key), read_checkpoint(b, key=key)
    odd = list(first.tensors.keys() ^ second.tensors.keys())
    odd += [
        k for k in first.tensors.keys() & second.tensors.keys() if first.tensors[k].shape != second.tensors[k].shape
    ]
    if odd:
        raise CheckpointError(
            f"{a} and {b} are not of one network: {len(odd)} tensors differ in name or shape ({sorted(odd)[0]}, ...)."
        )
    return {name: _mix(value, second.tensors[name], alpha) for name, value in first.tensors.items()}


def save_weights(tensors: dict[str, Tensor], path: str | Path) -> None:
    """Writes tensors as ``{"params": ...}``, or bare where the suffix is ``.safetensors``; whole or not at all.

    Raises:
        ModelError: the file cannot be written.
    """
    path = Path(path)
    try:
        with written_whole(path) as part:
            if path.suffix == ".safetensors":
                from safetensors.torch import save_file

                save_file({name: value.contiguous() for name, value in tensors.items()}, part)
            else:
                torch.save({"params": tensors}, part)
    except (OSError, RuntimeError) as error:  # torch reports a missing folder as RuntimeError
        raise ModelError(f"{path}: cannot be written ({error}).") from None


def _mix(a: Tensor, b: Tensor, alpha: float) -> Tensor:
    """In float64, so that mixing a tensor with itself returns it; counters are those of the second file."""
    if not a.is_floating_point():
        return b
    return ((1 - alpha) * a.double() + alpha * b.double()).to(a.dtype)
