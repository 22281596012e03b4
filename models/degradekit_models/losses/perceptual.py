"""Perceptual and style losses on features, and LDL's map of artefacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from degradekit_models.archs.vgg import VGG19Features
from degradekit_models.errors import ModelError

__all__ = ["Criterion", "FeatureLosses", "PerceptualLoss", "artifact_map", "gram"]

Criterion = Literal["l1", "l2", "fro"]


class FeatureLosses(NamedTuple):
    """Perceptual and style terms; a term with weight 0 is None."""

    perceptual: Tensor | None
    style: Tensor | None


class PerceptualLoss(nn.Module):
    """Compares VGG19 features of two images, and their Gram matrices.

    Args:
        layers: weight of each tapped layer, for example ``{"conv5_4": 1.0}``; taps are before the ReLU.
        criterion: distance between features: ``l1`` and ``l2`` are means, ``fro`` is the Frobenius norm.
        perceptual_weight: of the feature term; 0 leaves it out.
        style_weight: of the Gram term; 0 leaves it out.
        range_norm: images are in [-1, 1] rather than [0, 1].
        features: a trained VGG19; its weights are frozen.

    Shape:
        two batches ``[N,3,H,W]`` -> `FeatureLosses`.

    Raises:
        ModelError: An unknown criterion.

    Source:
        Johnson et al., ECCV 2016, section 3.2; before the activation: Wang et al., "ESRGAN", section 3.4.
    """

    def __init__(
        self,
        layers: Mapping[str, float],
        *,
        criterion: Criterion = "l1",
        perceptual_weight: float = 1.0,
        style_weight: float = 0.0,
        range_norm: bool = False,
        features: VGG19Features | None = None,
    ) -> None:
        super().__init__()
        if criterion not in ("l1", "l2", "fro"):
            raise ModelError(f"perceptual criterion {criterion!r} is unknown: choose l1, l2 or fro.")
        self.layers = dict(layers)
        self.criterion = criterion
        self.perceptual_weight = perceptual_weight
        self.style_weight = style_weight
        self.features = features or VGG19Features(tuple(layers), range_norm=range_norm)
        self.features.requires_grad_(False)

    def forward(self, pred: Tensor, target: Tensor) -> FeatureLosses:
        """Compares two batches; no gradient flows to the target."""
        of_pred = self.features(pred)
        with torch.no_grad():
            of_target = self.features(target)
        perceptual = style = None
        if self.perceptual_weight:
            terms = [w * self._distance(of_pred[k], of_target[k]) for k, w in self.layers.items()]
            perceptual = torch.stack(terms).sum() * self.perceptual_weight
        if self.style_weight:
            terms = [w * self._distance(gram(of_pred[k]), gram(of_target[k])) for k, w in self.layers.items()]
            style = torch.stack(terms).sum() * self.style_weight
        return FeatureLosses(perceptual, style)

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        match self.criterion:
            case "l1":
                return F.l1_loss(a, b)
            case "l2":
                return F.mse_loss(a, b)
            case "fro":
                norm: Tensor = torch.linalg.vector_norm(a - b)
                return norm


def gram(features: Tensor) -> Tensor:
    """Correlations between channels, F F^T / (C H W).

    Shape:
        ``[N,C,H,W]`` -> ``[N,C,C]``.

    Source:
        Gatys et al., CVPR 2016; scaled as Johnson et al., ECCV 2016, equation 3.

    Example:
        >>> import torch
        >>> gram(torch.ones(1, 2, 3, 3)).tolist()
        [[[0.5, 0.5], [0.5, 0.5]]]
    """
    n, c, h, w = features.shape
    flat = features.reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)


def artifact_map(target: Tensor, pred: Tensor, averaged: Tensor, *, window: int = 7) -> Tensor:
    """Weights that single out artefacts: large where the residual varies and the averaged network does better.

    Args:
        target: GT ``[N,3,H,W]``.
        pred: output of the network in training.
        averaged: output of its exponential moving average on the same input.
        window: odd side in px of the local variance.

    Returns:
        Map ``[N,1,H,W]``; zero where the network in training is the closer one.

    Source:
        Liang et al., "Details or Artifacts: a Locally Discriminative Learning Approach", CVPR 2022, equations 4 to 6.

    Example:
        >>> import torch
        >>> gt = torch.zeros(1, 3, 8, 8)
        >>> artifact_map(gt, gt, gt + 0.1).abs().sum().item()
        0.0
    """
    error = (target - pred).abs().sum(1, keepdim=True)
    error_averaged = (target - averaged).abs().sum(1, keepdim=True)
    whole = error.flatten(1).var(1).view(-1, 1, 1, 1) ** 0.2
    half = window // 2
    padded = F.pad(error, (half, half, half, half), mode="reflect")
    local = F.unfold(padded, window).var(1).view_as(error)
    return torch.where(error < error_averaged, torch.zeros_like(local), whole * local)
