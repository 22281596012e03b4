import importlib.util
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from degradekit.errors import SourceError
from degradekit.source import video
from degradekit.source.video import Timeline, read_frames, read_timeline
from degradekit.source.video_colour import to_rgb

av = pytest.importorskip("av")
FRAMES = np.random.default_rng(0).integers(0, 256, (13, 24, 32, 3), np.uint8)


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv", "c.mov"])
def test_every_frame_comes_back_by_its_time(write_video, tmp_path, name):
    uri = str(write_video(tmp_path / name, FRAMES))
    timeline = read_timeline(uri)
    assert len(timeline.times) == 13
    assert timeline.unevenness() == ""
    for wanted in (slice(None), slice(5, 6), slice(2, 13, 5), slice(11, 13)):
        np.testing.assert_array_equal(read_frames(uri, timeline.times[wanted]), FRAMES[wanted])


def test_rounded_timestamps_are_even_and_gaps_are_not():
    ntsc = tuple(round(i * 1001 / 30) for i in range(60))
    assert Timeline(ntsc, Fraction(1, 1000)).unevenness() == ""
    assert Timeline((0, 40, 80, 200), Fraction(1, 1000)).unevenness() == "its frames are 40 to 120 ms apart"
    assert Timeline((0, 512), Fraction(1, 12800)).unevenness() == ""


def test_variable_frame_rate_is_seen_in_files(write_video, tmp_path):
    times = [0, 40, 80, 120, 320, 360, 400]
    timeline = read_timeline(str(write_video(tmp_path / "a.mkv", FRAMES[:7], times)))
    assert timeline.times == tuple(times)
    assert "40 to 200 ms apart" in timeline.unevenness()


def refused(read, words):
    with pytest.raises(SourceError, match=words):
        read()


def test_what_is_no_video_is_refused_in_one_sentence(write_video, tmp_path, save):
    for data, name in ((b"", "empty.mp4"), (b"no video at all", "text.mkv")):
        uri = save(data, name)
        refused(lambda uri=uri: read_timeline(uri), f"{name} cannot be read as a video .*; replace or remove the file")
    refused(lambda: read_timeline(str(tmp_path / "nothing.mp4")), r"nothing.mp4 cannot be opened \(No such file")
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    refused(lambda: read_timeline(str(tmp_path / "sound.mkv")), "sound.mkv holds no video")


def test_damaged_frames_are_refused(write_video, tmp_path):
    path = write_video(tmp_path / "a.mp4", FRAMES)
    times = read_timeline(str(path)).times
    data = bytearray(path.read_bytes())
    middle = data.find(b"mdat") + 12000
    data[middle : middle + 2000] = bytes(2000)
    path.write_bytes(data)
    refused(lambda: read_frames(str(path), times), "a.mp4 (cannot be read as a video|is damaged|has no frame that)")
    refused(lambda: read_frames(str(path), [times[-1] + 512]), "a.mp4 (has no frame that can be decoded at|cannot be)")


def test_without_pyav_the_extra_is_named(monkeypatch, save):
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    refused(
        lambda: read_timeline(save(b"", "a.mp4")), r"is a video, and PyAV is not installed; pip install 'degradekit"
    )
    assert importlib.util.find_spec("av") is not None


def picture(form, planes, *, space=2, span=0, transfer=2, primaries=2):
    """A decoded frame with planes of whole numbers."""
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], form)
    for plane, samples in zip(frame.planes, planes, strict=True):
        kind = np.uint8 if samples.dtype == np.uint8 else np.dtype("<u2")
        lines = np.zeros((plane.height, plane.line_size // np.dtype(kind).itemsize), kind)
        lines[:, : samples.shape[1]] = samples
        plane.update(lines.tobytes())
    frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries = space, span, transfer, primaries
    return frame


def by_formula(y, cb, cr, matrix, full, bits=8):
    """ITU-R BT.601-7 and BT.709-6, solved for red, green and blue; in floating point."""
    red, blue = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}[matrix]
    top = 2.0 ** (bits - 8)
    luma = y / (256 * top - 1) if full else (y - 16 * top) / (219 * top)
    span = 256 * top - 1 if full else 224 * top
    pb, pr = (cb - 128 * top) / span, (cr - 128 * top) / span
    r, b = luma + pr * 2 * (1 - red), luma + pb * 2 * (1 - blue)
    g = (luma - red * r - blue * b) / (1 - red - blue)
    r, g, b = np.broadcast_arrays(r, g, b)
    return np.clip(np.stack([r, g, b], axis=-1) * 255, 0, 255)


@settings(deadline=None)  # the first call loads a kernel
@given(
    seed=st.integers(0, 2**32 - 1),
    matrix=st.sampled_from(["bt601", "bt709"]),
    full=st.booleans(),
    bits=st.sampled_from([8, 10, 12]),
)
def test_conversion_is_the_standard_s(seed, matrix, full, bits):
    kind = np.uint8 if bits == 8 else np.uint16
    planes = np.random.default_rng(seed).integers(0, 2**bits, (3, 6, 8)).astype(kind)
    form = "yuv444p" if bits == 8 else f"yuv444p{bits}le"
    frame = picture(form, planes, space=1 if matrix == "bt709" else 5, span=2 if full else 1)
    want = by_formula(*planes.astype(float), matrix, full, bits)
    assert np.abs(to_rgb(frame, "a.mp4") - want).max() < 0.502


@pytest.mark.parametrize(("form", "rows", "columns"), [("yuv420p", 2, 2), ("yuv422p", 1, 2)])
def test_chroma_is_interpolated_between_its_centres(form, rows, columns):
    h, w = 8, 12
    y, x = np.mgrid[0 : h // rows, 0 : w // columns]
    ramp = (60 + 8 * rows * (y + 0.5) + 4 * columns * (x + 0.5)).astype(np.uint8)
    grey = np.full((h, w), 128, np.uint8)
    frame = picture(form, (grey, np.full_like(ramp, 128), ramp), space=5, span=2)
    py, px = np.mgrid[0:h, 0:w] + 0.5
    want = by_formula(np.full((h, w), 128.0), 128.0, 60 + 8 * py + 4 * px, "bt601", True)
    inside = np.s_[rows : h - rows, columns : w - columns]
    assert np.abs(to_rgb(frame, "a.mp4")[inside] - want[inside]).max() < 1.5


def test_what_a_stream_does_not_state_is_taken_by_its_size():
    y, cb, cr = (np.full((n, 4), level, np.uint8) for n, level in ((4, 100), (4, 90), (4, 200)))
    small = to_rgb(picture("yuv444p", (y, cb, cr)), "a.mp4")[0, 0]
    tall = to_rgb(picture("yuv444p", [np.tile(plane, (180, 1)) for plane in (y, cb, cr)]), "a.mp4")[0, 0]
    assert np.abs(small - by_formula(100.0, 90.0, 200.0, "bt601", False)).max() <= 0.5
    assert np.abs(tall - by_formula(100.0, 90.0, 200.0, "bt709", False)).max() <= 0.5
    full = to_rgb(picture("yuvj444p", (y, cb, cr)), "a.mp4")[0, 0]
    assert np.abs(full - by_formula(100.0, 90.0, 200.0, "bt601", True)).max() <= 0.5
    assert (to_rgb(picture("gray", (y,)), "a.mp4") == 100).all()


def test_what_would_be_shown_wrongly_is_refused():
    planes = (np.zeros((4, 4), np.uint8),) * 3
    for transfer, words in ((16, "a.mp4 is PQ"), (18, "is HLG")):
        refused(lambda transfer=transfer: to_rgb(picture("yuv444p", planes, transfer=transfer), "a.mp4"), words)
    refused(lambda: to_rgb(picture("yuv444p", planes, primaries=9), "a.mp4"), "is BT.2020 video; convert it to BT.709")
    frame = av.VideoFrame(4, 4, "rgba")
    refused(lambda: to_rgb(frame, "a.mp4"), "has samples of the format rgba; convert it")


def test_a_turned_video_is_read_upright(write_video, tmp_path):
    path = write_video(tmp_path / "a.mp4", FRAMES[:3])
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40
    unit = (1 << 16).to_bytes(4, "big")
    assert data[matrix : matrix + 4] == unit
    quarter = [0, 1 << 16, 0, -(1 << 16) & 0xFFFFFFFF, 0, 0, 0, 0, 1 << 30]  # clockwise, as telephones write it
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big") for value in quarter)
    path.write_bytes(data)
    times = read_timeline(str(path)).times
    np.testing.assert_array_equal(read_frames(str(path), times), np.rot90(FRAMES[:3], -1, axes=(1, 2)))
