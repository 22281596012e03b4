import pytest
import torch
from torch.testing import assert_close

from degradekit_models.archs import build
from degradekit_models.archs.arcface import ResNetArcFace
from degradekit_models.archs.vgg import LAYERS, VGG19Features
from degradekit_models.errors import ModelError


@torch.no_grad()
def test_arcface_equals_the_reference(golden):
    g = golden("resnet_arcface18")
    g.check(out=g.fill(build("resnet_arcface18"))(g.input("x")))


@torch.no_grad()
def test_squeeze_and_excitation_at_one_half_halves_the_branch():
    torch.manual_seed(0)
    block = ResNetArcFace(layers=(1, 1, 1, 1), use_se=True).eval().layer1[0]
    for p in block.se.parameters():
        p.zero_()  # a sigmoid of zero
    x = torch.randn(1, 64, 8, 8)
    halved = block(x)
    block.se = None
    branch = block.bn2(block.conv2(block.prelu(block.bn1(block.conv1(block.bn0(x))))))
    assert_close(halved, block.prelu(x + branch / 2))


def test_arcface_gradients_agree_with_float64(agrees_in_float64):
    agrees_in_float64(lambda: ResNetArcFace(layers=(1, 1, 1, 1), use_se=True), [(1, 1, 128, 128)])


def test_arcface_refuses_colour_other_sizes_and_other_blocks():
    with pytest.raises(ModelError, match=r"\[N,1,128,128\]"):
        ResNetArcFace(layers=(1, 1, 1, 1))(torch.rand(1, 3, 128, 128))
    with pytest.raises(ModelError, match="'Bottleneck'"):
        ResNetArcFace("Bottleneck")


@torch.no_grad()
def test_vgg_equals_the_reference(golden):
    g = golden("vgg19_features")
    feats = g.fill(build("vgg19_features"))(g.input("x"))
    g.check(**{f"out_{name}": feat for name, feat in feats.items()})


def test_vgg_layers_have_the_published_indices(mappings):
    published = {}
    for names in mappings["vgg19_layer_names"]:
        published |= dict(zip(names[::2], names[1::2], strict=True))
    assert {name: i for i, name in enumerate(LAYERS)} == published


@torch.no_grad()
def test_vgg_taps_stop_early_and_do_not_change_each_other():
    torch.manual_seed(0)
    net = VGG19Features(("conv1_2", "relu1_2"))
    late = []
    net.features[-1].register_forward_hook(lambda *_: late.append(1))
    feats = net(torch.rand(1, 3, 8, 8))
    assert feats["conv1_2"].min() < 0
    assert torch.equal(feats["relu1_2"], feats["conv1_2"].relu())
    assert not late


@torch.no_grad()
def test_vgg_input_ranges_mean_the_same_image():
    torch.manual_seed(0)
    unit, signed = VGG19Features(("conv1_1",)), VGG19Features(("conv1_1",), range_norm=True)
    signed.load_state_dict(unit.state_dict())
    x = torch.rand(1, 3, 8, 8)
    assert_close(unit(x), signed(2 * x - 1), rtol=1e-4, atol=1e-5)
    raw = VGG19Features(("conv1_1",), use_input_norm=False)
    raw.load_state_dict(unit.state_dict())
    assert_close(raw((x - unit.mean) / unit.std), unit(x))


def test_vgg_gradients_agree_with_float64(agrees_in_float64):
    agrees_in_float64(
        lambda: VGG19Features(("conv5_4",)),
        [(1, 3, 16, 16)],
        rules=[{"match": "weight$", "kind": "fan_in", "gain": 1.4}],
        call=lambda net, x: net(x)["conv5_4"],
    )


def test_an_unknown_layer_is_named():
    with pytest.raises(ModelError, match="'conv3_5'"):
        VGG19Features(("conv3_5",))
