"""Streams of frames through networks for pictures, windows and clips, with a bounded number of frames in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from degradekit_models.archs.edvr_window import frame_indices
from degradekit_models.errors import ModelError
from degradekit_models.restore.traits import Traits
from degradekit_models.restore.upscale import Restorer

__all__ = ["TemporalWindow", "restore_frames"]


@dataclass(frozen=True)
class TemporalWindow:
    """How a stream is cut in time for recurrent networks.

    Attributes:
        size: frames of a part that are kept; more is slower to start, takes more memory, and is more exact.
        overlap: frames that the network sees on either side of a part besides.

    Raises:
        ModelError: a part of no frames, or a negative overlap.
    """

    size: int = 15
    overlap: int = 5

    def __post_init__(self) -> None:
        if self.size < 1 or self.overlap < 0:
            raise ModelError(f"{self}: size is 1 or more frames, overlap 0 or more.")


def restore_frames(
    restorer: Restorer, frames: Iterable[Tensor], window: TemporalWindow | None = None
) -> Iterator[Tensor]:
    """Restores a stream of frames of one size.

    A network for pictures takes the frames one by one, one for windows slides over them, and one for clips takes them
    in parts that overlap in time.

    Args:
        restorer: any network.
        frames: ``[3,H,W]`` RGB in [0, 1]; read no further ahead than the network needs.
        window: how the stream is cut for a recurrent network.

    Yields:
        As many frames, ``[3,H',W']`` in [0, 1].

    Example:
        >>> from degradekit_models import build
        >>> net = Restorer(build("srvgg_animevideov3", num_feat=4, num_conv=1), device="cpu")
        >>> [tuple(frame.shape) for frame in restore_frames(net, [torch.zeros(3, 5, 6)] * 2)]
        [(3, 20, 24), (3, 20, 24)]
    """
    traits = restorer.traits
    if traits.channels != 3:
        raise ModelError(f"frames have 3 channels; this network takes {traits.channels}.")
    restored: Iterator[Tensor]
    if traits.kind == "image":
        restored = (restorer.tensor(frame[None])[0] for frame in frames)
    elif traits.kind == "window":
        restored = _slide(restorer, frames)
    else:
        restored = _parts(restorer, frames, window or TemporalWindow())
    return (frame.clamp(0, 1) for frame in restored)


def _slide(restorer: Restorer, frames: Iterable[Tensor]) -> Iterator[Tensor]:
    """A window around every frame; the buffer holds the frames from two half windows before the centre on."""
    traits = restorer.traits
    half = traits.frames // 2
    source = iter(frames)
    buffer = list(islice(source, traits.frames))
    first, ended, center = 0, len(buffer) < traits.frames, 0
    while True:
        while not ended and first + len(buffer) <= center + half:
            following = next(source, None)
            if following is None:
                ended = True
            else:
                buffer.append(following)
        if center >= first + len(buffer):
            return
        while first < center - 2 * half and len(buffer) > traits.frames:
            buffer.pop(0)
            first += 1
        indices = _around(center, first + len(buffer), traits)
        yield restorer.tensor(torch.stack([buffer[i - first] for i in indices])[None])[0]
        center += 1


def _around(center: int, length: int, traits: Traits) -> list[int]:
    if length >= traits.frames:
        return frame_indices(center, length, traits.frames, traits.padding)
    half = traits.frames // 2
    return [min(max(i, 0), length - 1) for i in range(center - half, center + half + 1)]


def _parts(restorer: Restorer, frames: Iterable[Tensor], window: TemporalWindow) -> Iterator[Tensor]:
    """Parts of `size` frames; the network sees `overlap` more on either side where there are some."""
    source = iter(frames)
    buffer: list[Tensor] = []
    before = 0  # frames at the start of the buffer that were returned already
    ended = False
    while not ended or len(buffer) > before:
        wanted = before + window.size + window.overlap
        buffer += islice(source, wanted - len(buffer))
        ended = len(buffer) < wanted
        kept = min(window.size, len(buffer) - before)
        if ended and len(buffer) - before <= window.size + window.overlap:
            kept = len(buffer) - before  # the rest: a last part of a few frames would see little
        if kept:
            restored = _run_clip(restorer, buffer)
            yield from restored[before : before + kept].unbind()
        drop = max(before + kept - window.overlap, 0)
        buffer, before = buffer[drop:], before + kept - drop


def _run_clip(restorer: Restorer, frames: list[Tensor]) -> Tensor:
    """Runs one part; one shorter than the network takes swings to and fro between its ends."""
    count, least = len(frames), restorer.traits.frames
    swing = [*range(count), *range(count - 2, 0, -1)] if count > 1 else [0]
    indices = [swing[i % len(swing)] for i in range(max(count, least))]
    return restorer.tensor(torch.stack([frames[i] for i in indices])[None])[0, :count]
