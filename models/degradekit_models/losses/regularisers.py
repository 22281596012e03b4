"""Regularisers of adversarial training: on gradients of the discriminator, and on the generator's smoothness."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["PathLength", "gradient_penalty", "path_length", "r1"]


class Discriminator(Protocol):
    """Scores images."""

    def __call__(self, images: Tensor, /) -> Tensor: ...


class PathLength(NamedTuple):
    """Penalty to add to the loss; mean length of this batch; running mean to pass in next time."""

    penalty: Tensor
    length: Tensor
    mean: Tensor


def r1(scores: Tensor, images: Tensor) -> Tensor:
    """Squared norm of the scores' gradient at real images, averaged over the batch.

    StyleGAN2 adds ``weight / 2 * r1 * every`` once in `every` steps.

    Args:
        scores: the discriminator's output for the images.
        images: real images ``[N,C,H,W]`` that require a gradient.

    Source:
        Mescheder et al., "Which training methods for GANs do actually converge?", ICML 2018, equation 9.

    Example:
        >>> import torch
        >>> x = torch.zeros(2, 1, 2, 2, requires_grad=True)
        >>> r1((3 * x).sum((1, 2, 3)), x).item()
        36.0
    """
    (grad,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return grad.pow(2).flatten(1).sum(1).mean()


def gradient_penalty(
    discriminator: Discriminator, real: Tensor, fake: Tensor, mix: Tensor, *, per_pixel: bool = False
) -> Tensor:
    """WGAN-GP: the discriminator's gradient between real and fake images should have norm 1.

    Args:
        discriminator: scores a batch of images.
        real: images ``[N,C,H,W]``.
        fake: of the same shape.
        mix: share of the real image in each mixture, ``[N,1,1,1]`` in [0, 1].
        per_pixel: take the norm over channels at each pixel, as BasicSR does, rather than over the image.

    Source:
        Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, equation 3.

    Example:
        >>> import torch
        >>> a = torch.zeros(2, 1, 2, 2)
        >>> gradient_penalty(lambda x: x.sum((1, 2, 3)), a, a + 1, torch.full((2, 1, 1, 1), 0.5)).item()
        1.0
    """
    mixed = (mix * real + (1.0 - mix) * fake).detach().requires_grad_()
    scores = discriminator(mixed)
    (grad,) = torch.autograd.grad(scores.sum(), mixed, create_graph=True)
    norms = grad.norm(2, dim=1) if per_pixel else grad.flatten(1).norm(2, dim=1)
    penalty: Tensor = ((norms - 1.0) ** 2).mean()
    return penalty


def path_length(images: Tensor, latents: Tensor, mean: Tensor, noise: Tensor, *, decay: float = 0.01) -> PathLength:
    """A step of fixed size in latent space should change the image by a fixed amount.

    Args:
        images: what the generator made of the latents, ``[N,C,H,W]``.
        latents: W+ codes ``[N,L,D]`` that require a gradient.
        mean: running mean of the lengths, a scalar.
        noise: standard normal field of the images' shape; scaled here by 1/sqrt(H W).
        decay: share of this batch in the running mean, which is updated before the penalty is taken.

    Source:
        Karras et al., "Analyzing and improving the image quality of StyleGAN", CVPR 2020, equation 4.

    Example:
        >>> import torch
        >>> w = torch.zeros(1, 1, 4, requires_grad=True)
        >>> found = path_length(2 * w.view(1, 1, 2, 2), w, torch.tensor(2.0), torch.ones(1, 1, 2, 2))
        >>> found.length.item(), found.penalty.item()
        (2.0, 0.0)
    """
    h, w = images.shape[-2:]
    (grad,) = torch.autograd.grad((images * noise / (h * w) ** 0.5).sum(), latents, create_graph=True)
    lengths = grad.pow(2).sum(2).mean(1).sqrt()
    moved = mean + decay * (lengths.mean() - mean)
    return PathLength((lengths - moved).pow(2).mean(), lengths.detach().mean(), moved.detach())
