"""Every loss against the published code's value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from degradekit_models.archs.stylegan2 import StyleGAN2Generator
from degradekit_models.archs.stylegan2_discriminator import StyleGAN2Discriminator
from degradekit_models.archs.vgg import TAPS, VGG19Features
from degradekit_models.errors import ModelError
from degradekit_models.losses.adversarial import (
    KINDS,
    adversarial,
    relativistic_discriminator,
    relativistic_generator,
)
from degradekit_models.losses.perceptual import PerceptualLoss, artifact_map, gram
from degradekit_models.losses.pixel import charbonnier, l1, mse, total_variation
from degradekit_models.losses.regularisers import gradient_penalty, path_length, r1

FIVE = dict(zip(TAPS, (0.1, 0.1, 1.0, 1.0, 1.0), strict=True))


@pytest.fixture(scope="module")
def stored(golden: Callable[[str], Any]) -> Any:
    return golden("losses")


def close(got: Tensor, want: Tensor, tolerance: float = 2e-5) -> None:
    assert got.shape == want.shape
    assert (got.detach() - want).abs().max() <= tolerance * want.abs().max().clamp_min(1e-12)


def leaf(x: Tensor) -> Tensor:
    return x.clone().requires_grad_()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("tag", "weight", "source", "options"),
    [
        ("g", 0.1, "fake", {"want_real": True}),
        ("g_target_false", 0.1, "fake", {"want_real": False}),
        ("d_real", 1.0, "real", {"want_real": True, "discriminator": True}),
        ("d_fake", 1.0, "fake", {"want_real": False, "discriminator": True}),
    ],
)
def test_adversarial(stored: Any, kind: Any, tag: str, weight: float, source: str, options: dict[str, bool]) -> None:
    x = leaf(stored.tensor(f"in_{source}"))
    loss = weight * adversarial(x, kind=kind, **options)
    close(loss, stored.tensor(f"gan_{kind}_{tag}"))
    close(torch.autograd.grad(loss, x)[0], stored.tensor(f"gan_{kind}_{tag}__grad_x"))


def test_smooth_labels_and_scales(stored: Any) -> None:
    real, fake = leaf(stored.tensor("in_real")), leaf(stored.tensor("in_fake"))
    labels = (0.1, 0.9)
    for x, loss, tag in (
        (fake, 0.1 * adversarial(fake, want_real=True, labels=labels), "g"),
        (real, adversarial(real, want_real=True, labels=labels, discriminator=True), "d_real"),
        (fake, adversarial(fake, want_real=False, labels=labels, discriminator=True), "d_fake"),
    ):
        close(loss, stored.tensor(f"gan_vanilla_smooth_{tag}"))
        close(torch.autograd.grad(loss, x)[0], stored.tensor(f"gan_vanilla_smooth_{tag}__grad_x"))
    several = 0.1 * adversarial([real, fake], want_real=True, kind="lsgan")
    close(several, stored.tensor("gan_multiscale_lsgan_g"))
    with pytest.raises(ModelError, match="'gan' is unknown: choose vanilla"):
        adversarial(real, want_real=True, kind="gan")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["vanilla", "lsgan"])
def test_relativistic(stored: Any, kind: Any) -> None:
    real, fake = leaf(stored.tensor("in_real")), leaf(stored.tensor("in_fake"))
    loss = 5e-3 * relativistic_generator(real, fake, kind=kind)
    close(loss, stored.tensor(f"ragan_{kind}_g"))
    to_fake, to_real = torch.autograd.grad(loss, (fake, real), allow_unused=True)
    close(to_fake, stored.tensor(f"ragan_{kind}_g__grad_f"))
    assert to_real is None, "the generator's loss must not train on real images"
    halves = relativistic_discriminator(real, fake, kind=kind)
    for half, x, tag in ((halves.real, real, "d_real__grad_r"), (halves.fake, fake, "d_fake__grad_f")):
        close(half, stored.tensor(f"ragan_{kind}_{tag.split('__')[0]}"))
        close(torch.autograd.grad(half, x, retain_graph=True)[0], stored.tensor(f"ragan_{kind}_{tag}"))


PIXEL: dict[str, Callable[..., Tensor]] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
    "charbonnier_eps1e-3": lambda *a, **k: charbonnier(*a, eps=1e-3, **k),
    "wtv": lambda pred, _, weight, **k: total_variation(pred, weight, **k),
}


@pytest.mark.parametrize("name", PIXEL)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_pixel(stored: Any, name: str, reduction: str, channels: int | None) -> None:
    x = leaf(stored.tensor("in_pred"))
    weight = stored.tensor(f"in_weight{channels}") if channels else None
    loss = 0.7 * PIXEL[name](x, stored.tensor("in_target"), weight, reduction=reduction)
    tag = f"{name}_{reduction}" + (f"_w{channels}" if channels else "")
    close(loss, stored.tensor(tag))
    close(torch.autograd.grad(loss, x)[0], stored.tensor(f"{tag}__grad_x"))


def test_unreduced_and_refused(stored: Any) -> None:
    pred, target = stored.tensor("in_pred"), stored.tensor("in_target")
    close(charbonnier(pred, target, reduction="none"), stored.tensor("charbonnier_none"))
    with pytest.raises(ModelError, match=r"prediction is \[2, 3, 5, 6\] and the target \[2, 3, 5, 5\]"):
        l1(pred, target[..., :5])
    with pytest.raises(ModelError, match="reduction 'average' is unknown"):
        l1(pred, target, reduction="average")


@pytest.mark.parametrize(
    ("tag", "options"),
    [
        ("esrgan", {"layers": {"conv5_4": 1.0}}),
        ("realesrgan", {"layers": FIVE}),
        ("gfpgan", {"layers": FIVE, "range_norm": True, "style_weight": 50.0}),
        ("fro", {"layers": FIVE, "criterion": "fro", "style_weight": 1.0}),
        ("l2", {"layers": FIVE, "criterion": "l2", "style_weight": 1.0}),
    ],
)
def test_perceptual(stored: Any, golden: Callable[[str], Any], tag: str, options: dict[str, Any]) -> None:
    features = VGG19Features(range_norm=options.get("range_norm", False))
    golden("vgg19_features").fill(features)
    loss = PerceptualLoss(features=features, **options)
    a, b = (stored.tensor(f"in_percep_{k}_u8").float() / 255 for k in "ab")
    if features.range_norm:
        a, b = a * 2 - 1, b * 2 - 1
    a.requires_grad_()
    found = loss(a, b)
    assert found.perceptual is not None
    close(found.perceptual, stored.tensor(f"percep_{tag}"))
    assert (found.style is None) == ("style_weight" not in options)
    if found.style is not None:
        close(found.style, stored.tensor(f"style_{tag}"), 1e-4)
    total = found.perceptual + (found.style if found.style is not None else 0.0)
    (grad,) = torch.autograd.grad(total, a)
    close(grad[..., ::3, ::3], stored.tensor(f"percep_{tag}__grad__s3"), 1e-4)
    close(F.avg_pool2d(grad, 8), stored.tensor(f"percep_{tag}__grad__b8"), 1e-4)
    assert not any(p.requires_grad for p in loss.parameters())


def test_gram_and_artifact_map(stored: Any) -> None:
    close(gram(stored.tensor("in_feat")), stored.tensor("gram"))
    gt, pred, averaged = (stored.tensor(f"in_{k}").repeat(1, 1, 2, 2) for k in ("pred", "target", "weight3"))
    close(artifact_map(gt, pred, averaged), stored.tensor("ldl_map"))


@pytest.fixture
def toy(stored: Any) -> nn.Sequential:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Softplus(), nn.Conv2d(8, 1, 3, stride=2, padding=1))
    for layer, name in ((net[0], "c1"), (net[2], "c2")):
        layer.load_state_dict({k: stored.tensor(f"toyd_{name}.{k}") for k in ("weight", "bias")})
    return net


def test_r1_and_gradient_penalty(stored: Any, toy: nn.Sequential) -> None:
    parameters = [toy[0].weight, toy[0].bias, toy[2].weight]
    names = ("c1.weight", "c1.bias", "c2.weight")
    real = leaf(stored.tensor("in_r1_real"))
    penalty = r1(toy(real), real)
    mixed = gradient_penalty(
        toy, stored.tensor("in_r1_real"), stored.tensor("in_gp_fake"), stored.tensor("in_gp_alpha"), per_pixel=True
    )
    for loss, tag in ((penalty, "r1_toy"), (mixed, "gp_toy")):
        close(loss, stored.tensor(tag))
        for name, grad in zip(names, torch.autograd.grad(loss, parameters), strict=True):
            close(grad, stored.tensor(f"{tag}__grad_{name}"), 1e-4)


def test_path_length_of_a_toy(stored: Any) -> None:
    latents, m = leaf(stored.tensor("in_pl_latents")), leaf(stored.tensor("in_pl_M"))
    images = torch.tanh(latents.reshape(2, 32) @ m).view(2, 3, 4, 4)
    found = path_length(images, latents, torch.tensor(0.5), stored.tensor("in_pl_noise"))
    close(found.penalty, stored.tensor("pl_toy_penalty"))
    close(found.length, stored.tensor("pl_toy_length"))
    close(found.mean, stored.tensor("pl_toy_mean"))
    close(torch.autograd.grad(found.penalty, m)[0], stored.tensor("pl_toy__grad_M"), 1e-4)


def test_path_length_through_stylegan2(stored: Any, golden: Callable[[str], Any]) -> None:
    reference = golden("stylegan2_generator_reduced")
    net = reference.fill(StyleGAN2Generator(**reference.meta["constructor"]))
    images, latents = net([stored.tensor("in_pl_z")], return_latents=True, randomize_noise=False)
    found = path_length(images, latents, torch.tensor(0.2), stored.tensor("in_pl_noise2"))
    close(found.penalty, stored.tensor("pl_sg2_penalty"), 1e-4)
    close(found.length, stored.tensor("pl_sg2_length"), 1e-4)
    names = stored.meta["path_length"]["sg2_parameters"]
    parameters = dict(net.named_parameters())
    grads = torch.autograd.grad(found.penalty, [parameters[k] for k in names], allow_unused=True)
    norms = np.array([0.0 if g is None else g.norm().item() for g in grads])
    np.testing.assert_allclose(norms, stored.arrays["pl_sg2__grad_norms"], rtol=1e-3, atol=1e-7)


def test_r1_through_stylegan2(stored: Any, golden: Callable[[str], Any]) -> None:
    reference = golden("stylegan2_discriminator_reduced")
    net = reference.fill(StyleGAN2Discriminator(**reference.meta["constructor"]))
    raw = stored.tensor("in_r1_sg2_u8").float() / 255
    side = reference.input("x").shape[-1] // raw.shape[-1]
    x = leaf(((raw - 0.5) / 0.5).repeat_interleave(side, -1).repeat_interleave(side, -2))
    loss = r1(net(x), x)
    close(loss, stored.tensor("r1_sg2"), 1e-4)
    parameters = dict(net.named_parameters())
    grads = torch.autograd.grad(loss, [parameters[k] for k in stored.meta["r1"]["sg2_parameters"]], allow_unused=True)
    norms = np.array([0.0 if g is None else g.norm().item() for g in grads])
    np.testing.assert_allclose(norms, stored.arrays["r1_sg2__grad_norms"], rtol=1e-3, atol=1e-7)
