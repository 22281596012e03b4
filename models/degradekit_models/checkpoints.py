"""Reading weight files of BasicSR, GFPGAN, ESRGAN, mmagic and stylegan2-pytorch, without running pickles."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from degradekit_models.archs import build
from degradekit_models.detection import Detected, detect
from degradekit_models.errors import CheckpointError
from degradekit_models.layouts import to_basicsr

__all__ = ["Checkpoint", "load_checkpoint", "load_weights", "read_checkpoint"]

CONTAINERS = ("params_ema", "params", "state_dict", "g_ema")
"""Keys under which a file keeps the weights, the averaged ones first; ``d`` holds a discriminator, if asked for."""

WRAPPERS = ("module.", "_orig_mod.")
"""What data-parallel training and compilation put before every key."""

_FOREIGN = (
    (b"pk\x03\x04", "it is a zip archive, perhaps cut short"),
    (b"<!doctype", "it is a web page, as a download that failed leaves"),
    (b"<html", "it is a web page, as a download that failed leaves"),
    (b"version https://git-lfs", "it is a pointer of Git LFS, not the file itself"),
    (b"\x89png", "it is a picture"),
    (b"\xff\xd8\xff", "it is a picture"),
    (b"\x1f\x8b", "it is a gzip archive: unpack it"),
    (b"\x80", "it is a pickle"),
)
"""First bytes, in lower case -> what such a file is."""


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a weight file under the names used here.

    Attributes:
        path: the file.
        key: the container inside the file that they were taken from; None if the file is a plain state_dict.
        layout: the project whose names the file used.
        tensors: name -> tensor, on the CPU.
    """

    path: Path
    key: str | None
    layout: str
    tensors: dict[str, Tensor]

    def detect(self) -> Detected:
        """Recognises the network and its constructor arguments.

        Raises:
            CheckpointError: no known network has such keys.
        """
        try:
            return detect(self.tensors)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: {error}") from None


def read_checkpoint(path: str | Path, *, key: str | None = None) -> Checkpoint:
    """Reads the tensors of a weight file.

    A ``.safetensors`` file is a plain state_dict. Any other file is read by torch, which refuses everything but tensors
    and plain containers. Averaged weights (``params_ema``, mmagic's ``generator_ema.``) come before raw ones.

    Args:
        path: the file.
        key: container inside the file, for example ``"params"``; None takes the first that exists.

    Raises:
        CheckpointError: the file is missing, unreadable, holds other objects, or has no such container.

    Example:
        >>> import tempfile, torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"params": {"module.conv_first.weight": torch.zeros(1)}}, folder + "/net.pth")
        ...     read_checkpoint(folder + "/net.pth").tensors
        {'conv_first.weight': tensor([0.])}
    """
    path = Path(path)
    content = _read(path)
    tensors, found = _unwrap(path, content, key)
    tensors = _strip(tensors)
    named, layout = to_basicsr(tensors)
    return Checkpoint(path, found, layout, named)


def load_weights(net: nn.Module, path: str | Path, *, key: str | None = None) -> None:
    """Loads a weight file into a network that exists already.

    Args:
        net: the network; only its values change.
        path: the file, in any layout that `read_checkpoint` knows.
        key: container inside the file; None takes the first that exists.

    Raises:
        CheckpointError: the file cannot be read, or its tensors are not those of the network.

    Example:
        >>> import tempfile, torch
        >>> net = torch.nn.Linear(2, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"weight": torch.ones(1, 2), "bias": torch.ones(1)}, folder + "/net.pth")
        ...     load_weights(net, folder + "/net.pth")
        >>> net(torch.ones(2)).item()
        3.0
    """
    _fill(net, read_checkpoint(path, key=key))


def load_checkpoint(path: str | Path, *, arch: str | None = None, key: str | None = None) -> nn.Module:
    """Builds the network that a weight file belongs to, and loads the file; the network is in evaluation mode.

    The class and its arguments are read off names and shapes. Shapes cannot tell a GFPGAN that resizes bilinearly from
    the original: name it (``"gfpgan_bilinear_c1"``), or build it and use `load_weights`.

    Args:
        path: the file.
        arch: a name of `ARCHS`; None detects it.
        key: container inside the file; None takes the first that exists.

    Raises:
        CheckpointError: the file cannot be read, its network is unknown, or tensors are missing or left over.

    Example:
        >>> import tempfile, torch
        >>> from degradekit_models import build
        >>> net = build("srvgg_animevideov3", num_feat=8, num_conv=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"params": net.state_dict()}, folder + "/net.pth")
        ...     again = load_checkpoint(folder + "/net.pth")
        >>> torch.equal(again.body[0].weight, net.body[0].weight)
        True
    """
    checkpoint = read_checkpoint(path, key=key)
    net = build(arch) if arch is not None else checkpoint.detect().build()
    _fill(net, checkpoint)
    return net.eval()


def _read(path: Path) -> Any:
    """The content of a file, by what it is rather than by its suffix."""
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file.")
    try:
        with path.open("rb") as file:
            head = file.read(64)
        if head[8:9] == b"{":  # safetensors: eight bytes of length, then JSON
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused is None:
            raise CheckpointError(f"{path}: {_describe(head, path)}; it is no weight file that loads safely.") from None
        raise CheckpointError(
            f"{path}: holds {refused[1]}, which safe loading refuses; where you trust it, save its tensors alone as "
            ".safetensors."
        ) from None
    except Exception as error:  # readers raise whatever the damage causes: EOFError, RuntimeError, SafetensorError ...
        first = (str(error) or "no message").splitlines()[0]
        raise CheckpointError(
            f"{path}: cannot be read ({type(error).__name__}: {first}); {_describe(head, path)}."
        ) from error


def _describe(head: bytes, path: Path) -> str:
    """What a file that cannot be read seems to be, and its size."""
    start = head.lstrip().lower()
    kind = next((name for sign, name in _FOREIGN if start.startswith(sign)), f"it begins with {head[:8]!r}")
    return f"{kind}, {path.stat().st_size} bytes long"


def _unwrap(path: Path, content: Any, key: str | None) -> tuple[dict[str, Tensor], str | None]:
    """The flat state_dict inside a file, and the container it was in."""
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}; a dict of tensors is expected.")
    if key is not None and key not in content:
        raise CheckpointError(f"{path}: has no {key!r}; it holds {_listed(content)}.")
    found = key or next((name for name in CONTAINERS if isinstance(content.get(name), Mapping)), None)
    inner = content if found is None else content[found]
    tensors = {k: v for k, v in inner.items() if isinstance(v, Tensor)} if isinstance(inner, Mapping) else {}
    if not tensors:
        raise CheckpointError(f"{path}: holds no weights, only {_listed(content)}; give the key that does.")
    return tensors, found


def _strip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Removes what wrappers put before the keys; of several networks in one file the averaged generator remains."""
    for prefix in WRAPPERS:
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    for prefix in ("generator_ema.", "generator."):
        if any(key.startswith(prefix) for key in tensors):
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    return tensors


def _fill(net: nn.Module, checkpoint: Checkpoint) -> None:
    expected = net.state_dict()
    given = {k: v for k, v in checkpoint.tensors.items() if k in expected or not _expendable(k)}
    missing = [k for k in expected if k not in given and not _constant(k)]
    left = [k for k in given if k not in expected]
    wrong = [k for k, v in given.items() if k in expected and v.shape != expected[k].shape]
    counted = ((missing, "missing"), (left, "left over"))
    problems = [f"{len(names)} {what} ({_listed(names)})" for names, what in counted if names]
    problems += [f"{k} is {tuple(given[k].shape)}, not {tuple(expected[k].shape)}" for k in wrong[:3]]
    if problems:
        raise CheckpointError(
            f"{checkpoint.path} ({checkpoint.key or 'plain'}, {checkpoint.layout} names): its tensors are not those of "
            f"{type(net).__name__}: {'; '.join(problems)}."
        )
    net.load_state_dict(given, strict=False)


def _constant(key: str) -> bool:
    """Buffers that a new network holds already: ImageNet statistics, which SPyNet's own file lacks, and counters."""
    return key.rpartition(".")[2] in ("mean", "std", "num_batches_tracked")


def _expendable(key: str) -> bool:
    """Tensors that files carry and feature extractors do not use: the classifier of VGG."""
    return key.startswith("classifier.")


def _listed(names: Any) -> str:
    shown = [str(name) for name in names]
    return ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "") if shown else "nothing"
