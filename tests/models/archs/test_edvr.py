import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from degradekit_models.archs import build
from degradekit_models.archs.edvr import EDVR
from degradekit_models.archs.edvr_window import cascade, frame_indices, restore_clip
from degradekit_models.errors import ModelError

GOLDENS = ["edvr_m_x4_sr_reds", "edvr_m_wotsa_x4_sr_reds", "edvr_l_x4_sr_reds", "edvr_l_deblur_reds"]
TINY = {
    "num_feat": 8,
    "num_frame": 3,
    "deformable_groups": 2,
    "num_extract_block": 1,
    "num_reconstruct_block": 1,
}


@pytest.mark.parametrize("name", [*GOLDENS, "edvr_feature_extractor_f5"])
@torch.no_grad()
def test_equals_the_reference(golden, name):
    g = golden(name)
    g.check(out=g.fill(build(name))(g.input("x")))


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"with_tsa": False},
        {"center_frame_idx": 0},
        {"with_predeblur": True},
        {"with_predeblur": True, "hr_in": True},
    ],
)
def test_gradients_agree_with_float64(golden, agrees_in_float64, kind):
    rules = golden("edvr_m_x4_sr_reds").meta["rules"]
    side = 16 if kind.get("hr_in") else 8
    agrees_in_float64(lambda: EDVR(**TINY, **kind), [(1, 3, 3, side, side)], rules=rules, tolerance=1e-2)


@torch.no_grad()
@pytest.mark.parametrize(("hr_in", "factor"), [(False, 4), (True, 1)])
def test_without_a_last_layer_it_returns_the_centre_frame(hr_in, factor):
    net = EDVR(**TINY, hr_in=hr_in, with_predeblur=hr_in)
    net.conv_last.weight.zero_()
    net.conv_last.bias.zero_()
    x = torch.rand(1, 3, 3, 16, 16)
    base = F.interpolate(x[:, 1], scale_factor=factor, mode="bilinear") if factor > 1 else x[:, 1]
    assert_close(net(x), base)


@torch.no_grad()
def test_wrong_windows_and_sizes_are_refused():
    net = EDVR(**TINY)
    with pytest.raises(ModelError, match=r"\[N,3,C,H,W\]"):
        net(torch.rand(1, 5, 3, 8, 8))
    with pytest.raises(ModelError, match="multiples of 4"):
        net(torch.rand(1, 3, 3, 8, 10))
    with pytest.raises(ModelError, match="multiples of 16"):
        EDVR(**TINY, hr_in=True, with_predeblur=True)(torch.rand(1, 3, 3, 8, 8))
    with pytest.raises(ModelError, match="hr_in needs"):
        EDVR(hr_in=True)


@pytest.mark.parametrize("padding", ["replicate", "reflection", "reflection_circle", "circle"])
def test_frame_indices_equal_the_reference(golden, padding):
    stored = golden("misc").arrays
    for window in (3, 5, 7):
        for length in (7, 10):
            got = [frame_indices(i, length, window, padding) for i in range(length)]
            assert got == stored[f"frames_{padding}_n{window}_len{length}"].tolist()


def test_impossible_windows_are_refused():
    for window, length in ((4, 10), (5, 4)):
        with pytest.raises(ModelError, match=f"window of {window} on {length} frames"):
            frame_indices(0, length, window)
    with pytest.raises(ModelError, match="'mirror'"):
        frame_indices(0, 5, 3, "mirror")


@torch.no_grad()
def test_a_clip_is_restored_frame_by_frame_and_stage_by_stage():
    torch.manual_seed(0)
    first = EDVR(**TINY).eval()
    second = EDVR(**TINY, hr_in=True, with_predeblur=True).eval()
    clip = torch.rand(1, 4, 3, 8, 8)
    once = restore_clip(first, clip, "replicate")
    assert_close(once[:, 0], first(clip[:, [0, 0, 1]]))
    assert_close(once[:, 2], first(clip[:, [1, 2, 3]]))
    twice = cascade([first, second], clip, "replicate")
    assert_close(twice, restore_clip(second, once, "replicate"))
