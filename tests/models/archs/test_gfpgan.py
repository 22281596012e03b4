import pytest
import torch

from degradekit_models.archs import build
from degradekit_models.archs.facial_component_discriminator import FacialComponentDiscriminator
from degradekit_models.archs.gfpgan import GFPGANBilinear, GFPGANv1, GFPGANv1Clean
from degradekit_models.errors import ModelError

FLAVOURS = [GFPGANv1, GFPGANBilinear, GFPGANv1Clean]
CLASSES = {cls.__name__: cls for cls in FLAVOURS}
TINY = {"out_size": 16, "num_style_feat": 8, "num_mlp": 1, "narrow": 0.03125, "fix_decoder": False}


def _named(out, images):
    return {"out": out} | {f"out_rgb_{image.shape[-1]}": image for image in images}


@pytest.mark.parametrize(
    "name",
    [
        "gfpganv1_original_reduced",
        "gfpgan_bilinear_reduced",
        "gfpganv1_clean_reduced",
        "gfpganv1_clean_reduced_alt",
        pytest.param("gfpganv1_clean_256_c2", marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_equals_the_reference(golden, name):
    g = golden(name)
    net = g.fill(CLASSES[g.meta["class"]](**g.meta["constructor"]))
    g.check(**_named(*net(g.input("x"), randomize_noise=False)))


@pytest.mark.slow
@torch.no_grad()
def test_published_network_equals_the_reference(golden):
    g = golden("gfpganv1_original")
    g.check(**_named(*g.fill(build("gfpganv1_original"))(g.input("x"), randomize_noise=False)))


@pytest.mark.parametrize("cls", FLAVOURS)
@pytest.mark.parametrize("switch", [True, False])
def test_gradients_agree_with_float64(golden, agrees_in_float64, cls, switch):
    name = {GFPGANv1: "original", GFPGANBilinear: "bilinear"}.get(cls, "clean")
    rules = golden(f"gfpgan{'' if name == 'bilinear' else 'v1'}_{name}_reduced").meta["rules"]
    # With input_is_latent the mapping network is not used; it must get no gradient, all else must get one.
    agrees_in_float64(
        lambda: cls(**TINY, input_is_latent=switch, different_w=switch, sft_half=switch),
        [(2, 3, 16, 16)],
        rules=rules,
        call=lambda net, x: torch.cat([t.flatten(1) for t in _named(*net(x, randomize_noise=False)).values()], 1),
    )


@pytest.mark.parametrize("cls", FLAVOURS)
def test_a_fixed_decoder_gets_no_gradient_but_passes_it_on(cls):
    net = cls(**{**TINY, "fix_decoder": True})
    net(torch.rand(1, 3, 16, 16), return_rgb=False)[0].sum().backward()
    assert all(p.grad is None for p in net.stylegan_decoder.parameters())
    assert net.conv_body_down[0].conv1 is not None
    assert net.final_linear.weight.grad.abs().max() > 0


@torch.no_grad()
def test_split_modulation_leaves_the_first_half_of_the_channels():
    torch.manual_seed(0)
    net = GFPGANv1Clean(**TINY, input_is_latent=True, different_w=True, sft_half=True)
    decoder = net.stylegan_decoder
    seen = []
    decoder.style_convs[1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    latents = [torch.randn(1, decoder.num_latent, 8)]
    half = net.condition_scale[0][0].in_channels
    neutral = [torch.ones(1, half, 8, 8), torch.zeros(1, half, 8, 8)]
    moved = [torch.full((1, half, 8, 8), 2.0), torch.ones(1, half, 8, 8)]
    for conditions in ((), neutral, moved):
        decoder(latents, input_is_latent=True, randomize_noise=False, conditions=conditions)
    assert torch.equal(seen[0], seen[1])
    assert torch.equal(seen[2][:, :-half], seen[0][:, :-half])
    assert torch.equal(seen[2][:, -half:], 2 * seen[0][:, -half:] + 1)


@torch.no_grad()
def test_facial_component_discriminator_equals_the_reference(golden):
    g = golden("facial_component_discriminator")
    out, feats = g.fill(build("facial_component_discriminator"))(g.input("x"), return_feats=True)
    g.check(out=out, out_feat_0=feats[0], out_feat_1=feats[1])


def test_facial_component_discriminator_gradients_agree_with_float64(agrees_in_float64):
    agrees_in_float64(FacialComponentDiscriminator, [(1, 3, 24, 20)], call=lambda net, x: net(x)[0])


def test_faces_of_another_size_are_refused():
    with pytest.raises(ModelError, match="32 x 32; this one was built for 16 x 16"):
        GFPGANv1(**TINY)(torch.rand(1, 3, 32, 32))
