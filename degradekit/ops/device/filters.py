"""Convolution, resampling and sharpening on a device, with the weights of the numpy form."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from degradekit.ops.base import at_frame, is_held
from degradekit.ops.convolve import ERROR, checked_kernel
from degradekit.ops.device.numbers import fma, single, unit
from degradekit.ops.passes import TILE, prepare
from degradekit.ops.resample import rows_first
from degradekit.ops.sharpen import StridedGaussian
from degradekit.types import Array, Series

__all__ = ["convolve", "convolve_frames", "resample", "sharpen"]


def convolve(x: Tensor, kernel: Array) -> Tensor:
    """Correlate every frame and channel with the kernel that :func:`degradekit.ops.convolve.convolve` applies.

    Args:
        x: float32 ``[T, C, H, W]``.
        kernel: ``[ky, kx]``, odd sides.

    Returns:
        float32 ``[T, C, H, W]``, not clipped; ``x`` itself where the kernel is an impulse within the error bound.
    """
    weights, gain = checked_kernel(kernel)
    passes = prepare(weights, 2 * ERROR)
    ry, rx, rank = passes.reach_y, passes.reach_x, len(passes.taps)
    if ry == 0 and rx == 0:
        return x if abs(gain - 1) < 1e-6 else x * single(gain)
    planes = _reflected(x.flatten(0, 1)[:, None], ry, rx)
    rows = passes.weights.reshape(-1, TILE)[:, 0]  # the weights of the first of the rows that are made together
    if rank == 0:
        dense = np.zeros((2 * ry + 1, 2 * rx + 1), np.float32)
        first = passes.step_row <= 2 * ry
        dense[passes.step_row[first], passes.step_at[first]] = rows[first]
        return conv2d(planes, _weights(dense[None, None], x)).reshape(x.shape)
    columns = np.ascontiguousarray(rows.reshape(-1, rank)[: 2 * ry + 1].T)
    filtered = conv2d(planes, _weights(passes.taps[:, None, None], x))
    return conv2d(filtered, _weights(columns[None, :, :, None], x)).reshape(x.shape)


def convolve_frames(x: Tensor, kernel: Callable[..., Array], *numbers: Series) -> Tensor:
    """Correlate each frame with ``kernel(*numbers)``, taken at that frame where a number is a series."""
    if is_held(*numbers):
        return convolve(x, kernel(*numbers))
    return torch.cat([convolve(x[t : t + 1], kernel(*(at_frame(n, t) for n in numbers))) for t in range(len(x))])


def _reflected(x: Tensor, y: int | tuple[int, int], x_reach: int) -> Tensor:
    """Continue ``[..., H, W]`` by reflection about the outermost samples, again and again where it is smaller.

    Example:
        >>> _reflected(torch.arange(3.0).reshape(1, 3), 0, 3).tolist()
        [[1.0, 2.0, 1.0, 0.0, 1.0, 2.0, 1.0, 0.0, 1.0]]
    """
    above, below = y if isinstance(y, tuple) else (y, y)
    return _mirrored(_mirrored(x, -2, above, below), -1, x_reach, x_reach)


def _mirrored(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    if not before and not after:
        return x
    n = x.shape[axis]
    period = max(2 * (n - 1), 1)
    places = np.arange(-before, n + after) % period
    return x.index_select(axis, torch.from_numpy(np.minimum(places, period - places)).to(x.device))


def _weights(weights: Array, x: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(weights, np.float32)).to(x.device)


def resample(x: Tensor, rows: tuple[Array, Array], columns: tuple[Array, Array]) -> Tensor:
    """Resample both axes by the weights of :func:`degradekit.ops.resample.axis_weights`, in the numpy form's order.

    Args:
        x: float32 ``[T, C, H, W]``.
        rows: ``first`` and ``weights`` of the vertical axis.
        columns: Those of the horizontal axis.
    """
    _, c, h, w = x.shape
    if rows_first((h, w * c), (len(rows[0]), len(columns[0]) * c), rows[1].shape[1], columns[1].shape[1]):
        return _along(_down(x, *rows), *columns)
    return _down(_along(x, *columns), *rows)


def _down(x: Tensor, first: Array, weights: Array) -> Tensor:
    """Weighted sums of rows, two rows at a time."""
    products = _products(x, -2, first, weights)
    pairs = [_sum(products[k], products[k + 1].float()) for k in range(0, len(products) - 1, 2)]
    if len(products) % 2 == 0:
        return reduce(torch.add, pairs)
    return _sum(products[-1], reduce(torch.add, pairs)) if pairs else products[-1].float()


def _along(x: Tensor, first: Array, weights: Array) -> Tensor:
    """Weighted sums along rows."""
    first_product, *products = _products(x, -1, first, weights)
    if len(products) in (1, 3) and x.shape[1] == 3:  # the compiler joins the first two then
        total = _sum(first_product, products.pop(0).float())
    else:
        total = first_product.float()
    for product in products:
        total = _sum(product, total)
    return total


def _products(x: Tensor, axis: int, first: Array, weights: Array) -> list[Tensor]:
    """Samples that have a part in the outputs times their weights, tap by tap; float64, which holds them exactly."""
    taps, shape = weights.shape[1], list(x.shape)
    at = (first.astype(np.int64) + np.arange(taps)[:, None]).ravel()
    shape[axis : axis + 1 if axis + 1 else None] = [taps, len(first)]
    samples = x.index_select(axis, torch.from_numpy(at).to(x.device)).reshape(shape)
    by_tap = _weights(weights.T, x).double()
    products = samples * (by_tap if axis == -1 else by_tap[..., None])
    return list(products.unbind(axis - 1))


def _sum(product: Tensor, total: Tensor) -> Tensor:
    """A product and a float32 sum, rounded once."""
    return torch.add(product, total, out=torch.empty(0, dtype=torch.float32, device=total.device))


def sharpen(x: Tensor, gaussian: StridedGaussian, amount: float, threshold: float) -> Tensor:
    """Unsharp masking with a soft mask, as :func:`degradekit.ops.sharpen.sharpen` defines it.

    Args:
        x: float32 ``[T, C, H, W]``, in [0, 1].
        gaussian: From ``strided_gaussian``, for this amount.
        amount: Share of the residual that is added.
        threshold: Residuals up to this size are left alone.
    """
    planes = x.flatten(0, 1)[:, None]
    residual = planes - _blur(planes, gaussian)
    soft = _blur((residual.abs() > single(threshold)).float(), gaussian)
    sharp = unit(fma(single(amount), residual, planes))
    return fma(soft, sharp - planes, planes).reshape(x.shape)


def _blur(planes: Tensor, gaussian: StridedGaussian) -> Tensor:
    """The rows of a wide Gaussian at every ``stride``-th row, and those between from their neighbours."""
    h, stride, reach = planes.shape[-2], gaussian.stride, len(gaussian.taps) // 2
    four = gaussian.weights.reshape(-1, TILE)
    groups = -(-h // TILE)
    coarse = (groups - 1) * (TILE // stride) + len(four)  # rows at (first, first + 1, ...) stride
    above = reach - gaussian.first * stride
    below = (gaussian.first + coarse - 1) * stride + reach + 1 - h
    taps = _weights(gaussian.taps, planes)
    rows = conv2d(_reflected(planes, (above, below), 0), taps.reshape(1, 1, -1, 1), stride=(stride, 1))
    rows = conv2d(_reflected(rows, 0, reach), taps.reshape(1, 1, 1, -1))
    between = conv2d(rows, _weights(four.T[:, None, :, None], planes), stride=(TILE // stride, 1))
    return between.transpose(1, 2).flatten(1, 2)[:, None, :h]
