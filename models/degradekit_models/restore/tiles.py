"""Running a network tile by tile: bounded memory, equal tiles that can share a batch, and no seams.

The picture is cut into cells; the network sees every cell with a margin of `overlap` pixels on all sides. One tile
changes into the next linearly over half of that margin on either side of the cut; the other half is only seen. Where
this half is at least the receptive radius of the network, tiles equal the whole picture; where it is smaller,
neighbours differ a little, and the change shows no edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from degradekit_models.errors import ModelError

__all__ = ["Tiling", "run_tiled"]


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut.

    Attributes:
        size: side of a cell in input pixels; 0 runs the picture as a whole.
        overlap: margin in input pixels that the network sees around a cell; more is slower and more exact.
        batch: tiles that run at once.

    Raises:
        ModelError: a negative number, or a batch of none.
    """

    size: int = 0
    overlap: int = 32
    batch: int = 1

    def __post_init__(self) -> None:
        if self.size < 0 or self.overlap < 0 or self.batch < 1:
            raise ModelError(f"{self}: size and overlap are 0 or more pixels, batch is 1 or more.")


@dataclass(frozen=True)
class _Span:
    """One cell along one axis: what the network sees, and with which weights its output counts."""

    start: int
    length: int
    weights: Tensor


def run_tiled(
    call: Callable[[Tensor], Tensor], x: Tensor, tiling: Tiling, *, scale: int = 1, multiple: int = 1
) -> Tensor:
    """Runs a network on the last two axes of a tensor, in tiles.

    Args:
        call: the network.
        x: ``[N,...,H,W]``.
        tiling: how to cut.
        scale: output side / input side.
        multiple: sides that the network takes are multiples of it; the tensor is mirrored up to it on the right and
            below, and the result is cut.

    Returns:
        ``[N,...,H*scale,W*scale]`` of whatever leading axes the network returns.

    Example:
        >>> import torch
        >>> x = torch.rand(1, 3, 40, 30)
        >>> torch.allclose(run_tiled(lambda t: 2 * t, x, Tiling(16, overlap=4, batch=3)), 2 * x)
        True
    """
    h, w = x.shape[-2:]
    x = _pad(x, multiple)
    rows, columns = (_spans(n, tiling, scale, multiple) for n in x.shape[-2:])
    if len(rows) == len(columns) == 1:
        return call(x)[..., : h * scale, : w * scale]
    out: Tensor | None = None
    pairs = ((row, column) for row in rows for column in columns)
    for batch in _batches(pairs, tiling.batch):
        tiles = [x[..., r.start : r.start + r.length, c.start : c.start + c.length] for r, c in batch]
        results = torch.split(call(torch.cat(tiles)), len(x))
        for (r, c), tile in zip(batch, results, strict=True):
            if out is None:
                out = tile.new_zeros(*tile.shape[:-2], x.shape[-2] * scale, x.shape[-1] * scale)
            ys, xs = (slice(s.start * scale, (s.start + s.length) * scale) for s in (r, c))
            weights = (r.weights[:, None] * c.weights).to(tile)
            out[..., ys, xs] += tile * weights
    assert out is not None
    return out[..., : h * scale, : w * scale]


def _spans(length: int, tiling: Tiling, scale: int, multiple: int) -> list[_Span]:
    """Cuts one axis; all spans are of equal length, those at the ends are moved inside."""
    size = -(-tiling.size // multiple) * multiple
    overlap = -(-tiling.overlap // multiple) * multiple
    seen = size + 2 * overlap
    if size == 0 or seen >= length:
        return [_Span(0, length, torch.ones(length * scale))]
    spans = []
    for cut in range(0, length, size):
        start = min(max(cut - overlap, 0), length - seen)
        centres = start + (torch.arange(seen * scale) + 0.5) / scale
        rise = _ramp(centres - cut, overlap / 2) if cut > 0 else torch.ones_like(centres)
        fall = _ramp(centres - cut - size, overlap / 2) if cut + size < length else torch.zeros_like(centres)
        spans.append(_Span(start, seen, rise - fall))
    return spans


def _ramp(distance: Tensor, half: float) -> Tensor:
    """From 0 at -half to 1 at +half: the difference of two cuts is the weight of a cell, and all cells add up to 1."""
    return (distance / (2 * half) + 0.5).clamp(0, 1) if half else (distance > 0).to(distance)


def _pad(x: Tensor, multiple: int) -> Tensor:
    h, w = x.shape[-2:]
    down, right = -h % multiple, -w % multiple
    if not down and not right:
        return x
    mode = "reflect" if down < h and right < w else "replicate"
    flat = F.pad(x.flatten(0, -4) if x.ndim > 4 else x, (0, right, 0, down), mode=mode)
    return flat.view(*x.shape[:-2], *flat.shape[-2:])


def _batches(pairs: Iterator[tuple[_Span, _Span]], size: int) -> Iterator[list[tuple[_Span, _Span]]]:
    batch: list[tuple[_Span, _Span]] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
