"""Sending planes through a video encoder and its decoder in memory, with PyAV.

What is encoded must not depend on the machine or on chance, and with their own defaults some encoders do: x264's
macroblock tree gave 5 different results in 25 runs with its AVX-512 code, and x265's, which reads memory that it has
not written, 2 in 80. So x264 runs its SSE2 code, which equals its C code, x265 runs without its tree, and FFmpeg's own
encoders run their integer transforms. All run on one thread.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np

from degradekit.errors import OpError
from degradekit.ops.yuv import Planes
from degradekit.types import Array

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

__all__ = ["CODECS", "PRESETS", "Coding", "Profile", "VideoCodec", "missing", "missing_form", "round_trip"]

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
FFMPEG = {"flags": "+bitexact", "dct": "int", "idct": "simple"}


class Profile(NamedTuple):
    """What a profile holds.

    Args:
        option: FFmpeg's word for it.
        subsampling: Chroma resolutions.
        depths: Bits of a sample.
        b_frames: Whether it has them.
    """

    option: str
    subsampling: tuple[str, ...] = ("4:2:0",)
    depths: tuple[str, ...] = ("8-bit",)
    b_frames: bool = True


@dataclass(frozen=True, slots=True)
class VideoCodec:
    """One format: the encoder and decoder that are used for it, and what it can do.

    Args:
        encoder: FFmpeg's name of the encoder.
        decoder: FFmpeg's name of the decoder.
        quality: Its parameter of constant quality: ``crf`` or ``qscale``.
        best: Smallest value of that parameter.
        worst: Largest value of that parameter.
        subsampling: Chroma resolutions that it encodes.
        fps: Frame rates that it knows; empty means any.
        side: Smallest side in px.
        keeps_bitrate: Whether its rate control acts on clips of a few frames.
        options: Options of the encoder that are always set.
        profiles: By the names that a recipe uses.
    """

    encoder: str
    decoder: str
    quality: str
    best: int
    worst: int
    subsampling: tuple[str, ...] = ("4:4:4", "4:2:2", "4:2:0")
    fps: tuple[int, ...] = ()
    side: int = 2
    keeps_bitrate: bool = False
    options: dict[str, str] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)


X264 = "threads=1:asm=" + ("SSE2" if platform.machine() in ("x86_64", "AMD64") else "0")
X265 = "pools=none:frame-threads=1:no-cutree=1:info=0:log-level=none"

BOTH = ("8-bit", "10-bit")
H264 = {
    "baseline": Profile("baseline", b_frames=False),
    "main": Profile("main"),
    "high": Profile("high"),
    "high10": Profile("high10", depths=("10-bit",)),
    "high422": Profile("high422", ("4:2:2",), BOTH),
    "high444": Profile("high444", ("4:4:4",), BOTH),
}
HEVC = {
    "main": Profile("main"),
    "main10": Profile("main10", depths=("10-bit",)),
    "main422-10": Profile("main422-10", ("4:2:2",), BOTH),
    "main444-8": Profile("main444-8", ("4:4:4",)),
    "main444-10": Profile("main444-10", ("4:4:4",), ("10-bit",)),
}
VP9 = {
    "profile0": Profile("0"),
    "profile1": Profile("1", ("4:2:2", "4:4:4")),
    "profile2": Profile("2", depths=("10-bit",)),
}
MPEG2 = {
    "simple": Profile("simple", b_frames=False),
    "main": Profile("main"),
    "high": Profile("high", ("4:2:2", "4:2:0")),
}
MPEG4 = {"simple": Profile("mpeg4_sp", b_frames=False), "advanced_simple": Profile("mpeg4_asp")}

CODECS: dict[str, VideoCodec] = {
    "h264": VideoCodec(
        "libx264", "h264", "crf", 0, 51, keeps_bitrate=True, options={"x264-params": X264}, profiles=H264
    ),
    "hevc": VideoCodec(
        "libx265", "hevc", "crf", 0, 51, side=18, keeps_bitrate=True, options={"x265-params": X265}, profiles=HEVC
    ),
    "vp9": VideoCodec("libvpx-vp9", "vp9", "crf", 0, 63, options={"deadline": "good", "row-mt": "0"}, profiles=VP9),
    "av1": VideoCodec(
        "libsvtav1",
        "libdav1d",
        "crf",
        1,
        63,
        ("4:2:0",),
        side=64,
        options={"svtav1-params": "lp=1"},
        profiles={"main": Profile("main", depths=BOTH)},
    ),
    "mpeg2": VideoCodec(
        "mpeg2video",
        "mpeg2video",
        "qscale",
        1,
        31,
        ("4:2:2", "4:2:0"),
        fps=(24, 25, 30, 50, 60),
        options=FFMPEG,
        profiles=MPEG2,
    ),
    "mpeg4": VideoCodec("mpeg4", "mpeg4", "qscale", 1, 31, ("4:2:0",), options=FFMPEG, profiles=MPEG4),
}
"""Every video format by the name that a recipe uses; one encoder each, because another one makes other pixels."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How a clip is encoded; see the op ``video`` for the parameters."""

    codec: str
    control: str
    amount: float
    preset: str
    profile: str
    gop: int
    b_frames: int
    fps: int
    subsampling: str
    depth: str = "8-bit"


@cache  # the libraries of a process do not change
def missing(codec: str) -> str:
    """Why a codec cannot be used here, in one sentence with the remedy; empty where it can.

    Args:
        codec: Name in :data:`CODECS`.
    """
    if find_spec("av") is None:
        return "video needs the package av (PyAV), which is not installed; pip install 'degradekit[video]'"
    absent = [name for name in (CODECS[codec].encoder, CODECS[codec].decoder) if not _has(name)]
    if not absent:
        return ""
    there = [name for name, item in CODECS.items() if _has(item.encoder) and _has(item.decoder)]
    return (
        f"the FFmpeg inside the installed PyAV has no {' and no '.join(absent)}, which {codec} needs; choose from "
        f"{', '.join(there) or 'nothing: none is there'}, or install another build of PyAV"
    )


@cache  # as above
def missing_form(codec: str, subsampling: str, depth: str) -> str:
    """Why the installed encoder does not take a kind of samples, in one sentence; empty where it does."""
    form, encoder = _form(subsampling, depth), CODECS[codec].encoder
    if form in _forms(encoder):
        return ""
    other = [name for name, item in CODECS.items() if not missing(name) and form in _forms(item.encoder)]
    return (
        f"{encoder}, as the FFmpeg inside the installed PyAV has it, does not encode {codec} of {subsampling} {depth} "
        f"({form}); choose another depth or subsampling, or from {', '.join(other) or 'nothing: no encoder does'}"
    )


def _form(subsampling: str, depth: str) -> str:
    """FFmpeg's name of a kind of samples."""
    return f"yuv{subsampling.replace(':', '')}p{'' if depth == '8-bit' else '10le'}"


def _forms(encoder: str) -> list[str]:
    from av import Codec

    return [form.name for form in Codec(encoder, "w").video_formats or ()]


def _has(name: str) -> bool:
    from av import codecs_available

    return name in codecs_available


def round_trip(planes: Planes, coding: Coding) -> tuple[Planes, list[int]]:
    """Encode a clip and decode it again.

    Args:
        planes: Of even height and width, at least the codec's smallest side.
        coding: How.

    Returns:
        The decoded planes, and the size of every encoded frame in bytes, in coding order.

    Raises:
        OpError: The codec is not there, or refuses the clip.
    """
    if reason := missing(coding.codec) or missing_form(coding.codec, coding.subsampling, coding.depth):
        raise OpError(f"video: {reason}")
    import av

    t, h, w = planes.y.shape
    try:
        packets = _encode(planes, _settled(planes, coding))
        frames = _decode(packets, CODECS[coding.codec].decoder)
    except av.error.FFmpegError as error:
        what = f"{coding.codec} refuses a clip of {t} frames of {h}x{w} px ({error.strerror})"
        raise OpError(f"video: {what}; change {coding}") from error
    if len(frames) != t:
        raise OpError(f"video: {coding.codec} gave back {len(frames)} of {t} frames; change {coding}")
    decoded = Planes(*(np.stack([_read(frame, p, planes.y.dtype) for frame in frames]) for p in range(3)))
    return decoded, [packet.size for packet in packets]


def _settled(planes: Planes, coding: Coding) -> Coding:
    """Where an encoder's own rate control does not act on short clips, the finest quality within the bitrate.

    Those learn from seconds of video: five frames of FFmpeg's MPEG-4 took the same 4880 bytes at 50 and at 500 kbit/s.
    """
    codec = CODECS[coding.codec]
    if coding.control != "bitrate" or codec.keeps_bitrate:
        return coding
    limit = 1000 * coding.amount / coding.fps * len(planes.y)
    low, high = codec.best, codec.worst
    while low < high:
        trial = replace(coding, control=codec.quality, amount=(low + high) // 2)
        bits = 8 * sum(packet.size for packet in _encode(planes, trial))
        low, high = (low, (low + high) // 2) if bits <= limit else ((low + high) // 2 + 1, high)
    return replace(coding, control=codec.quality, amount=low)


def _encode(planes: Planes, coding: Coding) -> list[Packet[Any]]:
    from av import VideoFrame

    # SVT-AV1 greets on stderr unless its own variable says otherwise.
    os.environ.setdefault("SVT_LOG", "1")
    t, h, w = planes.y.shape
    form = _form(coding.subsampling, coding.depth)
    context = _encoder(coding, min(h, w))
    context.width, context.height, context.pix_fmt = w, h, form
    packets: list[Packet[Any]] = []
    for i in range(t):
        frame = VideoFrame(w, h, form)
        for target, plane in zip(frame.planes, planes, strict=True):
            lines = np.zeros((target.height, target.line_size // plane.itemsize), plane.dtype.newbyteorder("<"))
            lines[:, : target.width] = plane[i]
            target.update(lines.tobytes())
        frame.pts, frame.time_base = i, context.time_base
        packets += context.encode(frame)
    return packets + context.encode(None)


def _encoder(coding: Coding, side: int) -> VideoCodecContext:
    codec = CODECS[coding.codec]
    context = _context(codec.encoder, "w")
    context.time_base, context.framerate = Fraction(1, coding.fps), Fraction(coding.fps)
    context.gop_size = coding.gop
    options = dict(codec.options) | _speed(coding)
    if coding.codec == "hevc":
        # A picture of one coding unit alone makes x265 read what it has not written.
        options["x265-params"] += f":ctu={64 if side > 64 else 32 if side > 32 else 16}"
    if coding.control == "bitrate":
        context.bit_rate = round(1000 * coding.amount)
    elif coding.control == "crf":
        context.bit_rate = 0
        fine = coding.codec in ("h264", "hevc")
        options["crf"] = f"{coding.amount:g}" if fine else str(math.floor(coding.amount + 0.5))
    else:
        # Every frame at one step: the rate control is left no choice.
        options |= {"qmin": f"{coding.amount:g}", "qmax": f"{coding.amount:g}"}
    if coding.b_frames >= 0 and coding.codec not in ("vp9", "av1"):
        options["bf"] = str(coding.b_frames)
    if coding.profile != "auto":
        options["profile"] = codec.profiles[coding.profile].option
    context.options = options
    return context


def _speed(coding: Coding) -> dict[str, str]:
    """A preset in the encoder's own terms."""
    slowness = PRESETS.index(coding.preset)
    match coding.codec:
        case "h264" | "hevc":
            return {"preset": coding.preset}
        case "vp9":
            return {"cpu-used": str(8 - slowness)}
        case "av1":
            return {"preset": str(12 - slowness)}
    return {}


def _decode(packets: list[Packet[Any]], decoder: str) -> list[VideoFrame]:
    context = _context(decoder, "r")
    if decoder in ("mpeg2video", "mpeg4"):
        context.options = {"flags": "+bitexact", "idct": "simple"}
    frames = [frame for packet in packets for frame in context.decode(packet)]
    return frames + context.decode(None)


def _context(name: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    from av.codec.context import CodecContext

    context = CodecContext.create(name, mode)
    context.thread_count = 1
    return cast("VideoCodecContext", context)


def _read(frame: VideoFrame, p: int, dtype: np.dtype[Any]) -> Array:
    plane = frame.planes[p]
    samples = np.frombuffer(memoryview(plane), dtype.newbyteorder("<"))
    lines: Array = samples.reshape(plane.height, plane.line_size // dtype.itemsize)
    return lines[:, : plane.width]
