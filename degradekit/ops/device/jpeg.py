"""A JPEG round trip on a device, bit for bit what :mod:`degradekit.ops.libjpeg` makes.

Everything is whole numbers, kept in float32 up to 2^24 and in float64 beyond, so nothing is ever rounded but where
libjpeg rounds. The two passes of its transform are exact sums, so each is a product with an 8x8 matrix here. Pixels and
blocks of all pictures of a group are laid one after the other and calculated at once; what depends on a picture's shape
(repeating edges, averaging and interpolating chroma) is done picture by picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from degradekit.ops.device.numbers import from_levels, repeated, round_levels
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
    """Encode and decode every frame of some clips as baseline JPEG.

    Args:
        xs: float32 ``[T, C, H, W]``, all RGB or all grey; clipped to [0, 1] and rounded to 8 bits.
        codings: One for each frame of each.

    Returns:
        float32 of the same shapes, 8-bit levels over 255.
    """
    frames = [frame for x in xs for frame in x]
    flat = [coding for clip in codings for coding in clip]
    decoded = iter(_coded_grey(frames, flat) if len(frames[0]) == 1 else _coded_rgb(frames, flat))
    return [torch.stack([next(decoded) for _ in x]) for x in xs]


def _coded_grey(frames: Sequence[Tensor], codings: Sequence[Coding]) -> list[Tensor]:
    planes = [_whole_blocks(round_levels(frame)) for frame in frames]
    decoded = _requantise(planes, [coding.tables[0] for coding in codings])
    cropped = [plane[:, : frame.shape[1], : frame.shape[2]] for plane, frame in zip(decoded, frames, strict=True)]
    return [from_levels(plane.to(torch.uint8)) for plane in cropped]


def _coded_rgb(frames: Sequence[Tensor], codings: Sequence[Coding]) -> list[Tensor]:
    pixels = [frame.shape[1] * frame.shape[2] for frame in frames]
    coloured = torch.split(_to_ycc(round_levels(torch.cat([frame.flatten(1) for frame in frames], 1))), pixels, 1)
    factors = [SUBSAMPLING[coding.subsampling] for coding in codings]
    planes = []
    for frame, ycc, (rows, columns) in zip(frames, coloured, factors, strict=True):
        whole = ycc.reshape(frame.shape)
        planes += [_whole_blocks(whole[:1]), _whole_blocks(_averaged(whole[1:], rows, columns))]
    decoded = _requantise(planes, [table for coding in codings for table in coding.tables])
    full = []
    for frame, luma, chroma, (rows, columns) in zip(frames, decoded[::2], decoded[1::2], factors, strict=True):
        _, h, w = frame.shape
        c = _interpolated(chroma[:, : -(-h // rows), : -(-w // columns)], rows, columns)
        full.append(torch.cat((luma[:, :h, :w], c[:, :h, :w])).flatten(1))
    made = torch.split(from_levels(_to_rgb(torch.cat(full, 1))), pixels, 1)
    return [part.reshape(frame.shape) for part, frame in zip(made, frames, strict=True)]


def _to_ycc(levels: Tensor) -> Tensor:
    """Luma and both colour differences of ``[3, n]``, by 16-bit fixed-point coefficients."""
    r, g, b = levels.int()
    half, middle = 1 << 15, (128 << 16) + (1 << 15) - 1
    y = 19595 * r + 38470 * g + 7471 * b + half
    cb = 32768 * b - 11059 * r - 21709 * g + middle
    cr = 32768 * r - 27439 * g - 5329 * b + middle
    return torch.stack((y >> 16, cb >> 16, cr >> 16)).float()


def _to_rgb(ycc: Tensor) -> Tensor:
    """Red, green and blue of ``[3, n]``, uint8."""
    y, cb, cr = ycc.int()
    cb, cr, half = cb - 128, cr - 128, 1 << 15
    red, green, blue = 91881 * cr + half, half - 22554 * cb - 46802 * cr, 116130 * cb + half
    made = torch.stack((y + (red >> 16), y + (green >> 16), y + (blue >> 16)))
    return made.clamp(0, 255).to(torch.uint8)


def _averaged(chroma: Tensor, rows: int, columns: int) -> Tensor:
    """Means of 1x1, 1x2 or 2x2 samples; edges are repeated to the right up to whole blocks of means, before."""
    if columns == 1:
        return chroma
    _, h, w = chroma.shape
    c = pad(chroma, (0, -w % 16, 0, h % rows), mode="replicate")
    c = c[..., ::2] + c[..., 1::2]
    c = c[:, ::2] + c[:, 1::2] if rows == 2 else 2 * c
    c[..., ::2] += 1  # libjpeg alternates the rounding along a row
    c[..., 1::2] += 2
    return torch.floor(c / 4)


def _whole_blocks(planes: Tensor) -> Tensor:
    """Repeat the last row and column up to whole blocks."""
    h, w = planes.shape[-2:]
    return pad(planes, (0, -w % 8, 0, -h % 8), mode="replicate")


def _requantise(planes: Sequence[Tensor], tables: Sequence[Array]) -> list[Tensor]:
    """What is left of the blocks of some planes ``[P, H, W]`` after quantisation, each with steps of its own."""
    blocks = [to_blocks(plane) for plane in planes]
    sizes = [len(block) for block in blocks]
    step = repeated(torch.from_numpy(np.stack(tables).astype(np.float64)).to(planes[0].device), sizes)
    forward, inverse = _transforms(planes[0].device)
    x = _shifted((torch.cat(blocks).double() - 128) @ forward.T, 11)
    x = _shifted(forward @ x, 15)
    x = ((x.abs() / (8 * step) + 0.5).floor() * step).copysign(x)  # halves away from zero
    x = _shifted(inverse @ x, 11)
    x = (_shifted(x @ inverse.T, 18) + 128).clamp(0, 255).float()
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


def _interpolated(c: Tensor, rows: int, columns: int) -> Tensor:
    """Libjpeg's triangular interpolation of ``[2, h, w]`` to twice as many columns, and rows."""
    if columns == 1:
        return c
    if c.shape[2] <= 2:  # libjpeg only repeats samples in rows as short as this
        return c.repeat_interleave(columns, 2).repeat_interleave(rows, 1)
    if rows == 2:
        tall = pad(c, (0, 0, 1, 1), mode="replicate")
        c = torch.stack((3 * c + tall[:, :-2], 3 * c + tall[:, 2:]), dim=2).flatten(1, 2)
    wide = pad(c, (1, 1, 0, 0), mode="replicate")
    total, bias = (16, (8, 7)) if rows == 2 else (4, (1, 2))
    pairs = torch.stack((3 * c + wide[..., :-2] + bias[0], 3 * c + wide[..., 2:] + bias[1]), dim=3)
    return torch.floor(pairs.flatten(2) / total)
