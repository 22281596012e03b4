"""Losses between a restored image and its target, pixel by pixel.

Shapes: any batch of images ``[..., C, H, W]``; a weight map has C channels, or one channel that serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from degradekit_models.errors import ModelError

__all__ = ["DISTANCES", "charbonnier", "l1", "mse", "total_variation"]


def l1(pred: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """Mean absolute error, weighted on request.

    Args:
        pred: images ``[N,C,H,W]``.
        target: of the same shape.
        weight: map ``[N,C,H,W]`` or ``[N,1,H,W]``; the mean divides by its sum.
        reduction: ``mean``, ``sum`` (which does not divide, as EDVR's training uses it) or ``none``.

    Raises:
        ModelError: shapes differ, or the reduction is unknown.

    Example:
        >>> import torch
        >>> l1(torch.tensor([[[[0.0, 1.0]]]]), torch.zeros(1, 1, 1, 2)).item()
        0.5
    """
    _same_shape(pred, target)
    return _reduce((pred - target).abs(), weight, reduction)


def mse(pred: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """Mean squared error; arguments as in `l1`."""
    _same_shape(pred, target)
    return _reduce((pred - target) ** 2, weight, reduction)


def charbonnier(
    pred: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean", eps: float = 1e-12
) -> Tensor:
    """sqrt(d^2 + eps) per value: an L1 that is smooth at zero; other arguments as in `l1`.

    Args:
        pred: images ``[N,C,H,W]``.
        target: of the same shape.
        weight: map ``[N,C,H,W]`` or ``[N,1,H,W]``.
        reduction: ``mean``, ``sum`` or ``none``.
        eps: added inside the root, not squared; larger rounds the corner more.

    Source:
        Lai et al., "Deep Laplacian Pyramid Networks", CVPR 2017, equation 2; eps as published for EDVR and BasicVSR.
    """
    _same_shape(pred, target)
    return _reduce(((pred - target) ** 2 + eps).sqrt(), weight, reduction)


def total_variation(pred: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """Sum of the mean absolute differences to the lower and to the right neighbour.

    Args:
        pred: images ``[N,C,H,W]``.
        weight: as in `l1`; the map is cropped at the far side.
        reduction: ``mean`` or ``sum``.
    """
    rows = None if weight is None else weight[..., :-1, :]
    columns = None if weight is None else weight[..., :-1]
    down = l1(pred[..., :-1, :], pred[..., 1:, :], rows, reduction=reduction)
    return down + l1(pred[..., :-1], pred[..., 1:], columns, reduction=reduction)


DISTANCES: Mapping[str, Callable[..., Tensor]] = {"l1": l1, "mse": mse, "charbonnier": charbonnier}
"""Distances between images by name."""


def _same_shape(pred: Tensor, target: Tensor) -> None:
    if pred.shape != target.shape:
        raise ModelError(
            f"the prediction is {list(pred.shape)} and the target {list(target.shape)}: "
            "check the scale of the network against that of the pairs."
        )


def _reduce(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is not None:
        loss = loss * weight
    match reduction:
        case "none":
            return loss
        case "sum":
            return loss.sum()
        case "mean" if weight is None:
            return loss.mean()
        case "mean":
            assert weight is not None
            return loss.sum() / torch.broadcast_to(weight, loss.shape).sum()
    raise ModelError(f"reduction {reduction!r} is unknown: choose mean, sum or none.")
