import pytest
import torch
from torch.testing import assert_close

from degradekit_models.archs import build
from degradekit_models.archs.equalized import FusedLeakyReLU, ScaledLeakyReLU
from degradekit_models.archs.stylegan2 import (
    StyleGAN2Generator,
    StyleGAN2GeneratorBilinear,
    StyleGAN2GeneratorClean,
    channel_table,
)
from degradekit_models.archs.stylegan2_discriminator import StyleGAN2Discriminator
from degradekit_models.archs.stylegan2_layers import ModulatedConv2d
from degradekit_models.errors import ModelError

FLAVOURS = [StyleGAN2Generator, StyleGAN2GeneratorBilinear, StyleGAN2GeneratorClean]
TINY = {"out_size": 16, "num_style_feat": 8, "num_mlp": 2, "narrow": 0.015625}
PLAIN = [{"match": "bias$", "kind": "plain", "gain": 0.2}, {"match": ".", "kind": "plain", "gain": 1.0}]


@pytest.mark.parametrize("name", ["stylegan2_generator_256_c2", "stylegan2_generator_clean_512_c2"])
@torch.no_grad()
def test_published_generators_equal_the_reference(golden, name):
    g = golden(name)
    out, latent = g.fill(build(name))([g.input("z")], randomize_noise=False, return_latents=True)
    g.check(out=out, out_latent=latent)


@pytest.mark.parametrize("cls", [StyleGAN2Generator, StyleGAN2GeneratorClean])
@torch.no_grad()
def test_truncation_mixing_and_latents_equal_the_reference(golden, cls):
    g = golden("stylegan2_generator_reduced" if cls is StyleGAN2Generator else "stylegan2_generator_clean_reduced")
    net = g.fill(cls(**g.meta["constructor"]))
    z = g.input("z")
    out, latent = net([z], randomize_noise=False, return_latents=True)
    g.check(
        out=out,
        out_latent=latent,
        out_truncated=net([z], randomize_noise=False, truncation=0.6, truncation_latent=g.input("trunc"))[0],
        out_mixed=net([z, g.input("z2")], randomize_noise=False, inject_index=3)[0],
        out_wplus=net([latent * g.input("wscale")], randomize_noise=False, input_is_latent=True)[0],
    )


@torch.no_grad()
def test_discriminator_equals_the_reference(golden):
    g = golden("stylegan2_discriminator_reduced")
    g.check(out=g.fill(StyleGAN2Discriminator(**g.meta["constructor"]))(g.input("x")))


@pytest.mark.parametrize("cls", FLAVOURS)
def test_generator_gradients_agree_with_float64(agrees_in_float64, cls):
    agrees_in_float64(
        lambda: cls(**TINY), [(2, 8)], rules=PLAIN, call=lambda net, z: net([z], randomize_noise=False)[0]
    )


def test_discriminator_gradients_agree_with_float64(agrees_in_float64):
    agrees_in_float64(lambda: StyleGAN2Discriminator(16, narrow=0.015625), [(4, 3, 16, 16)], rules=PLAIN)


def test_second_derivatives_exist_for_path_length_and_r1():
    torch.manual_seed(0)
    net = StyleGAN2Generator(**TINY).double()
    latents = torch.randn(1, net.num_latent, 8, dtype=torch.float64, requires_grad=True)
    image, _ = net([latents], input_is_latent=True, randomize_noise=False)
    (slope,) = torch.autograd.grad((image * torch.randn_like(image)).sum(), latents, create_graph=True)
    slope.square().sum().backward()
    assert net.style_convs[0].modulated_conv.weight.grad.abs().max() > 0

    critic = StyleGAN2Discriminator(16, narrow=0.015625).double()
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert critic.final_conv[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("cls", FLAVOURS)
@torch.no_grad()
def test_stored_noise_is_reproducible_and_fresh_noise_is_not(cls):
    torch.manual_seed(0)
    net = cls(**TINY)
    for p in net.parameters():
        if p.shape == (1,):
            p.fill_(0.5)  # the strength of the noise, zero in a new network
    z = torch.randn(1, 8)
    assert torch.equal(net([z], randomize_noise=False)[0], net([z], randomize_noise=False)[0])
    assert not torch.equal(net([z])[0], net([z])[0])
    given = [net.noises.get_buffer(f"noise{i}") for i in range(net.num_layers)]
    assert torch.equal(net([z], noise=given)[0], net([z], randomize_noise=False)[0])


@torch.no_grad()
def test_modulated_convolution_is_a_convolution_with_a_kernel_per_sample():
    torch.manual_seed(0)
    conv = ModulatedConv2d(3, 5, 3, modulation=torch.nn.Linear(4, 3))
    x, style = torch.randn(2, 3, 6, 7), torch.randn(2, 4)
    kernel = conv.weight * conv.modulation(style)[:, None, :, None, None]
    kernel = kernel / (kernel.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).sqrt()
    per_sample = torch.cat([torch.nn.functional.conv2d(x[i : i + 1], kernel[i], padding=1) for i in range(2)])
    assert_close(conv(x, style), per_sample, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_demodulation_makes_the_output_blind_to_the_size_of_the_style():
    torch.manual_seed(0)
    conv = ModulatedConv2d(8, 5, 3, modulation=torch.nn.Identity())
    x, style = torch.randn(1, 8, 6, 6), torch.rand(1, 8) + 0.5
    assert_close(conv(x, 10 * style), conv(x, style), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_deviation_channel_tells_identical_batches_from_varied_ones():
    critic = StyleGAN2Discriminator(16, narrow=0.015625, stddev_group=2)
    feat = torch.rand(4, 3, 4, 4)
    feat[2] = feat[0]  # images n and n + 2 share a group
    deviation = critic._deviation(feat)
    assert deviation.shape == (4, 1, 4, 4)
    assert deviation[0].max() < 1.1e-4
    assert deviation[1].min() > 0.01
    with pytest.raises(ModelError, match="batch of 3 does not divide into groups of 2"):
        critic(torch.rand(3, 3, 16, 16))


@torch.no_grad()
def test_mean_latent_averages_the_mapping_network():
    net = StyleGAN2GeneratorClean(**TINY)
    assert net.mean_latent(64).shape == (1, 8)
    with pytest.raises(ModelError, match="truncation_latent"):
        net([torch.randn(1, 8)], truncation=0.5)


@torch.no_grad()
def test_activations_keep_the_variance_roughly():
    torch.manual_seed(0)
    x = torch.randn(4, 3, 100, 100)
    assert_close(FusedLeakyReLU(3)(x), ScaledLeakyReLU()(x))
    assert 0.9 < ScaledLeakyReLU()(x).square().mean() < 1.1


def test_channels_follow_the_table():
    assert channel_table(2) == {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}


@torch.no_grad()
def test_impossible_inputs_are_refused():
    with pytest.raises(ModelError, match="out_size is 48"):
        StyleGAN2Generator(48)
    net = StyleGAN2GeneratorClean(**TINY)
    with pytest.raises(ModelError, match=r"\[N,6,8\]"):
        net([torch.randn(1, 5, 8)], input_is_latent=True)
    with pytest.raises(ModelError, match="3 styles"):
        net([torch.randn(1, 8)] * 3)
    with pytest.raises(ModelError, match="8 x 8"):
        StyleGAN2Discriminator(16, narrow=0.015625)(torch.rand(2, 3, 8, 8))
