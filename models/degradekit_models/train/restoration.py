"""Restoration from pairs: pixel, feature and adversarial terms, as SRGAN to BasicVSR++ are trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from lightning.fabric import Fabric
from torch import Tensor

from degradekit_models.losses.adversarial import (
    adversarial,
    plain_discriminator,
    relativistic_discriminator,
    relativistic_generator,
)
from degradekit_models.train.config import RestorationConfig
from degradekit_models.train.networks import Trained, make_network, perceptual_loss
from degradekit_models.train.scheme import Pairs, Scheme, pixel_loss
from degradekit_models.train.sharpen import sharpen

__all__ = ["Restoration"]


class Restoration(Scheme):
    """A generator, for GAN training a discriminator, and how a step moves them.

    Args: as `schemes.make_scheme`.
    """

    config: RestorationConfig

    def __init__(self, config: RestorationConfig, fabric: Fabric, *, allow_random_init: bool = False) -> None:
        with fabric.init_module():
            generator = make_network(config.generator, allow_random_init=allow_random_init)
        trained = {"generator": Trained(fabric, generator, config.optimizer)}
        if config.discriminator is not None:
            with fabric.init_module():
                net = make_network(config.discriminator)
            trained["discriminator"] = Trained(fabric, net, config.discriminator_optimizer or config.optimizer)
        self.discriminator = trained.get("discriminator")
        self.perceptual = None
        if config.perceptual is not None:
            self.perceptual = perceptual_loss(config.perceptual, fabric, allow_random_init=allow_random_init)
        super().__init__(config, fabric, trained)

    def _move(self, batches: Sequence[Pairs], number: int, totals: dict[str, float]) -> None:
        self._freeze(number)
        term = self.config.adversarial
        trains_generator = term is None or number >= term.start
        fakes: list[Tensor] = []
        if self.discriminator is not None:
            self.discriminator.bare.requires_grad_(False)
        self.generator.optimizer.zero_grad()
        for i, pairs in enumerate(batches):
            with self.generator.gathering(last=i == len(batches) - 1):
                fake, further = self._restored(pairs)
                fakes.append(fake.detach())
                if trains_generator:
                    self._backward(self._generator_losses(fake, pairs) | further, len(batches), totals)
        if trains_generator:
            self.generator.move(clip=self.config.clip_gradients)
        if self.discriminator is not None:
            self._discriminator_step(self.discriminator, batches, fakes, totals)

    def _restored(self, pairs: Pairs) -> tuple[Tensor, dict[str, Tensor]]:
        """What the generator makes of the LQs, and terms of what it did on the way."""
        return self.generator(pairs.lq), {}

    def _generator_losses(self, fake: Tensor, pairs: Pairs) -> dict[str, Tensor]:
        config, flags = self.config, self.config.sharpen
        gt = target_of(fake, pairs.gt)
        sharp = sharpen(_frames(gt)).view_as(gt) if flags.pixel or flags.perceptual or flags.adversarial else gt
        losses: dict[str, Tensor] = {}
        if config.pixel is not None:
            losses["pixel"] = pixel_loss(config.pixel, fake, sharp if flags.pixel else gt)
        if self.perceptual is not None:
            found = self.perceptual(_frames(fake), _frames(sharp if flags.perceptual else gt))
            losses |= {name: value for name, value in found._asdict().items() if value is not None}
        if config.adversarial is not None and self.discriminator is not None:
            scores, term = self.discriminator(_frames(fake)), config.adversarial
            if term.relativistic:
                real = self.discriminator(_frames(sharp if flags.adversarial else gt))
                losses["gan"] = term.weight * relativistic_generator(real, scores, kind=term.kind)
            else:
                losses["gan"] = term.weight * adversarial(scores, want_real=True, kind=term.kind)
        return losses

    def _discriminator_step(
        self, net: Trained, batches: Sequence[Pairs], fakes: Sequence[Tensor], totals: dict[str, float]
    ) -> None:
        term = self.config.adversarial
        assert term is not None
        loss = relativistic_discriminator if term.relativistic else plain_discriminator
        shown = ((self._real(fake, pairs), _frames(fake)) for pairs, fake in zip(batches, fakes, strict=True))
        self._teach(net, shown, len(batches), totals, loss=partial(loss, kind=term.kind))

    def _real(self, fake: Tensor, pairs: Pairs) -> Tensor:
        gt = _frames(target_of(fake, pairs.gt))
        return sharpen(gt) if self.config.sharpen.adversarial else gt

    def _freeze(self, number: int) -> None:
        if not self.config.freeze:
            return
        for name, parameter in self.generator.bare.named_parameters():
            parameter.requires_grad_(
                all(
                    number >= rule.until or any(text in name for text in rule.names) == rule.others
                    for rule in self.config.freeze
                )
            )


def target_of(out: Tensor, gt: Tensor) -> Tensor:
    """The GT, or of a clip its middle frame where the network restores one frame of a window."""
    return gt[:, gt.shape[1] // 2] if gt.ndim == 5 and out.ndim == 4 else gt


def _frames(images: Tensor) -> Tensor:
    """Frames of clips as images of one batch."""
    return images.flatten(0, 1) if images.ndim == 5 else images
