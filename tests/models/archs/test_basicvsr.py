import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from degradekit_models.archs import build
from degradekit_models.archs.basicvsr import BasicVSR, IconVSR
from degradekit_models.archs.basicvsrpp import BasicVSRPlusPlus
from degradekit_models.errors import ModelError


@pytest.mark.parametrize("name", ["basicvsr", "iconvsr_reds", "basicvsrpp_c64n7"])
@torch.no_grad()
def test_equals_the_reference(golden, name):
    g = golden(name)
    g.check(out=g.fill(build(name))(g.input("x")))


@torch.no_grad()
def test_reduced_iconvsr_equals_the_reference(golden):
    g = golden("iconvsr_reduced")
    g.check(out=g.fill(IconVSR(**g.meta["constructor"]))(g.input("x")))


@torch.no_grad()
def test_basicvsrpp_equals_the_reference_also_after_a_mirrored_clip(golden):
    g = golden("basicvsrpp_reduced")
    net = g.fill(BasicVSRPlusPlus(**g.meta["constructor"]))
    x = g.input("x")
    g.check(out_mirror=net(x[:, [0, 1, 1, 0]]))
    g.check(out=net(x))


@torch.no_grad()
def test_flows_of_a_mirrored_clip_are_computed_once():
    net = BasicVSRPlusPlus(mid_channels=16, num_blocks=1).eval()
    x = torch.rand(1, 2, 3, 32, 32)
    calls = []
    net.spynet.register_forward_hook(lambda *_: calls.append(1))
    mirrored = net(torch.cat((x, x.flip(1)), dim=1))
    assert len(calls) == 1
    nearly = torch.cat((x, x.flip(1)), dim=1)
    nearly[0, 0, 0, 0, 0] += 1e-6
    assert_close(net(nearly), mirrored, rtol=0, atol=1e-4)
    assert len(calls) == 3


@torch.no_grad()
def test_long_clips_give_the_same_result_from_the_cache():
    torch.manual_seed(0)
    net = BasicVSRPlusPlus(mid_channels=16, num_blocks=1, cpu_cache_length=2).eval()
    x = torch.rand(1, 3, 3, 32, 32)
    cached = net(x)
    net.cpu_cache_length = 100
    assert torch.equal(cached, net(x))


@pytest.mark.parametrize(
    ("build_net", "shape", "golden_name"),
    [
        (lambda: BasicVSR(num_feat=8, num_block=1), (1, 3, 3, 32, 32), "basicvsr"),
        (lambda: IconVSR(num_feat=8, num_block=1, keyframe_stride=4), (1, 5, 3, 16, 16), "iconvsr_reduced"),
        (lambda: BasicVSRPlusPlus(mid_channels=16, num_blocks=1), (1, 3, 3, 32, 32), "basicvsrpp_reduced"),
        (
            lambda: BasicVSRPlusPlus(mid_channels=16, num_blocks=1, is_low_res_input=False),
            (1, 3, 3, 32, 32),
            "basicvsrpp_reduced",
        ),
    ],
    ids=["basicvsr", "iconvsr", "basicvsrpp", "basicvsrpp_samesize"],
)
def test_gradients_agree_with_float64(golden, agrees_in_float64, build_net, shape, golden_name):
    rules = golden(golden_name).meta["rules"]
    agrees_in_float64(build_net, [shape], rules=rules, tolerance=1e-2)


@torch.no_grad()
def test_sizes():
    plus = {"mid_channels": 16, "num_blocks": 1}
    same = BasicVSRPlusPlus(**plus, is_low_res_input=False)(torch.rand(1, 2, 3, 64, 72))
    assert same.shape == (1, 2, 3, 64, 72)
    assert BasicVSRPlusPlus(**plus)(torch.rand(2, 1, 3, 32, 32)).shape == (2, 1, 3, 128, 128)
    assert BasicVSR(num_feat=4, num_block=1)(torch.rand(2, 1, 3, 33, 35)).shape == (2, 1, 3, 132, 140)


@torch.no_grad()
def test_without_a_last_layer_the_result_is_bilinear():
    clip = torch.rand(1, 5, 3, 30, 33)
    bilinear = F.interpolate(clip[0], scale_factor=4, mode="bilinear")
    for net in (BasicVSR(num_feat=4, num_block=1), BasicVSRPlusPlus(mid_channels=16, num_blocks=1)):
        net.conv_last.weight.zero_()
        net.conv_last.bias.zero_()
        assert_close(net(clip)[0], bilinear)


@torch.no_grad()
def test_information_travels_over_the_whole_clip():
    torch.manual_seed(0)
    for net in (BasicVSR(num_feat=8, num_block=1), BasicVSRPlusPlus(mid_channels=16, num_blocks=1)):
        clip = torch.rand(1, 4, 3, 32, 32)
        before = net(clip)
        for end, other in ((0, 3), (3, 0)):
            changed = clip.clone()
            changed[:, end] = torch.rand(1, 3, 32, 32)
            assert (net(changed) - before)[:, other].abs().max() > 1e-7


def test_short_clips_other_paddings_and_sizes_are_refused():
    with pytest.raises(ModelError, match="34 x 32 are not multiples of 4"):
        BasicVSRPlusPlus(mid_channels=16, num_blocks=1, is_low_res_input=False)(torch.rand(1, 2, 3, 34, 32))
    with pytest.raises(ModelError, match="at least 5"):
        IconVSR(num_feat=8, num_block=1)(torch.rand(1, 4, 3, 32, 32))
    with pytest.raises(ModelError, match="temporal_padding is 1"):
        IconVSR(temporal_padding=1)
