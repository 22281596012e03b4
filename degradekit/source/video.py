"""Reading video files with PyAV: the times of their frames, and the frames at given times.

PyAV is optional: ``pip install 'degradekit[video]'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from degradekit.errors import SourceError
from degradekit.source.extract import MAX_PIXELS
from degradekit.source.files import open_source
from degradekit.types import Array

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Timeline", "read_frames", "read_timeline"]

JITTER = 0.2
"""Share of the usual interval by which one may be off, as rounded timestamps are; more is a variable frame rate."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the frames of a video are shown.

    Args:
        times: Of every frame in the order shown, in units of ``base``; rising.
        base: Seconds.
    """

    times: tuple[int, ...]
    base: Fraction

    def unevenness(self) -> str:
        """In words where the frames are not equally spaced in time; empty where they are."""
        if len(self.times) < 3:
            return ""
        gaps = np.diff(self.times)
        usual = float(np.median(gaps))
        if np.abs(gaps - usual).max() <= max(1.0, JITTER * usual):
            return ""
        low, high = (f"{float(gap * self.base) * 1000:.4g}" for gap in (gaps.min(), gaps.max()))
        return f"its frames are {low} to {high} ms apart"


def read_timeline(uri: str) -> Timeline:
    """Find the times of all frames without decoding them; the file is read once from end to end.

    Args:
        uri: See :func:`degradekit.source.open_source`.

    Raises:
        SourceError: PyAV is not installed; the file cannot be opened, is no video, or its frames have no times.
    """
    with _opened(uri) as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        if any(packet.pts is None for packet in packets):
            raise SourceError(f"{uri} has frames without a time; put its stream into a container such as mp4 or mkv")
        times = sorted(packet.pts for packet in packets if packet.pts is not None)
        if not times or len(set(times)) < len(times):
            what = "two frames at one time" if times else "no frames"
            raise SourceError(f"{uri} has {what}; replace the file")
        base = stream.time_base
        assert base is not None  # every stream of a container has one
        return Timeline(tuple(times), base)


def read_frames(uri: str, times: Sequence[int], *, max_pixels: int = MAX_PIXELS) -> Array:
    """Decode some frames of a video, strictly.

    Args:
        uri: See :func:`degradekit.source.open_source`.
        times: Of the frames, rising, from :func:`read_timeline`.
        max_pixels: Largest height times width that is accepted.

    Returns:
        uint8 ``[T, H, W, 3]``, upright RGB; see :func:`degradekit.source.video_colour.to_rgb`.

    Raises:
        SourceError: A frame is not there or damaged, or is of a kind that is not read.
    """
    from degradekit.source.video_colour import to_rgb  # loads numba: only readers of videos pay

    found: dict[int, Array] = {}
    wanted = set(times)
    with _opened(uri) as (container, stream):
        h, w = stream.codec_context.height, stream.codec_context.width
        if h * w > max_pixels:
            raise SourceError(
                f"{uri} is {h}x{w} px; the limit max_pixels is {max_pixels}: raise it, or remove the file"
            )
        for frame in _from(container, stream, times[0]):
            if frame.pts in wanted:
                if frame.is_corrupt:
                    raise SourceError(f"{uri} is damaged at {frame.time:.3f} s; replace the file")
                found[frame.pts] = to_rgb(frame, uri)
            if frame.pts is not None and frame.pts >= times[-1]:
                break
        absent = [float(time * (stream.time_base or 1)) for time in times if time not in found]
    if absent:
        raise SourceError(f"{uri} has no frame that can be decoded at {absent[0]:.3f} s; replace the file")
    shapes = {frame.shape for frame in found.values()}
    if len(shapes) > 1:
        raise SourceError(f"{uri} changes its size between frames; cut it there")
    return np.stack([found[time] for time in times])


def _from(container: InputContainer, stream: VideoStream, time: int) -> Iterator[VideoFrame]:
    """Frames from the last key frame before ``time`` on; from the start where a container's index misses it."""
    container.seek(time, stream=stream)
    frames = container.decode(stream)
    first = next(frames, None)
    if first is None or first.pts is None or first.pts > time:
        container.seek(stream.start_time or 0, stream=stream)
        yield from container.decode(stream)
    else:
        yield first
        yield from frames


@contextmanager
def _opened(uri: str) -> Iterator[tuple[InputContainer, VideoStream]]:
    if find_spec("av") is None:
        raise SourceError(f"{uri} is a video, and PyAV is not installed; pip install 'degradekit[video]'")
    import av

    with open_source(uri) as file:
        try:
            with av.open(file, mode="r") as container:
                if not container.streams.video:
                    raise SourceError(f"{uri} holds no video; leave it out")
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {"err_detect": "explode"}
                yield container, stream
        except (av.error.FFmpegError, EOFError, OSError) as error:
            said = getattr(error, "strerror", None) or error
            raise SourceError(f"{uri} cannot be read as a video ({said}); replace or remove the file") from error
