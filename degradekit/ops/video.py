"""Video compression over the whole clip, with real inter frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import model_validator

from degradekit.dist import Const, Dist, Pick, Within, Words
from degradekit.errors import OpError
from degradekit.ops.base import Draw, Op
from degradekit.ops.video_codecs import CODECS, PRESETS, Coding, missing, missing_form, round_trip
from degradekit.ops.yuv import DEPTHS, SUBSAMPLING, Signal, from_planes, to_planes
from degradekit.rng import Draws
from degradekit.types import Array, FloatImage, Geometry

__all__ = ["Video", "VideoDraw"]

AUTO = -1
"""So many B-frames as the preset has."""
PROFILES = tuple(dict.fromkeys(("auto", *(name for codec in CODECS.values() for name in codec.profiles))))


@dataclass(frozen=True, slots=True)
class VideoDraw(Draw):
    """One encoding and decoding of the clip.

    Args:
        codec: ``h264``, ``hevc``, ``vp9``, ``av1``, ``mpeg2`` or ``mpeg4``.
        control: ``crf``, ``qscale`` or ``bitrate``.
        amount: Value of the control; kbit/s for a bitrate.
        preset: ``ultrafast`` to ``veryslow``.
        profile: ``auto`` or one that the codec has.
        gop: Frames from one intra frame to the next, at most.
        b_frames: B-frames in a row, at most; -1 leaves them to the preset.
        lead: Frames encoded before the clip.
        fps: Frames a second.
        subsampling: ``4:4:4``, ``4:2:2`` or ``4:2:0``.
        matrix: ``bt601`` or ``bt709``.
        range: ``limited`` or ``full``.
        depth: ``8-bit`` or ``10-bit``.
    """

    name: ClassVar[str] = "video"

    codec: str
    control: str
    amount: float
    preset: str
    profile: str
    gop: int
    b_frames: int
    lead: int
    fps: int
    subsampling: str
    matrix: str
    range: str
    depth: str = "8-bit"

    def apply(self, x: FloatImage) -> FloatImage:
        """Clip, convert to Y'CbCr, encode, decode and convert back.

        Raises:
            OpError: The codec is not there, or the clip is neither RGB nor grey.
        """
        t, h, w, channels = x.shape
        if channels not in (1, 3):
            raise OpError(f"video: encodes RGB or grey, the clip has {channels} channels; convert it before this step")
        signal = Signal(self.subsampling, self.matrix, self.range, self.depth)
        coding = Coding(**{field.name: getattr(self, field.name) for field in fields(Coding)})
        least = CODECS[self.codec].side
        below, right = (max(side + side % 2, least) - side for side in (h, w))
        whole = np.pad(x[_lead(self.lead, t)], ((0, 0), (0, below), (0, right), (0, 0)), mode="edge")
        decoded, _ = round_trip(to_planes(whole, signal), coding)
        return np.ascontiguousarray(from_planes(decoded, signal, channels)[self.lead :, :h, :w])


class Video(Op):
    """Compresses the clip as a video and decompresses it: what streaming, broadcast and messengers do.

    Later frames are predicted from earlier ones, so errors last and move with the picture, detail comes and goes with
    the frame types, and a new intra frame lets the picture jump. A single image is an intra frame. The stream exists in
    memory only.

    ``crf_range`` is for h264, hevc, vp9 and av1, ``qscale_range`` for mpeg2 and mpeg4, ``bitrate_range`` for all of
    them. Where codecs of both kinds are drawn, give both qualities; give a codec a node of its own (``one_of``) where
    it needs a range of its own.

    Args:
        codec: ``h264`` (x264), ``hevc`` (x265), ``vp9`` (libvpx), ``av1`` (SVT-AV1), ``mpeg2`` and ``mpeg4`` (FFmpeg;
            DVDs, and DivX and old telephones), or a choice among them.
        crf_range: Constant quality, 0 to 51 for h264 and hevc, 0 (av1: 1) to 63 for vp9 and av1, which round it to
            whole numbers; larger loses more. Streams have 18 to 28 and 25 to 40.
        qscale_range: Quantiser step of every frame, whole numbers 1 to 31; larger loses more.
        bitrate_range: kbit/s, 1 to 100000; smaller loses more. At ``fps_range: 1`` these are kbit for each frame. The
            encoders of h264 and hevc spend it as they see fit and may miss it in a short clip; the others, whose rate
            control does not act that soon, get the finest constant quality with which the clip keeps within it.
        preset: Effort, ``ultrafast`` to ``veryslow``, or a choice among the nine: x264's and x265's own; ``cpu-used`` 8
            to 0 of vp9, preset 12 to 4 of av1; nothing to mpeg2 and mpeg4.
        profile: ``auto``, or one that the codec has and that holds the depth and the subsampling, or a choice. It
            changes pixels where it forbids tools: h264's ``baseline`` (no B-frames, no arithmetic coder) and ``main``
            (no 8x8 transform); else the stream just says it. h264: those and ``high``, ``high10``, ``high422``,
            ``high444``. hevc: ``main``, ``main10``, ``main422-10``, ``main444-8``, ``main444-10``. vp9: ``profile0``
            to ``profile2``. av1: ``main``. mpeg2: ``simple``, ``main``, ``high``. mpeg4: ``simple``,
            ``advanced_simple``. Neither ``simple`` has B-frames.
        gop_range: Most frames from one intra frame to the next, whole numbers 1 to 600; 1 makes every frame intra.
        b_frames_range: Most B-frames in a row, whole numbers 0 to 16; omitted, as many as the preset has. Nothing to
            vp9 and av1.
        lead_range: Frames encoded before the clip, whole numbers 0 to 300: the clip mirrored in time, so that it does
            not always begin with an intra frame. A still image is repeated.
        fps_range: Frames a second, whole numbers 1 to 240; 24, 25, 30, 50 or 60 for mpeg2.
        subsampling: Chroma resolution: ``4:4:4``, ``4:2:2``, ``4:2:0``, or a choice; mpeg2 has no 4:4:4, and mpeg4 and
            av1 have 4:2:0 only.
        matrix: ``bt709`` (HD), ``bt601`` (SD), or a choice.
        range: ``limited`` (black 16, white 235: all television), ``full``, or a choice.
        depth: Bits of a sample: ``8-bit``, ``10-bit`` (smooth slopes without bands), or a choice. h264, hevc and av1
            have 10-bit, vp9 where libvpx was built with it; what the installed encoder lacks is refused when the recipe
            is loaded.

    Shape: ``[T, H, W, C] -> [T, H, W, C]``, C = 1 or 3. Sides are continued at the bottom and right, by repeating the
    last row and column, to even numbers, at least 18 px for hevc and 64 px for av1, and cut back.

    Range: float32 sRGB; clipped to [0, 1] and rounded to Y'CbCr of the depth on the way in; on the way out those
    samples in RGB, clipped, not rounded. One thread, and code whose results do not depend on the CPU: bits depend on
    the build of FFmpeg inside PyAV alone, whose version ``dataset.json`` records. PyAV is optional: ``pip install
    'degradekit[video]'``.

    Source: ITU-T H.264, H.265, H.262 and ISO/IEC 14496-2; the bitstream specifications of VP9 and AV1; Chan et al.,
    "Investigating Tradeoffs in Real-World Video Super-Resolution", 2021, arXiv:2111.12704, for its place in training.

    Example:
        >>> from degradekit.rng import Draws, sample_key
        >>> op = Video.model_validate({"codec": {"h264": 0.7, "mpeg4": 0.3}, "crf_range": [18, 35], "qscale_range": 6})
        >>> draw = op.draw(Draws(sample_key(0, "clip", 0), "video"), Geometry(3, 32, 32))
        >>> x = np.linspace(0, 1, 3 * 32 * 32 * 3, dtype=np.float32).reshape(3, 32, 32, 3)
        >>> y = draw.apply(x)
        >>> bool(0 < abs(y - x).max() < 0.2)
        True
        >>> bool((VideoDraw.from_json(draw.to_json()).apply(x) == y).all())
        True
    """

    name: ClassVar[str] = "video"
    draws: ClassVar[type[Draw]] = VideoDraw

    codec: Annotated[Pick, Words(*CODECS)]
    crf_range: Annotated[Dist, Within(0, 63)] | None = None
    qscale_range: Annotated[Dist, Within(1, 31, integer=True)] | None = None
    bitrate_range: Annotated[Dist, Within(1, 100_000)] | None = None
    preset: Annotated[Pick, Words(*PRESETS)] = Pick(("medium",))
    profile: Annotated[Pick, Words(*PROFILES)] = Pick(("auto",))
    gop_range: Annotated[Dist, Within(1, 600, integer=True)] = Const(250)
    b_frames_range: Annotated[Dist, Within(0, 16, integer=True)] | None = None
    lead_range: Annotated[Dist, Within(0, 300, integer=True)] = Const(0)
    fps_range: Annotated[Dist, Within(1, 240, integer=True)] = Const(25)
    subsampling: Annotated[Pick, Words(*SUBSAMPLING)] = Pick(("4:2:0",))
    matrix: Annotated[Pick, Words("bt709", "bt601")] = Pick(("bt709",))
    range: Annotated[Pick, Words("limited", "full")] = Pick(("limited",))
    depth: Annotated[Pick, Words(*DEPTHS)] = Pick(("8-bit",))

    @model_validator(mode="after")
    def _can_be_encoded(self) -> Self:
        for name in type(self).model_fields:
            dist = getattr(self, name)
            if isinstance(dist, Dist) and dist.over_time != "hold":
                raise ValueError(f"{name}: a stream has one setting; remove over_time")
        problem = next(self._problems(), None)
        if problem is not None:
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        """What can be drawn and cannot be encoded."""
        controls = {name for name in ("crf", "qscale", "bitrate") if getattr(self, f"{name}_range") is not None}
        needed = {"bitrate"} if "bitrate" in controls else {CODECS[word].quality for word in self.codec.words}
        if controls != needed:
            wanted = " and ".join(f"{name}_range" for name in sorted(needed))
            given = " and ".join(f"{name}_range" for name in sorted(controls)) or "none"
            yield f"codec {', '.join(self.codec.words)} needs {wanted} or bitrate_range alone, not {given}"
        for word in self.codec.words:
            if reason := missing(word):
                yield reason
            codec = CODECS[word]
            if self.crf_range is not None and codec.quality == "crf":
                low, high = self.crf_range.support()
                if low < codec.best or high > codec.worst:
                    yield f"crf_range is {low:g} to {high:g}; {word} takes {codec.best} to {codec.worst}"
            for ratio in self.subsampling.words:
                if ratio not in codec.subsampling:
                    yield f"{word} does not encode {ratio}; it takes {', '.join(codec.subsampling)}"
            lowest, highest = self.fps_range.support()
            if codec.fps and not (lowest == highest and lowest in codec.fps):
                yield f"fps_range: {word} takes one of {', '.join(map(str, codec.fps))} frames a second"
            yield from self._profile_problems(word)
            if not reason:
                forms = [(ratio, depth) for ratio in self.subsampling.words for depth in self.depth.words]
                yield from filter(None, (missing_form(word, *form) for form in forms))

    def _profile_problems(self, codec: str) -> Iterator[str]:
        """Profiles that a codec does not have, or that do not hold what is drawn with them."""
        known = CODECS[codec].profiles
        for word in self.profile.words:
            if word == "auto":
                continue
            if word not in known:
                yield f"{codec} has no profile {word}; it has auto, {', '.join(known)}; or give it a node of its own"
                continue
            profile = known[word]
            for given, held in ((self.subsampling, profile.subsampling), (self.depth, profile.depths)):
                for part in given.words:
                    if part not in held:
                        yield f"profile {word} of {codec} does not hold {part}; it holds {', '.join(held)}"
            if self.b_frames_range is not None and self.b_frames_range.support()[1] > 0 and not profile.b_frames:
                yield f"profile {word} of {codec} has no B-frames; remove b_frames_range, or take another profile"

    def draw(self, u: Draws, g: Geometry) -> VideoDraw:
        """Choose the codec, how much it may spend, and how it is set."""
        codec = self.codec.draw(u, "codec")
        control = "bitrate" if self.bitrate_range is not None else CODECS[codec].quality
        amount: Dist = getattr(self, f"{control}_range")
        b_frames = self.b_frames_range
        return VideoDraw(
            codec=codec,
            control=control,
            amount=amount.sample(u, control),
            preset=self.preset.draw(u, "preset"),
            profile=self.profile.draw(u, "profile"),
            gop=int(self.gop_range.sample(u, "gop")),
            b_frames=AUTO if b_frames is None else int(b_frames.sample(u, "b_frames")),
            lead=int(self.lead_range.sample(u, "lead")),
            fps=int(self.fps_range.sample(u, "fps")),
            subsampling=self.subsampling.draw(u, "subsampling"),
            matrix=self.matrix.draw(u, "matrix"),
            range=self.range.draw(u, "range"),
            depth=self.depth.draw(u, "depth"),
        )


def _lead(lead: int, t: int) -> Array:
    """Numbers of the frames that are encoded: ``lead`` mirrored ones, then the clip.

    Example:
        >>> _lead(3, 3).tolist(), _lead(2, 1).tolist()
        ([1, 2, 1, 0, 1, 2], [0, 0, 0])
    """
    return np.pad(np.arange(t), (lead, 0), mode="reflect" if t > 1 else "edge")
