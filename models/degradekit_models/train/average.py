"""The exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["Average"]


class Average:
    """Average of the parameters over the steps; buffers are copied.

    Args:
        net: The network in training; the average begins as a copy.
        decay: Share of the average that is kept at each step.

    Source:
        Polyak & Juditsky 1992; decay 0.999 as published for ESRGAN and Real-ESRGAN.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> average = Average(net, 0.5)
        >>> before = net.weight.item()
        >>> _ = nn.init.constant_(net.weight, before + 1)
        >>> average.update(net)
        >>> round(average.state_dict()["weight"].item() - before, 3)
        0.5
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self._tensors = {name: value.detach().clone() for name, value in net.state_dict().items()}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take a step's weights in."""
        parameters = {name for name, _ in net.named_parameters()}
        for name, value in net.state_dict().items():
            if name in parameters and value.is_floating_point():
                self._tensors[name].lerp_(value, 1 - self.decay)
            else:
                self._tensors[name].copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self._tensors

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on with saved ones."""
        for name, value in tensors.items():
            self._tensors[name].copy_(value)
