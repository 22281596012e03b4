import pytest
import torch

from degradekit_models.archs.basicvsr import BasicVSR, IconVSR
from degradekit_models.archs.basicvsrpp import BasicVSRPlusPlus
from degradekit_models.archs.edvr import EDVR
from degradekit_models.archs.edvr_window import restore_clip
from degradekit_models.errors import ModelError
from degradekit_models.restore.clips import TemporalWindow, restore_frames
from degradekit_models.restore.tiles import Tiling
from degradekit_models.restore.upscale import Restorer

EDVR_SMALL = {
    "num_feat": 8,
    "num_frame": 5,
    "deformable_groups": 2,
    "num_extract_block": 1,
    "num_reconstruct_block": 1,
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def clip_of(frames, side=8):
    return torch.rand(frames, 3, side, side)


@torch.no_grad()
@pytest.mark.parametrize("hr_in", [False, True])
@pytest.mark.parametrize("length", [5, 9])
def test_a_stream_through_a_window_network_equals_the_clip_as_a_whole(hr_in, length):
    net = EDVR(**EDVR_SMALL, hr_in=hr_in, with_predeblur=hr_in).eval()
    clip = clip_of(length, 16)
    expected = restore_clip(net, clip[None], "replicate" if hr_in else "reflection_circle")[0].clamp(0, 1)
    streamed = torch.stack(list(restore_frames(Restorer(net, device="cpu"), clip)))
    torch.testing.assert_close(streamed, expected)


@torch.no_grad()
@pytest.mark.parametrize("length", [0, 1, 3])
def test_clips_shorter_than_the_window_repeat_their_ends(length):
    net = EDVR(**EDVR_SMALL).eval()
    clip = clip_of(length)
    out = list(restore_frames(Restorer(net, device="cpu"), clip))
    assert len(out) == length
    for i, frame in enumerate(out):
        window = clip[torch.arange(i - 2, i + 3).clamp(0, length - 1)]
        torch.testing.assert_close(frame, net(window[None])[0].clamp(0, 1))


class Memory(torch.nn.Module):
    """Stands for a recurrent network that sees `reach` frames to either side: their running mean."""

    def __init__(self, reach):
        super().__init__()
        self.reach, self.longest = reach, 0

    def forward(self, x):
        self.longest = max(self.longest, x.shape[1])
        t = x.shape[1]
        return torch.stack([x[:, max(i - self.reach, 0) : min(i + self.reach + 1, t)].mean(1) for i in range(t)], 1)


@pytest.mark.parametrize("size", [1, 2, 4, 7])
@pytest.mark.parametrize("length", [0, 1, 2, 5, 8, 13])
def test_parts_equal_the_whole_clip_where_the_overlap_covers_the_reach(monkeypatch, size, length):
    net = Memory(2)
    restorer = Restorer(BasicVSR(4, 1), device="cpu")
    monkeypatch.setattr(restorer, "_net", net)
    monkeypatch.setattr(restorer, "traits", type(restorer.traits)("clip", 1))
    clip = clip_of(length)
    out = list(restore_frames(restorer, clip, TemporalWindow(size, overlap=2)))
    assert len(out) == length
    if length:
        torch.testing.assert_close(torch.stack(out), net(clip[None])[0])


@pytest.mark.parametrize(("kind", "ahead"), [("image", 1), ("window", 5), ("clip", 4 + 2)])
def test_streams_are_read_no_further_ahead_than_needed(monkeypatch, kind, ahead):
    net = {
        "image": torch.nn.Identity,
        "window": lambda: EDVR(**EDVR_SMALL),
        "clip": lambda: Memory(2),
    }[kind]()
    restorer = Restorer(EDVR(**EDVR_SMALL), device="cpu")
    if kind != "window":
        monkeypatch.setattr(restorer, "_net", net)
        monkeypatch.setattr(restorer, "traits", type(restorer.traits)(kind, 1))
    read = 0

    def source():
        nonlocal read
        for frame in clip_of(30):
            read += 1
            yield frame

    for returned, _ in enumerate(restore_frames(restorer, source(), TemporalWindow(4, overlap=2))):
        assert read <= returned + ahead + (0 if kind == "image" else 1)
    if kind == "clip":
        assert net.longest <= 4 + 2 * 2 + 2


@torch.no_grad()
def test_recurrent_networks_restore_streams():
    clip = clip_of(5, 32)
    for net in (BasicVSR(4, 1), IconVSR(8, 1), BasicVSRPlusPlus(16, 1, is_low_res_input=False)):
        net.eval()
        restorer = Restorer(net, device="cpu")
        whole = net(clip[None])[0].clamp(0, 1)
        streamed = torch.stack(list(restore_frames(restorer, clip)))
        torch.testing.assert_close(streamed, whole, msg=type(net).__name__)
    short = list(restore_frames(Restorer(IconVSR(8, 1), device="cpu"), clip[:2]))
    assert [f.shape for f in short] == [(3, 128, 128)] * 2


def test_frames_are_tiled_too():
    net = EDVR(**EDVR_SMALL).eval()
    clip = clip_of(2, 24)
    whole, tiled = (
        torch.stack(list(restore_frames(Restorer(net, device="cpu", tiling=t), clip)))
        for t in (Tiling(), Tiling(8, overlap=4, batch=9))
    )
    assert tiled.shape == whole.shape
    assert (tiled - whole).abs().mean() < 0.01


def test_impossible_windows_are_refused():
    with pytest.raises(ModelError, match="1 or more frames"):
        TemporalWindow(0)
