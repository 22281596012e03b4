"""VGG19 as a feature extractor for perceptual and style losses, with torchvision's key names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from degradekit_models.errors import ModelError

__all__ = ["LAYERS", "TAPS", "VGG19Features"]

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
TAPS = ("conv1_2", "conv2_2", "conv3_4", "conv4_4", "conv5_4")


def _layer_names() -> tuple[str, ...]:
    names: list[str] = []
    for block, (_, convs) in enumerate(BLOCKS, start=1):
        for i in range(1, convs + 1):
            names += [f"conv{block}_{i}", f"relu{block}_{i}"]
        names.append(f"pool{block}")
    return tuple(names)


LAYERS: tuple[str, ...] = _layer_names()
"""Name of every layer; its position is the index in ``features``."""


class VGG19Features(nn.Module):
    """Computes intermediate features of VGG19, all sixteen convolutions, without the classifier.

    Args:
        taps: layers to return, for example ``"conv5_4"`` (before the ReLU) or ``"relu5_4"``.
        use_input_norm: normalise with ImageNet's mean and deviation, as the weights expect.
        range_norm: the input is in [-1, 1] rather than [0, 1].

    Shape:
        ``[N,3,H,W]`` RGB -> dict of tap name -> ``[N,C,H/2**k,W/2**k]``.

    Raises:
        ModelError: an unknown layer.

    Source:
        Simonyan & Zisserman, "Very Deep Convolutional Networks", ICLR 2015, configuration E; features before the ReLU:
        Wang et al., "ESRGAN", ECCVW 2018, section 3.4.

    Example:
        >>> import torch
        >>> {name: tuple(f.shape) for name, f in VGG19Features(("conv1_2", "relu2_1"))(torch.rand(1, 3, 16, 8)).items()}
        {'conv1_2': (1, 64, 16, 8), 'relu2_1': (1, 128, 8, 4)}
    """

    mean: Tensor
    std: Tensor

    def __init__(self, taps: Sequence[str] = TAPS, *, use_input_norm: bool = True, range_norm: bool = False) -> None:
        super().__init__()
        unknown = [tap for tap in taps if tap not in LAYERS]
        if unknown:
            raise ModelError(f"VGG19Features: no layer is called {unknown[0]!r}; conv1_1, relu1_1 .. pool5 exist.")
        self.taps = tuple(taps)
        self.use_input_norm = use_input_norm
        self.range_norm = range_norm
        self.features = nn.Sequential()
        width = 3
        for channels, convs in BLOCKS:
            for _ in range(convs):
                self.features.extend([nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()])
                width = channels
            self.features.append(nn.MaxPool2d(2))
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Computes the features of a batch of images at every tap."""
        if self.range_norm:
            x = (x + 1.0) / 2.0
        if self.use_input_norm:
            x = (x - self.mean) / self.std
        out: dict[str, Tensor] = {}
        for name, layer in zip(LAYERS, self.features, strict=True):
            if len(out) == len(set(self.taps)):
                break
            x = layer(x)
            if name in self.taps:
                out[name] = x
        return out
