"""Networks of a run: built with their weights, and in training with their optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn

from degradekit_models import build
from degradekit_models.archs import ARCHS
from degradekit_models.checkpoints import load_weights, read_checkpoint
from degradekit_models.errors import ModelError
from degradekit_models.losses.perceptual import PerceptualLoss
from degradekit_models.train.parts import IdentityTerm, Network, Optimizer, PerceptualTerm, Schedule

__all__ = ["Trained", "identity_network", "make_network", "perceptual_loss"]

PARTS = {
    "spynet_path": "spynet_sintel_final-3d2a1287.pth",
    "decoder_load_path": "StyleGAN2_512_Cmul1_FFHQ_B12G4_scratch_800k.pth, or another StyleGAN2 of this size",
    "edvr_path": "EDVR_REDS_pretrained_for_IconVSR or EDVR_Vimeo90K_pretrained_for_IconVSR",
}
"""Constructor arguments that name a trained part, and the published file of it."""


class Trained:
    """A network in training: wrapped by Fabric, with its optimiser.

    Args:
        fabric: Device, precision and processes.
        net: The network.
        options: Of the optimiser.

    Raises:
        ModelError: A factor on the rate is meant for no parameter.
    """

    def __init__(self, fabric: Fabric, net: nn.Module, options: Optimizer) -> None:
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
        adam = torch.optim.Adam(listed, lr=options.lr, betas=options.betas, weight_decay=options.weight_decay)
        made = fabric.setup(net, adam)
        self.fabric = fabric
        self.net: nn.Module = made[0]
        self.optimizer: torch.optim.Optimizer = made[1]

    def __call__(self, *args: Any, **options: Any) -> Any:
        """What the network returns; one that stands still gathers no gradients from other ranks."""
        if any(parameter.requires_grad for parameter in self.bare.parameters()):
            return self.net(*args, **options)
        with self.fabric.autocast():
            return self.fabric.strategy.precision.convert_output(self.bare(*args, **options))

    @property
    def bare(self) -> nn.Module:
        """The network without what Fabric wraps around it."""
        net: nn.Module = getattr(self.net, "module", self.net)
        return net

    def set_rates(self, schedule: Schedule, number: int) -> None:
        """Take the rates of a step."""
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.rate(group["base_lr"], number)

    def gathering(self, *, last: bool) -> Any:
        """While a micro-batch goes through: gradients travel between ranks with the last one only."""
        return nullcontext() if last else self.fabric.no_backward_sync(self.net)  # type: ignore[arg-type]

    def alone(self) -> Any:
        """While the bare network goes through for a gradient of a gradient, which no wrapper may come between.

        It is taken in full precision, and its gradients wait for a later `gathering`.
        """
        return self.gathering(last=False)

    def move(self, *, clip: float | None = None) -> None:
        """Step along the gradients, clipped to a norm if there is one.

        Raises:
            ModelError: A gradient is not finite. With 16-mixed the scaler leaves such a step out and lowers its scale.
        """
        if clip is not None:
            norm = self.fabric.clip_gradients(self.net, self.optimizer, max_norm=clip, error_if_nonfinite=False)
        else:
            norm = nn.utils.get_total_norm([p.grad for p in self.bare.parameters() if p.grad is not None])
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        if scaler is None and norm is not None and not norm.isfinite():
            raise ModelError(f"the norm of the gradients is {norm.item()}, though all losses are finite")
        self.optimizer.step()

    def state_dict(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of the network and of the optimiser."""
        return self.bare.state_dict(), self.optimizer.state_dict()

    def load_state_dict(self, net: Mapping[str, Any], optimizer: dict[str, Any]) -> None:
        """Go on from saved states."""
        self.bare.load_state_dict(net)
        self.optimizer.load_state_dict(optimizer)


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
                    f"generator.arguments.{name} is missing: give {file}, or --allow-random-init to begin without it."
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


def perceptual_loss(
    term: PerceptualTerm, fabric: Fabric, *, range_norm: bool = False, allow_random_init: bool = False
) -> PerceptualLoss:
    """The feature term on the device, frozen.

    Args:
        term: Which.
        fabric: Device and precision.
        range_norm: Images are in [-1, 1] rather than [0, 1].
        allow_random_init: Take random features where there is no file, instead of refusing.

    Raises:
        ModelError: The file is missing or does not fit.
    """
    if term.vgg19 is None and not allow_random_init:
        raise ModelError(
            "perceptual.vgg19 is missing: give torchvision's vgg19-dcbb9e9d.pth (or any of its trained VGG19 files), "
            "or --allow-random-init to train against random features."
        )
    loss = PerceptualLoss(
        term.layers,
        criterion=term.criterion,
        perceptual_weight=term.weight,
        style_weight=term.style_weight,
        range_norm=range_norm,
    )
    if term.vgg19 is not None:
        load_weights(loss.features, term.vgg19)
    return fabric.to_device(loss.eval())  # type: ignore[return-value]


def identity_network(term: IdentityTerm, fabric: Fabric, *, allow_random_init: bool = False) -> nn.Module:
    """ArcFace on the device, frozen; arguments as `perceptual_loss`.

    Raises:
        ModelError: The file is missing or does not fit.
    """
    if term.arcface is None and not allow_random_init:
        raise ModelError(
            "identity.arcface is missing: give GFPGAN's arcface_resnet18.pth, or --allow-random-init to train against "
            "a random network."
        )
    net = build("resnet_arcface18")
    if term.arcface is not None:
        load_weights(net, term.arcface)
    return fabric.to_device(net.eval().requires_grad_(False))
