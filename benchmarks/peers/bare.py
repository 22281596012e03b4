"""What basicsr 1.4.2 and realesrgan 0.3.0 need in order to be imported and run beside a CPU-only PyTorch of today.

``torchvision`` has no CPU build for this PyTorch on the package index, and basicsr imports a module of it that was
removed in torchvision 0.17; the packages' own ``__init__`` import every network, trainer and logger. So: a stand-in
with the one function that the degradations call, written from its definition, and packages without their ``__init__``.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch


def rgb_to_grayscale(image: torch.Tensor, num_output_channels: int = 1) -> torch.Tensor:
    """BT.601 luma of ``[..., 3, H, W]``, as torchvision defines it: 0.2989 R + 0.587 G + 0.114 B."""
    r, g, b = image.unbind(dim=-3)
    luma = (0.2989 * r + 0.587 * g + 0.114 * b).to(image.dtype).unsqueeze(dim=-3)
    return luma.expand(image.shape) if num_output_channels == 3 else luma


def absent(*_: Any, **__: Any) -> None:
    """Stands for a torchvision function that is imported, but that no degradation calls."""
    raise NotImplementedError("this torchvision function is not part of the degradation")


def stub_torchvision() -> None:
    """Make ``import torchvision`` succeed with what is needed here."""
    functional = {"rgb_to_grayscale": rgb_to_grayscale, "normalize": absent}
    _module("torchvision", path=[])
    _module("torchvision.transforms", path=[])
    _module("torchvision.transforms.functional", **functional)
    _module("torchvision.transforms.functional_tensor", **functional)
    _module("torchvision.utils", make_grid=absent)


def without_init(*packages: str) -> None:
    """Import packages as plain folders: their modules can be imported, their ``__init__`` does not run."""
    for name in packages:
        spec = find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        _module(name, path=list(spec.submodule_search_locations))


def stub_trainer() -> None:
    """Replace the trainer that the degradation's class inherits from by one that only knows its options and the CPU."""

    class SRGANModel:
        def __init__(self, opt: dict[str, Any]) -> None:
            self.opt, self.is_train, self.device = opt, True, torch.device("cpu")

    _module("basicsr.models.srgan_model", SRGANModel=SRGANModel)


def _module(name: str, *, path: list[str] | None = None, **members: Any) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=path is not None)
    if path is not None:
        module.__path__ = path
    for key, value in members.items():
        setattr(module, key, value)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], child, module)
