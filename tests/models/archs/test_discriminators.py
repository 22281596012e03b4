import pytest
import torch
from torch.testing import assert_close

from degradekit_models.archs import build
from degradekit_models.archs.unet_discriminator import UNetDiscriminatorSN
from degradekit_models.archs.vgg_discriminator import VGGStyleDiscriminator
from degradekit_models.errors import ModelError


@torch.no_grad()
def test_vgg_equals_the_reference_in_evaluation_and_training(golden):
    g = golden("vgg_discriminator_128")
    net = g.fill(build("vgg_discriminator_128"))
    g.check(out=net(g.input("x")))
    state = {"train_out": net.train()(g.input("x"))}
    tracked = ("bn0_1.running_mean", "bn0_1.running_var", "bn4_1.running_mean", "bn4_1.running_var")
    g.check(**state, **{f"train_{k}": net.get_buffer(k) for k in tracked})
    assert net.get_buffer("bn4_1.num_batches_tracked") == g.tensor("train_bn4_1.num_batches_tracked")


def test_vgg_256_has_one_level_more_and_refuses_other_sizes():
    net = VGGStyleDiscriminator(num_feat=2, input_size=256)
    assert net(torch.rand(1, 3, 256, 256)).shape == (1, 1)
    with pytest.raises(ModelError, match="128 x 128"):
        net(torch.rand(1, 3, 128, 128))
    with pytest.raises(ModelError, match="input_size is 512"):
        VGGStyleDiscriminator(input_size=512)


@torch.no_grad()
def test_unet_equals_the_reference_in_evaluation_and_training(golden):
    g = golden("unet_discriminator_sn")
    net = g.fill(build("unet_discriminator_sn"))
    g.check(out=net(g.input("x")))
    for name, u in net.named_buffers():
        if name.endswith("weight_u"):
            moved = u + 0.3 * u.flip(0)
            u.copy_(moved / moved.norm())
    out = net.train()(g.input("x"))
    vectors = {f"train_{k}": net.get_buffer(k) for k in ("conv1.weight_u", "conv1.weight_v", "conv8.weight_u")}
    g.check(train_out=out, **vectors)


@torch.no_grad()
def test_unet_keeps_its_singular_vectors_in_evaluation():
    net = UNetDiscriminatorSN(num_feat=4).eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net(torch.rand(1, 3, 16, 16))
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@torch.no_grad()
def test_unet_layers_have_unit_gain_after_training_calls():
    torch.manual_seed(0)
    net = UNetDiscriminatorSN(num_feat=4).train()
    for _ in range(30):
        net(torch.rand(1, 3, 16, 16))
    net.eval()
    net(torch.rand(1, 3, 16, 16))
    assert_close(torch.linalg.matrix_norm(net.conv5.weight.flatten(1), 2), torch.tensor(1.0), rtol=0.02, atol=0)


def test_gradients_agree_with_float64(agrees_in_float64):
    unet_rules = [{"match": "weight_orig", "kind": "fan_in", "gain": 1.0}]
    agrees_in_float64(lambda: UNetDiscriminatorSN(num_feat=4), [(1, 3, 16, 16)], rules=unet_rules)
    agrees_in_float64(lambda: UNetDiscriminatorSN(num_feat=4, skip_connection=False), [(1, 3, 16, 8)], rules=unet_rules)
    agrees_in_float64(lambda: VGGStyleDiscriminator(num_feat=2), [(1, 3, 128, 128)])
