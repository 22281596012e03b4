"""Which frames of a sequence become a clip: the request, and the arithmetic of its starts and of scene cuts."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from degradekit.errors import SourceError
from degradekit.types import Array

__all__ = ["Clip", "Frames", "SkippedClip", "scene_cuts"]

Positive: TypeAlias = Annotated[StrictInt, Field(ge=1)]


class SkippedClip(SourceError):
    """A clip that the request asks to leave out: not a failure."""


class Frames(NamedTuple):
    """Where the frames of one clip are.

    Args:
        first: Name of the first frame: its file's without suffix, or its number in the video.
        files: A file for each frame; empty for a video.
        times: A time for each frame of a video, in units of its stream; empty for files.
        problem: Why the sequence gives no clip; then there are neither files nor times.
        skipped: Whether the request asks to leave such a sequence out.
    """

    first: str
    files: tuple[str, ...] = ()
    times: tuple[int, ...] = ()
    problem: str = ""
    skipped: bool = False


class Clip(BaseModel):
    """How clips are taken from videos and folders of frames.

    Args:
        length: Frames of a clip.
        interval: Distance of neighbouring frames of a clip in frames of the source; larger makes faster motion.
        stride: Distance of the first frames of neighbouring clips in frames of the source; by default clips follow each
            other without a gap. Smaller than that, they overlap.
        cut_threshold: A scene ends where the mean absolute difference of luma between two frames exceeds this, in 8-bit
            levels. 30 is usual; smaller finds more, and flashes and fast motion with them. Omitted, cuts are not looked
            for.
        at_cut: What happens to a clip with a cut: ``skip`` leaves it out; ``restart`` keeps it, and numbers are drawn
            anew for every scene, and begin to move anew; words, kernel sizes and the order of steps are the clip's.
        short: What happens where a sequence has fewer frames than a clip needs: ``refuse`` it or ``skip`` it.
        uneven: What happens where the frames of a video are not equally spaced in time: ``refuse`` it, or ``allow`` it
            and take the frames for equally spaced.

    Source: fifteen consecutive frames are those of RealBasicVSR (Chan et al., 2021), seven those of Vimeo-90K (Xue et
        al., 2019).

    Example:
        >>> list(Clip(length=5, stride=4).starts(14)), list(Clip(length=3, interval=2).starts(14))
        ([0, 4, 8], [0, 6])
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: Positive
    interval: Positive = 1
    stride: Positive | None = None
    cut_threshold: Annotated[float, Field(gt=0, le=255)] | None = None
    at_cut: Literal["skip", "restart"] = "skip"
    short: Literal["refuse", "skip"] = "refuse"
    uneven: Literal["refuse", "allow"] = "refuse"

    @property
    def span(self) -> int:
        """Frames of the source from the first to the last of a clip, both included."""
        return (self.length - 1) * self.interval + 1

    def cuts(self, clip: Array) -> tuple[int, ...]:
        """The frames of a clip with which a new scene begins, where the request looks for them."""
        return scene_cuts(clip, self.cut_threshold) if self.cut_threshold is not None else ()

    def starts(self, count: int) -> range:
        """First frames of the clips of a sequence of ``count`` frames."""
        return range(0, count - self.span + 1, self.stride or self.length * self.interval)


def scene_cuts(clip: Array, threshold: float) -> tuple[int, ...]:
    """The frames that differ from the one before them as scenes do.

    Args:
        clip: uint8 or uint16 ``[T, H, W, 3]``.
        threshold: Mean absolute difference of BT.601 luma in 8-bit levels; larger finds less.

    Returns:
        Their places in the clip, 1..T-1, rising.

    Example:
        >>> dark, light = np.zeros((2, 4, 4, 3), np.uint8), np.full((1, 4, 4, 3), 90, np.uint8)
        >>> scene_cuts(np.concatenate([dark, light, light]), 30), scene_cuts(dark, 30)
        ((2,), ())
    """
    levels = 1.0 if clip.dtype == np.uint8 else 257.0
    cuts = []
    before = cv2.cvtColor(clip[0], cv2.COLOR_RGB2GRAY)
    for t in range(1, len(clip)):
        now = cv2.cvtColor(clip[t], cv2.COLOR_RGB2GRAY)
        if cv2.mean(cv2.absdiff(now, before))[0] / levels > threshold:
            cuts.append(t)
        before = now
    return tuple(cuts)
