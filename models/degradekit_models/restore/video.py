"""Videos in and out with PyAV: frames are restored one after another, sound and other facts are carried over.

PyAV is optional: ``pip install 'degradekit[models,video]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from degradekit_models.errors import ModelError
from degradekit_models.restore.clips import TemporalWindow, restore_frames
from degradekit_models.restore.upscale import Restorer, resize
from degradekit_models.whole import written_whole

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["SUFFIXES", "Encoding", "count_frames", "restore_video"]

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".flv", ".ts")
_HD_ROWS = 720
_BT709, _UNSTATED, _BT601, _SMPTE170M = 1, 2, 5, 6
"""ITU-T H.273 MatrixCoefficients; the last two are one matrix."""
_LIMITED, _FULL = 1, 2


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded.

    Attributes:
        codec: encoder of FFmpeg.
        crf: constant rate factor: 0 is lossless, 51 the worst; about 18 looks like the source.
        outscale: output side / input side; None keeps the scale of the network.
    """

    codec: str = "libx264"
    crf: int = 18
    outscale: float | None = None


@dataclass(frozen=True)
class _Look:
    """What the samples of a video mean, as it states or as players guess; the output states it."""

    colorspace: int
    color_range: int
    primaries: int
    transfer: int
    deep: bool

    @property
    def matrix(self) -> int:
        """The matrix in the numbering of FFmpeg's converter."""
        return _BT601 if self.colorspace == _SMPTE170M else self.colorspace

    @property
    def top(self) -> int:
        """The highest level of the RGB samples that frames are converted to."""
        return 65535 if self.deep else 255

    @classmethod
    def of(cls, frame: VideoFrame) -> _Look:
        guess = _BT709 if frame.height >= _HD_ROWS else _BT601
        space = int(frame.colorspace)
        deep = any(component.bits > 8 for component in frame.format.components)
        return cls(
            space if space != _UNSTATED else guess,
            int(frame.color_range) or (_FULL if frame.format.name.startswith("yuvj") else _LIMITED),
            int(frame.color_primaries),
            int(frame.color_trc),
            deep,
        )


def restore_video(
    restorer: Restorer,
    source: Path,
    out: Path,
    *,
    encoding: Encoding | None = None,
    window: TemporalWindow | None = None,
    advance: Callable[[int], object] = lambda frames: None,
) -> int:
    """Restores a video; sound is copied, and times, frame rate, colour facts and rotation are those of the source.

    Args:
        restorer: a network for pictures, windows or clips.
        source: any video that FFmpeg decodes.
        out: the suffix names the container; the file is complete or not there.
        encoding: how to encode.
        window: how the stream is cut for a recurrent network.
        advance: called with 1 after every frame.

    Returns:
        The number of frames.

    Raises:
        ModelError: PyAV is not installed, the source is no video or is damaged, or the output cannot be written.
    """
    av = _pyav()
    try:
        with written_whole(out) as part, ExitStack() as stack:
            reading = stack.enter_context(av.open(str(source)))
            if not reading.streams.video:
                raise ModelError(f"{source}: has no video stream.")
            writing = stack.enter_context(av.open(str(part), "w"))
            count = _Transfer(restorer, reading, writing, encoding or Encoding(), window).run(advance)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ModelError(f"{source} -> {out}: {getattr(error, 'strerror', None) or error}.") from error
    if not count:
        out.unlink()
        raise ModelError(f"{source}: has no frames that can be decoded.")
    return count


def count_frames(source: Path) -> int | None:
    """The number of frames that a video states, for progress bars; None where it states none."""
    av = _pyav()
    try:
        with av.open(str(source)) as container:
            return int(container.streams.video[0].frames) or None if container.streams.video else None
    except (av.FFmpegError, OSError):
        return None


class _Transfer:
    """One video on its way: packets in, sound through, frames restored, packets out."""

    def __init__(
        self,
        restorer: Restorer,
        reading: InputContainer,
        writing: OutputContainer,
        encoding: Encoding,
        window: TemporalWindow | None,
    ) -> None:
        self.restorer, self.reading, self.writing = restorer, reading, writing
        self.encoding, self.window = encoding, window
        self.video = reading.streams.video[0]
        self.video.thread_type = "AUTO"
        self.sound: dict[int, Any] = {
            stream.index: writing.add_stream_from_template(stream) for stream in reading.streams.audio
        }
        self.out: VideoStream | None = None
        self.look: _Look | None = None
        self.times: list[int | None] = []  # of frames read but not yet written
        self.held: list[Any] = []  # sound that waits for the video stream: a container's header names all streams
        self.rotation = 0
        writing.metadata.update(reading.metadata)

    def run(self, advance: Callable[[int], object]) -> int:
        """Restore and write every frame; the number of them."""
        count = 0
        for frame in restore_frames(self.restorer, self._frames(), self.window):
            self._write(frame)
            advance(1)
            count += 1
        if self.out is not None:
            self._pass_sound()
            self.writing.mux(self.out.encode(None))
        return count

    def _frames(self) -> Iterator[Tensor]:
        """Decoded frames; packets of sound on the way go to the output as they are."""
        for packet in self.reading.demux(self.video, *self.reading.streams.audio):
            if packet.stream.index not in self.sound:
                for frame in packet.decode():
                    yield self._take(frame)
            elif packet.dts is not None:
                packet.stream = self.sound[packet.stream.index]
                self.held.append(packet)
                self._pass_sound()

    def _pass_sound(self) -> None:
        if self.out is not None:
            for packet in self.held:
                self.writing.mux(packet)
            self.held.clear()

    def _take(self, frame: Any) -> Tensor:
        if self.look is None:
            self.look, self.rotation = _Look.of(frame), frame.rotation
        self.times.append(frame.pts)
        rgb = frame.reformat(
            format="rgb48le" if self.look.deep else "rgb24",
            src_colorspace=self.look.matrix,
            src_color_range=self.look.color_range,
            dst_color_range=_FULL,
        ).to_ndarray()
        values = rgb.astype(np.float32) / np.float32(self.look.top)
        return torch.from_numpy(values).movedim(-1, 0).contiguous()

    def _write(self, frame: Tensor) -> None:
        import av

        look = self.look
        assert look is not None
        rgb = frame.movedim(0, -1).contiguous().numpy()
        if self.encoding.outscale is not None:
            factor = self.encoding.outscale / self.restorer.traits.scale
            rgb = resize(rgb, (int(rgb.shape[0] * factor), int(rgb.shape[1] * factor)))
        levels = (rgb * np.float32(look.top)).round()
        if look.deep:
            picture = av.VideoFrame.from_ndarray(levels.astype(np.uint16), format="rgb48le")
        else:
            picture = av.VideoFrame.from_ndarray(levels.astype(np.uint8), format="rgb24")
        if self.out is None:
            self.out = self._open(picture.width, picture.height)
        encoded = picture.reformat(
            format=self.out.pix_fmt,
            src_color_range=_FULL,
            dst_colorspace=look.matrix,
            dst_color_range=look.color_range,
        )
        encoded.pts, encoded.time_base = self.times.pop(0), self.video.time_base
        self.writing.mux(self.out.encode(encoded))

    def _open(self, width: int, height: int) -> VideoStream:
        assert self.look is not None
        look, rate = self.look, self.video.average_rate or self.video.guessed_rate or Fraction(25)
        options = {"crf": str(self.encoding.crf)}
        stream = cast("VideoStream", self.writing.add_stream(self.encoding.codec, rate=rate, options=options))
        chroma = "420" if width % 2 == height % 2 == 0 else "444"
        stream.width, stream.height = width, height
        stream.pix_fmt = f"yuv{chroma}p10le" if look.deep else f"yuv{chroma}p"
        if self.video.time_base is not None:
            stream.time_base = stream.codec_context.time_base = self.video.time_base
        context = stream.codec_context
        context.colorspace, context.color_range = look.colorspace, look.color_range
        context.color_primaries, context.color_trc = look.primaries, look.transfer
        aspect = self.video.sample_aspect_ratio
        if aspect:
            stream.sample_aspect_ratio = aspect
        if self.rotation:
            stream.set_display_rotation(self.rotation)
        return stream


def _pyav() -> Any:
    try:
        import av
    except ImportError:
        raise ModelError("videos need PyAV: pip install 'degradekit[models,video]'.") from None
    return av
