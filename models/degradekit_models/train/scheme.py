"""What every scheme shares: networks that are moved step by step, their average, and the state of it all."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from degradekit_models.data import validation_pairs
from degradekit_models.errors import ModelError
from degradekit_models.losses.adversarial import DiscriminatorLoss
from degradekit_models.losses.pixel import DISTANCES
from degradekit_models.losses.regularisers import r1
from degradekit_models.train.average import Average
from degradekit_models.train.config import Config
from degradekit_models.train.networks import Trained
from degradekit_models.train.parts import PixelTerm
from degradekit_models.train.validate import Restore, Score, restorer, validate

__all__ = ["Pairs", "Scheme", "pixel_loss"]


class Pairs(NamedTuple):
    """A micro-batch on the device.

    Args:
        lq: Images ``[N,3,h,w]``, of clips ``[N,T,3,h,w]``, in [0, 1].
        gt: Likewise.
        landmarks: Of each face ``[5 or 68,2]``, (x, y) in px of its GT, on the CPU; where the config asks for them.
    """

    lq: Tensor
    gt: Tensor
    landmarks: tuple[Tensor, ...] = ()


class Scheme(ABC):
    """Networks in training, and how a step moves them.

    Args:
        config: The run.
        fabric: Device, precision and processes.
        trained: Every network that moves, by the name its state is saved under; the first is the ``generator``.
    """

    config: Config

    def __init__(self, config: Config, fabric: Fabric, trained: Mapping[str, Trained]) -> None:
        self.config, self.fabric = config, fabric
        self.trained = dict(trained)
        self.generator = trained["generator"]
        self.average = Average(self.generator.bare, config.ema) if config.ema else None

    @property
    def rate(self) -> float:
        """The generator's rate at the last step."""
        return float(self.generator.optimizer.param_groups[0]["lr"])

    def step(self, batches: Sequence[Pairs], number: int) -> dict[str, float]:
        """Move the networks once.

        Args:
            batches: The step's micro-batches on this rank.
            number: Of the step, from 0.

        Returns:
            Every term of the losses, weighted as it counts, averaged over micro-batches and ranks.

        Raises:
            ModelError: A term or a gradient is not finite, on all ranks alike; the network in question has not moved.
        """
        for trained in self.trained.values():
            trained.set_rates(self.config.schedule, number)
        totals: dict[str, float] = {}
        self._move(batches, number, totals)
        if self.average is not None:
            self.average.update(self.generator.bare)
        return totals

    @abstractmethod
    def _move(self, batches: Sequence[Pairs], number: int, totals: dict[str, float]) -> None:
        """Move every network once; `_backward` writes down the terms."""

    def _backward(self, losses: Mapping[str, Tensor], parts: int, totals: dict[str, float]) -> None:
        own = torch.stack([loss.detach().float() for loss in losses.values()])
        means = self.fabric.all_reduce(own.clone())
        for name, here, value in zip(losses, own.tolist(), means.tolist(), strict=True):  # type: ignore[union-attr]
            if not math.isfinite(value):
                elsewhere = " on another rank" if math.isfinite(here) else ""
                raise ModelError(f"the loss {name!r} is {value}{elsewhere}")
            totals[name] = totals.get(name, 0.0) + value / parts
        self.fabric.backward(torch.stack(list(losses.values())).sum() / parts)

    def _teach(
        self,
        net: Trained,
        shown: Iterable[tuple[Any, Any]],
        parts: int,
        totals: dict[str, float],
        *,
        loss: Callable[[Any, Any], DiscriminatorLoss],
        name: str = "d",
        r1_weight: float = 0.0,
    ) -> None:
        """Move a discriminator once.

        Args:
            net: The discriminator; afterwards its parameters want gradients.
            shown: Real and generated images of each micro-batch.
            parts: How many micro-batches.
            totals: Terms are added here.
            loss: Of its outputs for both.
            name: What its terms are called.
            r1_weight: On the squared gradient at real images; 0 leaves it out.
        """
        net.bare.requires_grad_(True)
        net.optimizer.zero_grad()
        for i, (real, fake) in enumerate(shown):
            if r1_weight:
                with net.alone():
                    images = real.detach().requires_grad_()
                    self._backward({f"{name}_r1": r1_weight * r1(net.bare(images), images)}, parts, totals)
            with net.gathering(last=i == parts - 1):
                halves = loss(net(real), net(fake))
                self._backward({f"{name}_real": halves.real, f"{name}_fake": halves.fake}, parts, totals)
        net.move()

    def averaged(self) -> nn.Module:
        """A copy of the generator with the averaged weights where there are some, in evaluation mode."""
        net = copy.deepcopy(self.generator.bare)
        if self.average is not None:
            net.load_state_dict(self.average.state_dict())
        return net.eval()

    def restore(self) -> Restore:
        """How `averaged` restores the LQ of a pair."""
        return restorer(self.averaged(), str(self.fabric.device))

    def validate(self, places: Sequence[str], pictures: Path | None, *, scale: int) -> dict[str, Score]:
        """Scores on datasets, and pictures of the first pairs; every rank restores its share and has all scores.

        Args:
            places: Datasets.
            pictures: Folder for the pictures of this step; None writes none.
            scale: GT side / LQ side.
        """
        if not places:
            return {}
        options, restore = self.config.validation, self.restore()
        return {
            place: validate(
                restore,
                validation_pairs(place, options.pairs, rank=self.fabric.global_rank, ranks=self.fabric.world_size),
                total=partial(self.fabric.all_reduce, reduce_op="sum"),
                crop=scale if options.crop_border is None else options.crop_border,
                luma=options.luma,
                pictures=None if pictures is None else pictures / Path(place).name,
                count=options.pictures,
            )
            for place in places
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that a later step depends on, but for the data."""
        state: dict[str, Any] = {}
        for name, trained in self.trained.items():
            state[name], state[f"{name}_optimizer"] = trained.state_dict()
        if self.average is not None:
            state["average"] = self.average.state_dict()
        state["precision"] = self.fabric.strategy.precision.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        for name, trained in self.trained.items():
            trained.load_state_dict(state[name], state[f"{name}_optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])


def pixel_loss(term: PixelTerm, fake: Tensor, target: Tensor) -> Tensor:
    """The weighted pixel term; a sum over pixels is the mean over images, so that micro-batches and ranks add up."""
    share = 1 / len(fake) if term.reduction == "sum" else 1.0
    return term.weight * share * DISTANCES[term.kind](fake, target, reduction=term.reduction)
