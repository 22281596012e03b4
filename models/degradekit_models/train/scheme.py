"""One optimiser step: losses on a batch, gradients, and the networks that move."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from degradekit_models import build
from degradekit_models.archs import ARCHS
from degradekit_models.checkpoints import load_weights, read_checkpoint
from degradekit_models.errors import ModelError
from degradekit_models.losses.adversarial import (
    adversarial,
    plain_discriminator,
    relativistic_discriminator,
    relativistic_generator,
)
from degradekit_models.losses.perceptual import PerceptualLoss
from degradekit_models.losses.pixel import charbonnier, l1, mse
from degradekit_models.train.average import Average
from degradekit_models.train.config import Config, Network, Optimizer
from degradekit_models.train.sharpen import sharpen

__all__ = ["Pairs", "Scheme", "make_network"]

PIXEL: Mapping[str, Callable[..., Tensor]] = {"l1": l1, "mse": mse, "charbonnier": charbonnier}


class Pairs(NamedTuple):
    """A micro-batch on the device: images ``[N,3,h,w]``, of clips ``[N,T,3,h,w]``, in [0, 1]."""

    lq: Tensor
    gt: Tensor


class Scheme:
    """A generator, for GAN training a discriminator, their optimisers, and how a step moves them.

    Args:
        config: The run.
        fabric: Device, precision and processes.
        allow_random_init: Begin without the trained parts that the config leaves open, instead of refusing.

    Raises:
        ModelError: A network or a weight file is wrong or missing.
    """

    def __init__(self, config: Config, fabric: Fabric, *, allow_random_init: bool = False) -> None:
        self.config, self.fabric = config, fabric
        with fabric.init_module():
            generator = make_network(config.generator, allow_random_init=allow_random_init)
        self.generator, self.generator_optimizer = _set_up(fabric, generator, config.optimizer)
        self.discriminator: nn.Module | None = None
        if config.discriminator is not None:
            with fabric.init_module():
                net = make_network(config.discriminator)
            options = config.discriminator_optimizer or config.optimizer
            self.discriminator, self.discriminator_optimizer = _set_up(fabric, net, options)
        self.perceptual = _perceptual(config, fabric, allow_random_init=allow_random_init)
        self.average = Average(self.bare_generator, config.ema) if config.ema else None

    @property
    def bare_generator(self) -> nn.Module:
        """The generator without what Fabric wraps around it."""
        net: nn.Module = getattr(self.generator, "module", self.generator)
        return net

    def step(self, batches: Sequence[Pairs], number: int) -> dict[str, float]:
        """Move the networks once.

        Args:
            batches: The step's micro-batches on this rank.
            number: Of the step, from 0.

        Returns:
            Every term of the losses, weighted as it counts, averaged over the micro-batches.

        Raises:
            ModelError: A term is not finite; no weight has moved.
        """
        self._set_rates(number)
        self._freeze(number)
        term = self.config.adversarial
        trains_generator = term is None or number >= term.start
        fakes: list[Tensor] = []
        totals: dict[str, float] = {}
        if self.discriminator is not None:
            self.discriminator.requires_grad_(False)
        self.generator_optimizer.zero_grad()
        for i, pairs in enumerate(batches):
            with self._sync(self.generator, last=i == len(batches) - 1):
                fake = self.generator(pairs.lq)
                fakes.append(fake.detach())
                if trains_generator:
                    losses = self._generator_losses(fake, pairs)
                    self._backward(losses, len(batches), totals)
        if trains_generator:
            if self.config.clip_gradients is not None:
                self.fabric.clip_gradients(
                    self.generator, self.generator_optimizer, max_norm=self.config.clip_gradients
                )
            self.generator_optimizer.step()
        if self.discriminator is not None:
            self._discriminator_step(self.discriminator, batches, fakes, totals)
        if self.average is not None:
            self.average.update(self.bare_generator)
        return totals

    def _generator_losses(self, fake: Tensor, pairs: Pairs) -> dict[str, Tensor]:
        config, flags = self.config, self.config.sharpen
        gt = target_of(fake, pairs.gt)
        sharp = sharpen(_frames(gt)).view_as(gt) if flags.pixel or flags.perceptual or flags.adversarial else gt
        losses: dict[str, Tensor] = {}
        if config.pixel is not None:
            distance = PIXEL[config.pixel.kind]
            target = sharp if flags.pixel else gt
            losses["pixel"] = config.pixel.weight * distance(fake, target, reduction=config.pixel.reduction)
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
        self, net: nn.Module, batches: Sequence[Pairs], fakes: Sequence[Tensor], totals: dict[str, float]
    ) -> None:
        term = self.config.adversarial
        assert term is not None
        net.requires_grad_(True)
        self.discriminator_optimizer.zero_grad()
        for i, (pairs, fake) in enumerate(zip(batches, fakes, strict=True)):
            gt = target_of(fake, pairs.gt)
            real = sharpen(_frames(gt)) if self.config.sharpen.adversarial else _frames(gt)
            with self._sync(net, last=i == len(batches) - 1):
                on_real, on_fake = net(real), net(_frames(fake))
                loss = relativistic_discriminator if term.relativistic else plain_discriminator
                halves = loss(on_real, on_fake, kind=term.kind)
                self._backward({"d_real": halves.real, "d_fake": halves.fake}, len(batches), totals)
        self.discriminator_optimizer.step()

    def _backward(self, losses: Mapping[str, Tensor], parts: int, totals: dict[str, float]) -> None:
        for name, loss in losses.items():
            value = float(loss.detach())
            if not math.isfinite(value):
                raise ModelError(f"the loss {name!r} is {value}")
            totals[name] = totals.get(name, 0.0) + value / parts
        self.fabric.backward(torch.stack(list(losses.values())).sum() / parts)

    def _sync(self, net: nn.Module, *, last: bool) -> Any:
        """Gradients travel between ranks with the last micro-batch only."""
        return nullcontext() if last else self.fabric.no_backward_sync(net)  # type: ignore[arg-type]

    def _set_rates(self, number: int) -> None:
        optimizers = [self.generator_optimizer]
        optimizers += [self.discriminator_optimizer] if self.discriminator is not None else []
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.config.schedule.rate(group["base_lr"], number)

    def _freeze(self, number: int) -> None:
        if not self.config.freeze:
            return
        for name, parameter in self.bare_generator.named_parameters():
            parameter.requires_grad_(
                all(
                    number >= rule.until or any(text in name for text in rule.names) == rule.others
                    for rule in self.config.freeze
                )
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything that a later step depends on, but for the data."""
        state: dict[str, Any] = {
            "generator": self.bare_generator.state_dict(),
            "generator_optimizer": self.generator_optimizer.state_dict(),
        }
        if self.discriminator is not None:
            net: nn.Module = getattr(self.discriminator, "module", self.discriminator)
            state["discriminator"] = net.state_dict()
            state["discriminator_optimizer"] = self.discriminator_optimizer.state_dict()
        if self.average is not None:
            state["average"] = self.average.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.bare_generator.load_state_dict(state["generator"])
        self.generator_optimizer.load_state_dict(state["generator_optimizer"])
        if self.discriminator is not None:
            net: nn.Module = getattr(self.discriminator, "module", self.discriminator)
            net.load_state_dict(state["discriminator"])
            self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def target_of(out: Tensor, gt: Tensor) -> Tensor:
    """The GT, or of a clip its middle frame where the network restores one frame of a window."""
    return gt[:, gt.shape[1] // 2] if gt.ndim == 5 and out.ndim == 4 else gt


def _frames(images: Tensor) -> Tensor:
    """Frames of clips as images of one batch."""
    return images.flatten(0, 1) if images.ndim == 5 else images


PARTS = {
    "spynet_path": "spynet_sintel_final-3d2a1287.pth",
    "edvr_path": "EDVR_REDS_pretrained_for_IconVSR or EDVR_Vimeo90K_pretrained_for_IconVSR",
}
"""Constructor arguments that name a trained part, and the published file of it."""


def make_network(network: Network, *, allow_random_init: bool = False) -> nn.Module:
    """Build a network and load its weights.

    Args:
        network: Which, and from what file.
        allow_random_init: Take trained parts that are left open as they are initialised, instead of refusing.

    Raises:
        ModelError: There is no such network, a trained part is missing, or a file does not fit.
    """
    if network.weights is None and not allow_random_init and network.arch in ARCHS:
        known = {**ARCHS[network.arch].arguments, **network.arguments}
        for name, file in PARTS.items():
            if name in known and known[name] is None:
                raise ModelError(
                    f"generator.arguments.{name} is missing: give {file}, or --allow-random-init to train it as well."
                )
    net = build(network.arch, **network.arguments)
    if network.weights is None:
        return net
    if network.strict:
        load_weights(net, network.weights)
        return net
    own = net.state_dict()
    tensors = read_checkpoint(network.weights).tensors
    fitting = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise ModelError(f"{network.weights}: not one tensor fits {network.arch}.")
    net.load_state_dict({**own, **fitting})
    return net


def _set_up(fabric: Fabric, net: nn.Module, options: Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        factor = next((factor for text, factor in options.lr_factors.items() if text in name), 1.0)
        groups.setdefault(factor, []).append(parameter)
    unused = [text for text in options.lr_factors if not any(text in name for name, _ in net.named_parameters())]
    if unused:
        raise ModelError(f"optimizer.lr_factors: no parameter's name contains {unused[0]!r}.")
    listed = [
        {"params": parameters, "lr": options.lr * factor, "base_lr": options.lr * factor}
        for factor, parameters in groups.items()
    ]
    optimizer = torch.optim.Adam(listed, lr=options.lr, betas=options.betas, weight_decay=options.weight_decay)
    made = fabric.setup(net, optimizer)
    return made[0], made[1]


def _perceptual(config: Config, fabric: Fabric, *, allow_random_init: bool) -> PerceptualLoss | None:
    term = config.perceptual
    if term is None:
        return None
    if term.vgg19 is None and not allow_random_init:
        raise ModelError(
            "perceptual.vgg19 is missing: give torchvision's vgg19-dcbb9e9d.pth (or any of its trained VGG19 files), "
            "or --allow-random-init to train against random features."
        )
    loss = PerceptualLoss(
        term.layers, criterion=term.criterion, perceptual_weight=term.weight, style_weight=term.style_weight
    )
    if term.vgg19 is not None:
        load_weights(loss.features, term.vgg19)
    return fabric.to_device(loss.eval())  # type: ignore[return-value]
