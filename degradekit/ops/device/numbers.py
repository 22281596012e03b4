"""Arithmetic of the definition on tensors: levels, clipping, fused multiply-adds, drawn numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, SupportsFloat

import numpy as np
import torch
from torch import Tensor

from degradekit.types import Series

__all__ = [
    "by_frame",
    "exact",
    "fma",
    "from_levels",
    "polynomial",
    "repeated",
    "root",
    "round_levels",
    "single",
    "to_levels",
    "unit",
]


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Full float32 inside, whatever a trainer has set: no TF32 or bfloat16, no autocast, no graph for gradients."""
    casts = torch.amp.is_autocast_available(device.type)
    with torch.no_grad(), torch.autocast(device.type, enabled=False) if casts else nullcontext(), ExitStack() as stack:
        for backend in (torch.backends.cudnn, torch.backends.mkldnn):
            # Convolutions are the only float32 sums here that a library makes; the products of matrices are float64.
            if hasattr(backend, "conv"):  # since torch 2.9, which warns of the older switch
                stack.enter_context(_set(backend.conv, "fp32_precision", "ieee"))
            elif hasattr(backend, "allow_tf32"):
                stack.enter_context(_set(backend, "allow_tf32", False))
        yield


@contextmanager
def _set(holder: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


def fma(a: Tensor | float, b: Tensor, c: Tensor | float) -> Tensor:
    """A * b + c of float32 numbers, rounded once.

    A product of two float32 is exact in float64, so that only the sum is rounded before the last rounding; the result
    differs from one rounding where the sum lies within 2^-29 of the middle between two float32, and there by one ulp.

    Example:
        >>> x = torch.tensor([1 + 2**-12])
        >>> (fma(x, x, -1.0) == 2**-11 + 2**-24).item(), (x * x - 1 == 2**-11 + 2**-24).item()
        (True, False)
    """
    out = torch.empty(0, dtype=torch.float32, device=b.device)  # what is computed in float64 is rounded into it
    if not isinstance(c, Tensor):
        return torch.add(a * b.double(), c, out=out)
    if isinstance(a, Tensor):
        return torch.addcmul(c, a, b.double(), out=out)
    return torch.add(c, b.double(), alpha=a, out=out)


def repeated(rows: Tensor, counts: Sequence[int]) -> Tensor:
    """Row i ``counts[i]`` times.

    Example:
        >>> repeated(torch.tensor([5, 7]), [1, 2]).tolist()
        [5, 7, 7]
    """
    repeats = torch.tensor(counts, device=rows.device)
    return rows.repeat_interleave(repeats, 0, output_size=sum(counts))  # told, the sum needs no waiting for


def root(x: Tensor) -> Tensor:
    """Square root of float32 numbers, correctly rounded; torch's own is one ulp off in a sixth of the cases."""
    return x.double().sqrt().float()


def polynomial(coefficients: Sequence[SupportsFloat], x: Tensor) -> Tensor:
    """Horner's rule, one rounding a term; lowest degree first."""
    *rest, highest = (float(c) for c in coefficients)
    p = torch.full_like(x, highest)
    for c in reversed(rest):
        p = fma(p, x, c)
    return p


def single(value: float) -> float:
    """A number rounded to float32."""
    return float(np.float32(value))


def unit(x: Tensor) -> Tensor:
    """Cut to [0, 1]."""
    return x.clamp(0, 1)


def from_levels(image: Tensor) -> Tensor:
    """Integers to float32 in [0, 1], correctly rounded.

    Example:
        >>> from_levels(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist()
        [0.0, 0.20000000298023224, 1.0]
    """
    top = torch.full((), torch.iinfo(image.dtype).max, dtype=torch.float32, device=image.device)
    return image.float() / top  # by a tensor: by a number, CUDA multiplies with the rounded inverse


def round_levels(x: Tensor, top: int = 255) -> Tensor:
    """Clip to [0, 1] and round to whole levels 0...top, halves up; still float32.

    Example:
        >>> round_levels(torch.tensor([-0.1, 0.5, 0.2, 1.3])).tolist()
        [0.0, 128.0, 51.0, 255.0]
    """
    return fma(unit(x), torch.full((), top, device=x.device), 0.5).floor()


def to_levels(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Float32 to uint8 or uint16: cut to [0, 1], then round to the nearest level (ties up)."""
    return round_levels(x, torch.iinfo(dtype).max).to(dtype)


def by_frame(value: Series, x: Tensor) -> Tensor | float:
    """A drawn number, rounded to float32, ready to meet a clip ``[T, C, H, W]``.

    Example:
        >>> by_frame((0.5, 2.0), torch.zeros(2, 3, 4, 4)).shape, by_frame(0.5, torch.zeros(2, 3, 4, 4))
        (torch.Size([2, 1, 1, 1]), 0.5)
    """
    if not isinstance(value, tuple):
        return single(value)
    return torch.tensor(value, dtype=torch.float32, device=x.device).reshape(-1, 1, 1, 1)
