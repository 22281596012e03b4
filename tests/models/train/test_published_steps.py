"""One step of each scheme for faces against the published one, written down once more with torch's own functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from degradekit_models.losses.perceptual import gram
from degradekit_models.ops.roi_align import roi_align
from degradekit_models.train.gfpgan import GFPGAN, boxes_of
from degradekit_models.train.scheme import Pairs, Scheme
from degradekit_models.train.stylegan2 import StyleGAN2
from tests.models.train.faces import SIDE, TINY_STYLEGAN2
from tests.models.train.test_gfpgan import NAMES, pairs
from tests.models.train.test_gfpgan import make as make_gfpgan
from tests.models.train.test_stylegan2 import make as make_stylegan2
from tests.models.train.test_stylegan2 import pictures


@pytest.fixture
def in_float64() -> Iterator[None]:
    """Fabric hands out what networks return in torch's own precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("in_float64")
def test_gfpgan() -> None:
    """Terms, weights and both sides of the games, written down once more with torch's own functions."""
    scheme, by_hand = make_gfpgan(precision="64-true"), make_gfpgan(precision="64-true")
    batch = pairs()
    torch.manual_seed(3)
    scheme.step([batch], 1)
    torch.manual_seed(3)
    _gfpgan_step(by_hand, batch)
    _same(scheme, by_hand)


def _gfpgan_step(scheme: GFPGAN, batch: Pairs) -> None:
    g, d, parts = (scheme.trained[name] for name in ("generator", "discriminator", "components"))
    lq, gt = (images * 2 - 1 for images in batch[:2])
    boxes = boxes_of(batch.landmarks, SIDE, scheme.config.components)  # type: ignore[arg-type]
    index = torch.arange(len(gt)).view(-1, 1, 1).expand(-1, 3, 1)
    rows = torch.cat((index, boxes), 2).transpose(0, 1)

    def cut(images: Tensor) -> list[Tensor]:
        ratio = SIDE / 512
        return [roi_align(images, rows[i], int(side * ratio)) * ratio for i, side in enumerate((80, 80, 120))]

    out, rgbs = g.bare(lq)
    loss = 0.1 * F.l1_loss(out, gt)
    for image in rgbs:
        level = gt
        while level.shape[-1] > image.shape[-1]:
            level = F.avg_pool2d(level, 2)  # bilinear halves of even sides
        loss = loss + F.l1_loss(image, level)
    assert scheme.perceptual is not None
    features = scheme.perceptual.features
    for name, of_gt in features(gt).items():
        of_out = features(out)[name]
        loss = loss + 0.1 * F.l1_loss(of_out, of_gt) + 50 * 0.1 * F.l1_loss(gram(of_out), gram(of_gt))
    loss = loss + 0.1 * F.softplus(-d.bare(out)).mean()
    for name, fake, real in zip(NAMES, cut(out), cut(gt), strict=True):
        scores, feats = parts.bare.get_submodule(name)(fake, return_feats=True)
        _, known = parts.bare.get_submodule(name)(real, return_feats=True)
        loss = loss + F.softplus(-scores).mean()
        for weight, a, b in zip((0.5, 1.0), feats, known, strict=True):
            loss = loss + 200 * weight * F.l1_loss(gram(a), gram(b).detach())
    adam(g.bare, loss, (0.0, 0.99))

    d_loss = F.softplus(-d.bare(gt)).mean() + F.softplus(d.bare(out.detach())).mean()
    real = gt.clone().requires_grad_()
    (slope,) = torch.autograd.grad(d.bare(real).sum(), real, create_graph=True)
    d_loss = d_loss + 10 / 2 * slope.square().sum((1, 2, 3)).mean() * 2
    adam(d.bare, d_loss, (0.0, 0.990586))
    c_loss = torch.zeros(())
    for name, fake, real in zip(NAMES, cut(out.detach()), cut(gt), strict=True):
        net = parts.bare.get_submodule(name)
        c_loss = c_loss + F.softplus(-net(real)[0]).mean() + F.softplus(net(fake)[0]).mean()
    adam(parts.bare, c_loss, (0.9, 0.99))


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("mixing", [0.0, 1.0])
def test_stylegan2(mixing: float) -> None:
    """Both games and both regularisers, written down once more with torch's own functions."""
    text = TINY_STYLEGAN2.replace("mixing: 0.5", f"mixing: {mixing}").replace("every: 3}\npath", "every: 2}\npath")
    scheme, by_hand, batch = make_stylegan2(text, "64-true"), make_stylegan2(text, "64-true"), pictures()
    torch.manual_seed(3)
    totals = scheme.step([batch], 1)
    assert totals.keys() == {"d_real", "d_fake", "d_r1", "gan", "path"}
    torch.manual_seed(3)
    mean = _stylegan2_step(by_hand, batch.gt * 2 - 1, two=mixing > 0)
    assert scheme.path_mean.item() == pytest.approx(mean, rel=1e-12)
    _same(scheme, by_hand)


def _stylegan2_step(scheme: StyleGAN2, real: Tensor, *, two: bool) -> float:
    g, d = (scheme.trained[name].bare for name in ("generator", "discriminator"))

    def codes(count: int) -> list[Tensor]:
        torch.rand(())
        return list(torch.randn(2 if two else 1, count, 16).unbind(0))

    fake = g(codes(4))[0].detach()
    d_loss = F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()
    images = real.clone().requires_grad_()
    (slope,) = torch.autograd.grad(d(images).sum(), images, create_graph=True)
    adam(d, d_loss + 10 / 2 * slope.square().sum((1, 2, 3)).mean() * 2, (0.0, 0.990586))
    d.requires_grad_(False)
    made, latents = g(codes(2), return_latents=True)
    noise = torch.randn_like(made) / SIDE
    (slope,) = torch.autograd.grad((made * noise).sum(), latents, create_graph=True)
    lengths = slope.square().sum(2).mean(1).sqrt()
    mean = 0.01 * lengths.mean()  # of a running mean that begins at 0
    loss = F.softplus(-d(g(codes(4))[0])).mean()
    adam(g, loss + 2 * 2 * (lengths - mean).square().mean(), (0.0, 0.991992))
    return mean.item()


def adam(net: torch.nn.Module, loss: Tensor, betas: tuple[float, float]) -> None:
    moving = [p for p in net.parameters() if p.requires_grad]
    for parameter, grad in zip(moving, torch.autograd.grad(loss, moving), strict=True):
        parameter.grad = grad
    torch.optim.Adam(moving, lr=2e-3, betas=betas).step()


def _same(scheme: Scheme, by_hand: Scheme) -> None:
    """Gradients and weights after the step."""
    for name, trained in scheme.trained.items():
        expected = dict(by_hand.trained[name].bare.named_parameters())
        for key, value in trained.bare.named_parameters():
            if (wanted := expected[key].grad) is None:
                assert not value.requires_grad
                continue
            assert value.grad is not None
            assert (value.grad - wanted).abs().max() <= 1e-9 * wanted.abs().max() + 1e-15, (name, key)
            assert (value - expected[key]).abs().max() <= 1e-9, (name, key)
