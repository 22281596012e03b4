from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.errors import ModelError
from degradekit_models.restore.upscale import Restorer
from degradekit_models.restore.video import Encoding, count_frames, restore_video

SIDE, FRAMES = 32, 12


def nearest(upscale=2):
    """A network whose result is the nearest-neighbour enlargement."""
    net = SRVGGNetCompact(num_feat=2, num_conv=1, upscale=upscale)
    for parameter in net.parameters():
        torch.nn.init.zeros_(parameter)
    return Restorer(net, device="cpu")


def colour(i):
    return np.array([40 + 15 * i, 200 - 10 * i, 60 + 5 * i], np.uint8)


def make(
    path, *, pix_fmt="yuv444p", times=None, rate=Fraction(24000, 1001), space=1, full=False, rotation=0, sound=True
):
    """Frames of one colour each, and a second of a sine."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "0" if "10" not in pix_fmt else "1"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = space
        context.color_range = 2 if full else 1
        if rotation:
            stream.set_display_rotation(rotation)
        if times:
            stream.time_base = context.time_base = Fraction(1, 1000)
        audio = out.add_stream("aac", rate=48000, layout="mono") if sound else None
        for i in range(FRAMES):
            picture = np.broadcast_to(colour(i), (SIDE, SIDE, 3)).copy()
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pix_fmt, src_color_range=2, dst_colorspace=space, dst_color_range=context.color_range
            )
            frame.pts = times[i] if times else i
            frame.time_base = Fraction(1, 1000) if times else 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if audio is not None:
            for i in range(24):
                wave = np.sin(np.arange(1024) + 1024 * i).astype(np.float32)[None] * 0.3
                samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                samples.sample_rate, samples.pts = 48000, 1024 * i
                out.mux(audio.encode(samples))
            out.mux(audio.encode(None))


def facts(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        first = frames[0]
        return {
            "rate": stream.average_rate,
            "seconds": [f.pts * f.time_base for f in frames],
            "size": (first.width, first.height),
            "colour": (int(first.colorspace), int(first.color_range), int(first.color_primaries), int(first.color_trc)),
            "rotation": first.rotation,
            "bits": first.format.components[0].bits,
        }


def packets(path):
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]


def rgb(path, space=1, full=False):
    with av.open(str(path)) as container:
        return [
            f.reformat(format="rgb24", src_colorspace=space, src_color_range=2 if full else 1, dst_color_range=2)
            .to_ndarray()
            .astype(int)
            for f in container.decode(video=0)
        ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_times_and_colours_are_kept(tmp_path, suffix):
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    make(source)
    done = []
    assert restore_video(nearest(), source, out, encoding=Encoding(crf=0), advance=done.append) == FRAMES
    assert sum(done) == FRAMES
    before, after = facts(source), facts(out)
    assert after["rate"] == before["rate"] == Fraction(24000, 1001)
    assert after["seconds"] == pytest.approx([float(t) for t in before["seconds"]], abs=1e-3)
    assert after["size"] == (2 * SIDE, 2 * SIDE)
    assert after["colour"] == before["colour"] == (1, 1, 1, 1)
    assert packets(out) == packets(source)
    for i, picture in enumerate(rgb(out)):
        assert np.abs(picture - colour(i)).max() <= 4  # three conversions at 8 bits
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"in{suffix}", f"out{suffix}"]


def test_uneven_times_full_range_and_rotation_are_kept(tmp_path):
    times = [0, 40, 95, 120, 200, 210, 333, 400, 420, 500, 650, 700]
    source, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    make(source, times=times, space=6, full=True, rotation=90, sound=False)
    restore_video(nearest(), source, out, encoding=Encoding(crf=0))
    before, after = facts(source), facts(out)
    assert after["seconds"] == pytest.approx([t / 1000 for t in times], abs=1e-3)
    assert after["colour"] == before["colour"]
    assert abs(after["rotation"]) == abs(before["rotation"]) == 90 and after["rotation"] == before["rotation"]
    for i, picture in enumerate(rgb(out, space=5, full=True)):
        assert np.abs(picture - colour(i)).max() <= 4  # three conversions at 8 bits


def test_ten_bits_stay_ten_and_odd_sizes_are_encoded(tmp_path):
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    make(source, pix_fmt="yuv420p10le", sound=False)
    restore_video(nearest(), source, out, encoding=Encoding(crf=4, outscale=1.7))
    assert facts(out)["bits"] == 10
    assert facts(out)["size"] == (54, 54)
    restore_video(nearest(), source, out, encoding=Encoding(outscale=1.6))
    assert facts(out)["size"] == (51, 51)
    assert count_frames(tmp_path / "in.mkv") in (None, FRAMES)


def test_what_is_no_video_leaves_nothing_behind(tmp_path):
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.mp4"):
        restore_video(nearest(), tmp_path / "text.mp4", tmp_path / "out.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=48000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.sample_rate = 48000
        out.mux(stream.encode(samples))
        out.mux(stream.encode(None))
    with pytest.raises(ModelError, match="has no video stream"):
        restore_video(nearest(), tmp_path / "sound.mp4", tmp_path / "out.mp4")
    make(tmp_path / "in.mp4", sound=False)
    with pytest.raises(ModelError, match="nonsense"):
        restore_video(nearest(), tmp_path / "in.mp4", tmp_path / "out.mp4", encoding=Encoding(codec="nonsense"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mp4", "sound.mp4", "text.mp4"]
