"""Adversarial losses: what a discriminator's scores mean for it and for the generator.

Scores are logits of any shape; ``want_real`` says what the party would like the scores to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from degradekit_models.errors import ModelError

__all__ = [
    "KINDS",
    "DiscriminatorLoss",
    "Kind",
    "adversarial",
    "plain_discriminator",
    "relativistic_discriminator",
    "relativistic_generator",
]

Kind = Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"]
KINDS: tuple[Kind, ...] = ("vanilla", "lsgan", "wgan", "wgan_softplus", "hinge")


class DiscriminatorLoss(NamedTuple):
    """The two halves of a discriminator's loss, which are stepped through one after the other."""

    real: Tensor
    fake: Tensor


def adversarial(
    scores: Tensor | Sequence[Tensor],
    *,
    want_real: bool,
    kind: Kind = "vanilla",
    discriminator: bool = False,
    labels: tuple[float, float] = (0.0, 1.0),
) -> Tensor:
    """How far a discriminator's scores are from what is wanted.

    Args:
        scores: logits of any shape, or one tensor a scale, whose losses are averaged.
        want_real: the scores should say "real"; for a generator's step on fakes this is True.
        kind: ``vanilla`` (binary cross entropy), ``lsgan`` (squares), ``wgan`` (means), ``wgan_softplus`` (logistic,
            StyleGAN2's), ``hinge``.
        discriminator: the loss trains the discriminator; only ``hinge`` tells the parties apart, and its generator
            loss is -mean(scores) whatever is wanted.
        labels: targets for fake and real of ``vanilla`` and ``lsgan``; (0.1, 0.9) smooths.

    Returns:
        A scalar, without any weight: by custom a weight multiplies the generator's term only.

    Raises:
        ModelError: An unknown kind.

    Source:
        Goodfellow et al. 2014; Mao et al. 2017 (LSGAN); Arjovsky et al. 2017 (WGAN); Lim & Ye 2017 (hinge);
        Karras et al. 2020 (logistic, non-saturating).

    Example:
        >>> import torch
        >>> round(adversarial(torch.zeros(2, 1, 4, 4), want_real=True).item(), 4)
        0.6931
    """
    if not isinstance(scores, Tensor):
        losses = [
            adversarial(s, want_real=want_real, kind=kind, discriminator=discriminator, labels=labels) for s in scores
        ]
        return torch.stack(losses).mean()
    sign = -1.0 if want_real else 1.0
    match kind:
        case "vanilla":
            return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, labels[want_real]))
        case "lsgan":
            return F.mse_loss(scores, torch.full_like(scores, labels[want_real]))
        case "wgan":
            return sign * scores.mean()
        case "wgan_softplus":
            return F.softplus(sign * scores).mean()
        case "hinge":
            return F.relu(1.0 + sign * scores).mean() if discriminator else -scores.mean()
    raise ModelError(f"GAN loss {kind!r} is unknown: choose {', '.join(KINDS)}.")


def plain_discriminator(real: Tensor, fake: Tensor, *, kind: Kind = "vanilla") -> DiscriminatorLoss:
    """Discriminator's loss in its two halves, where each score stands for itself.

    Args:
        real: scores of real images.
        fake: scores of generated images.
        kind: as in `adversarial`.
    """
    return DiscriminatorLoss(
        adversarial(real, want_real=True, kind=kind, discriminator=True),
        adversarial(fake, want_real=False, kind=kind, discriminator=True),
    )


def relativistic_generator(real: Tensor, fake: Tensor, *, kind: Kind = "vanilla") -> Tensor:
    """Generator's relativistic average loss: fakes should look more real than the average real.

    Args:
        real: scores of real images, detached here: the generator does not own them.
        fake: scores of generated images.
        kind: as in `adversarial`.

    Source:
        Jolicoeur-Martineau, "The relativistic discriminator", ICLR 2019; ESRGAN, ECCVW 2018, equation 2.

    Example:
        >>> import torch
        >>> scores = torch.tensor([[1.0], [1.0]])
        >>> round(relativistic_generator(scores, scores).item(), 4)
        0.6931
    """
    real = real.detach()
    first = adversarial(real - fake.mean(), want_real=False, kind=kind)
    return (first + adversarial(fake - real.mean(), want_real=True, kind=kind)) / 2


def relativistic_discriminator(real: Tensor, fake: Tensor, *, kind: Kind = "vanilla") -> DiscriminatorLoss:
    """Discriminator's relativistic average loss in its two halves, each against the other's detached mean.

    Args:
        real: scores of real images.
        fake: scores of generated images.
        kind: as in `adversarial`.

    Source:
        As `relativistic_generator`; equation 1 of ESRGAN.
    """
    first = adversarial(real - fake.detach().mean(), want_real=True, kind=kind, discriminator=True)
    second = adversarial(fake - real.detach().mean(), want_real=False, kind=kind, discriminator=True)
    return DiscriminatorLoss(first * 0.5, second * 0.5)
