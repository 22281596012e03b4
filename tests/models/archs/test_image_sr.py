import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from degradekit_models.archs import build
from degradekit_models.archs.residual import ResidualBlock
from degradekit_models.archs.rrdbnet import RRDBNet
from degradekit_models.archs.srresnet import MSRResNet
from degradekit_models.archs.srvgg import SRVGGNetCompact
from degradekit_models.errors import ModelError

GOLDENS = ["msrresnet_x2", "msrresnet_x4", "rrdbnet_x4_23b", "rrdbnet_x2_23b", "srvgg_animevideov3"]
SMALL = {
    "msrresnet_x2": {"num_feat": 8, "num_block": 2},
    "msrresnet_x3": {"num_feat": 8, "num_block": 1},
    "rrdbnet_x4_anime6b": {"num_feat": 8, "num_block": 1, "num_grow_ch": 4},
    "rrdbnet_x2_23b": {"num_feat": 8, "num_block": 1, "num_grow_ch": 4},
    "rrdbnet_x1_23b": {"num_feat": 8, "num_block": 1, "num_grow_ch": 4},
    "srvgg_general_x4v3": {"num_feat": 8, "num_conv": 3},
}


@pytest.mark.parametrize("name", GOLDENS)
@torch.no_grad()
def test_equals_the_reference(golden, name):
    g = golden(name)
    g.check(out=g.fill(build(name))(g.input("x")))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_agree_with_float64(agrees_in_float64, name):
    agrees_in_float64(lambda: build(name, **SMALL[name]), [(2, 3, 8, 4)])


@pytest.mark.parametrize("name", SMALL)
def test_size_is_scaled(name):
    scale = {"srvgg_general_x4v3": 4}.get(name) or int(name.split("_x")[1][0])
    out = build(name, **SMALL[name])(torch.rand(1, 3, 8, 12))
    assert out.shape == (1, 3, 8 * scale, 12 * scale)


def test_pixels_fold_channel_by_channel_as_in_the_reference(golden):
    g = golden("ops")
    for factor in (2, 4):
        got = F.pixel_unshuffle(g.tensor("in_pixel_unshuffle"), factor)
        assert torch.equal(got, g.tensor(f"pixel_unshuffle_{factor}"))


def test_without_a_last_layer_msrresnet_is_bilinear_and_srvgg_is_nearest():
    x = torch.rand(1, 3, 5, 6)
    for net, mode in ((MSRResNet(num_feat=4, num_block=1), "bilinear"), (SRVGGNetCompact(num_feat=4), "nearest")):
        last = net.conv_last if isinstance(net, MSRResNet) else net.body[-1]
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
        assert_close(net(x), F.interpolate(x, scale_factor=4, mode=mode))


def test_residual_blocks_start_near_the_identity():
    torch.manual_seed(0)
    x = torch.randn(1, 64, 8, 8)
    change = (ResidualBlock(64)(x) - x).std() / x.std()
    assert 0 < change < 0.05


@pytest.mark.parametrize("act", ["relu", "leakyrelu"])
def test_other_activations_keep_the_places_of_the_convolutions(act):
    convs = [k for k in SRVGGNetCompact(num_feat=4, num_conv=1, act_type=act).state_dict() if k.endswith("weight")]
    assert convs == ["body.0.weight", "body.2.weight", "body.4.weight"]


def test_impossible_arguments_and_sizes_are_refused():
    with pytest.raises(ModelError, match="scale is 3"):
        RRDBNet(scale=3)
    with pytest.raises(ModelError, match="upscale is 5"):
        MSRResNet(upscale=5)
    with pytest.raises(ModelError, match="'gelu'"):
        SRVGGNetCompact(act_type="gelu")
    with pytest.raises(ModelError, match="5 x 8 does not fold by 2"):
        RRDBNet(scale=2, num_feat=4, num_block=1, num_grow_ch=2)(torch.rand(1, 3, 5, 8))
