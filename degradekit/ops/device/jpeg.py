"""A JPEG round trip on a device, bit for bit what :mod:`degradekit.ops.libjpeg` makes.

The two passes of libjpeg's transform are exact sums of whole numbers, so here each is a product with an 8x8 matrix in
float64, which holds them exactly in any order of summation; blocks of all pictures of a group go through it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from degradekit.ops.device.numbers import from_levels, round_levels
from degradekit.ops.islow import matrices
from degradekit.ops.libjpeg import SUBSAMPLING
from degradekit.types import Array

__all__ = ["Coding", "code_clips", "from_blocks", "to_blocks"]


class Coding(NamedTuple):
    """How one frame is coded.

    Args:
        tables: Quantisation steps of luma and chroma, int32 ``[8, 8]``.
        subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    """

    tables: tuple[Array, Array]
    subsampling: str


def code_clips(xs: Sequence[Tensor], codings: Sequence[Sequence[Coding]]) -> list[Tensor]:
    """Encode and decode every frame of some clips, float32 ``[T, C, H, W]`` each, by a coding of its own."""
    decoded = _round_trip([frame for x in xs for frame in x], [coding for clip in codings for coding in clip])
    frames = iter(decoded)
    return [torch.stack([next(frames) for _ in x]) for x in xs]


def _round_trip(frames: Sequence[Tensor], codings: Sequence[Coding]) -> list[Tensor]:
    """Encode frames as baseline JPEG and decode them again.

    Args:
        frames: float32 ``[C, H, W]``, C = 1 or 3, RGB; clipped to [0, 1] and rounded to 8 bits.
        codings: One for each.

    Returns:
        float32 of the same shapes, 8-bit levels over 255.
    """
    planes: list[Tensor] = []
    steps: list[Tensor] = []
    for frame, coding in zip(frames, codings, strict=True):
        levels = round_levels(frame).int()
        rows, columns = SUBSAMPLING[coding.subsampling]
        parts = [_whole_blocks(levels)] if len(levels) == 1 else _planes(levels, rows, columns)
        planes += parts
        steps += [torch.from_numpy(table.copy()).to(frame.device) for table in coding.tables[: len(parts)]]
    decoded = iter(_requantise(planes, steps))
    out = []
    for frame, coding in zip(frames, codings, strict=True):
        c, h, w = frame.shape
        luma = next(decoded)[:, :h, :w]
        rows, columns = SUBSAMPLING[coding.subsampling]
        out.append(from_levels((luma if c == 1 else _rgb(luma, next(decoded), rows, columns)).to(torch.uint8)))
    return out


def _planes(levels: Tensor, rows: int, columns: int) -> list[Tensor]:
    """Luma ``[1, h, w]`` and both colour differences ``[2, h', w']``, in whole blocks."""
    r, g, b = levels
    luma = (19595 * r + 38470 * g + 7471 * b + (1 << 15)) >> 16
    middle = (128 << 16) + (1 << 15) - 1
    cb = (32768 * b - 11059 * r - 21709 * g + middle) >> 16
    cr = (32768 * r - 27439 * g - 5329 * b + middle) >> 16
    chroma = torch.stack((cb, cr))
    h, w = luma.shape
    chroma = _repeated(chroma, h + -h % rows, columns * (-(-w // columns) + 7 >> 3 << 3))
    if columns == 2:
        chroma = chroma[..., ::2] + chroma[..., 1::2]
        chroma = chroma[:, ::2] + chroma[:, 1::2] if rows == 2 else 2 * chroma
        bias = 1 + torch.arange(chroma.shape[-1], device=levels.device) % 2
        chroma = (chroma + bias) >> 2
    return [_whole_blocks(luma[None]), _whole_blocks(chroma)]


def _whole_blocks(planes: Tensor) -> Tensor:
    h, w = planes.shape[-2:]
    return _repeated(planes, h + -h % 8, w + -w % 8)


def _repeated(planes: Tensor, h: int, w: int) -> Tensor:
    """Repeat the last row and column up to a size."""
    below, right = h - planes.shape[-2], w - planes.shape[-1]
    if below == right == 0:
        return planes
    return pad(planes.double(), (0, right, 0, below), mode="replicate").int()


def _requantise(planes: Sequence[Tensor], steps: Sequence[Tensor]) -> list[Tensor]:
    """What is left of the blocks of some planes ``[P, H, W]`` after quantisation, each with steps of its own."""
    blocks = [to_blocks(plane) for plane in planes]
    sizes = [len(block) for block in blocks]
    which = torch.cat([torch.full((size,), i, device=planes[0].device) for i, size in enumerate(sizes)])
    step = torch.stack(list(steps)).double()[which]
    forward, inverse = _transforms(planes[0].device)
    x = _shifted((torch.cat(blocks).double() - 128) @ forward.T, 11)
    x = _shifted(forward @ x, 15)
    x = ((x.abs() / (8 * step) + 0.5).floor() * step).copysign(x)  # halves away from zero
    x = _shifted(inverse @ x, 11)
    x = (_shifted(x @ inverse.T, 18) + 128).clamp(0, 255).int()
    return [from_blocks(part, plane.shape) for part, plane in zip(torch.split(x, sizes), planes, strict=True)]


def to_blocks(planes: Tensor) -> Tensor:
    """Planes ``[P, 8 h, 8 w]`` as ``[P h w, 8, 8]``."""
    p, h, w = planes.shape
    return planes.reshape(p, h // 8, 8, w // 8, 8).transpose(2, 3).reshape(-1, 8, 8)


def from_blocks(blocks: Tensor, shape: torch.Size) -> Tensor:
    """The planes of :func:`to_blocks`."""
    p, h, w = shape
    return blocks.reshape(p, h // 8, w // 8, 8, 8).transpose(2, 3).reshape(shape)


@lru_cache(maxsize=8)
def _transforms(device: torch.device) -> tuple[Tensor, Tensor]:
    # Cached because they are constants.
    forward, inverse = (torch.from_numpy(matrix).double().to(device) for matrix in matrices())
    return forward, inverse


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Whole numbers divided by 2^bits, halves up."""
    return torch.floor(x * 2.0**-bits + 0.5)


def _rgb(luma: Tensor, chroma: Tensor, rows: int, columns: int) -> Tensor:
    """Chroma interpolation and colour conversion, whole numbers."""
    _, h, w = luma.shape
    full = _interpolated(chroma[:, : -(-h // rows), : -(-w // columns)], rows, columns)[:, :h, :w] - 128
    y, (cb, cr) = luma[0], full
    half = 1 << 15
    red = y + (91881 * cr + half >> 16)
    green = y + (-22554 * cb - 46802 * cr + half >> 16)
    blue = y + (116130 * cb + half >> 16)
    return torch.stack((red, green, blue)).clamp(0, 255)


def _interpolated(c: Tensor, rows: int, columns: int) -> Tensor:
    """Libjpeg's triangular interpolation of ``[2, h, w]`` to twice as many columns, and rows."""
    if columns == 1:
        return c
    _, h, w = c.shape
    if w <= 2:  # libjpeg only repeats samples in rows as short as this
        return c.repeat_interleave(columns, 2).repeat_interleave(rows, 1)
    if rows == 2:
        above, below = (c[:, _places(h, by, c.device)] for by in (-1, 1))
        c = torch.stack((3 * c + above, 3 * c + below), dim=2).flatten(1, 2)
    bits, bias = (4, (8, 7)) if rows == 2 else (2, (1, 2))
    left, right = (c[..., _places(w, by, c.device)] for by in (-1, 1))
    return torch.stack((3 * c + left + bias[0] >> bits, 3 * c + right + bias[1] >> bits), dim=3).flatten(2, 3)


def _places(n: int, by: int, device: torch.device) -> Tensor:
    """Neighbours at a distance; the outermost samples are their own."""
    return (torch.arange(n, device=device) + by).clamp(0, n - 1)
