"""StyleGAN2: pictures out of random codes, with lazy regularisation of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from degradekit_models.archs.stylegan2 import (
    StyleGAN2Generator,
    StyleGAN2GeneratorBilinear,
    StyleGAN2GeneratorClean,
)
from degradekit_models.errors import ModelError
from degradekit_models.losses.adversarial import adversarial, plain_discriminator
from degradekit_models.losses.regularisers import PathLength, path_length
from degradekit_models.train.config import StyleGAN2Config
from degradekit_models.train.networks import Trained, make_network
from degradekit_models.train.parts import PathLengthTerm
from degradekit_models.train.scheme import Pairs, Scheme
from degradekit_models.train.validate import Score, write_png

__all__ = ["StyleGAN2"]


class StyleGAN2(Scheme):
    """StyleGAN2's generator and discriminator; see `config.StyleGAN2Config` for the terms.

    Codes and noise come from torch's generator, which the loop seeds at every step.

    Args: as `schemes.make_scheme`.

    Source:
        Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, sections 3.1 and 3.2.
    """

    config: StyleGAN2Config

    def __init__(self, config: StyleGAN2Config, fabric: Fabric, *, allow_random_init: bool = False) -> None:
        with fabric.init_module():
            generator = make_network(config.generator, allow_random_init=allow_random_init)
            adversary = make_network(config.discriminator)
        if not isinstance(generator, StyleGAN2Generator | StyleGAN2GeneratorBilinear | StyleGAN2GeneratorClean):
            raise ModelError(f"generator.arch {config.generator.arch} makes no pictures of codes: give a StyleGAN2.")
        self.code_length: int = generator.num_style_feat
        trained = {
            "generator": Trained(fabric, generator, config.optimizer),
            "discriminator": Trained(fabric, adversary, config.discriminator_optimizer or config.optimizer),
        }
        self.path_mean = torch.zeros((), device=fabric.device)
        super().__init__(config, fabric, trained)

    def _move(self, batches: Sequence[Pairs], number: int, totals: dict[str, float]) -> None:
        config, generator, adversary = self.config, self.generator, self.trained["discriminator"]
        r1, path, count = config.r1, config.path_length, len(batches)
        self._teach(
            adversary,
            self._shown(batches),
            count,
            totals,
            loss=partial(plain_discriminator, kind=config.adversarial.kind),
            r1_weight=r1.strength(number) / 2 if r1 is not None else 0.0,
        )
        adversary.bare.requires_grad_(False)
        generator.optimizer.zero_grad()
        means: list[Tensor] = []
        for i, pairs in enumerate(batches):
            if path is not None and (strength := path.strength(number)):
                with generator.alone():
                    found = self._path_length(path, len(pairs.gt))
                    self._backward({"path": strength * found.penalty}, count, totals)
                    means.append(found.mean)
            with generator.gathering(last=i == count - 1):
                fake, _ = generator(self._codes(len(pairs.gt)))
                game = adversarial(adversary(fake), want_real=True, kind=config.adversarial.kind)
                self._backward({"gan": config.adversarial.weight * game}, count, totals)
        if means:
            mean = torch.stack(means).mean()
            self.path_mean = self.fabric.all_reduce(mean, reduce_op="mean")  # type: ignore[assignment]
        generator.move(clip=config.clip_gradients)

    def _shown(self, batches: Sequence[Pairs]) -> Iterator[tuple[Tensor, Tensor]]:
        for pairs in batches:
            with torch.no_grad():
                fake, _ = self.generator(self._codes(len(pairs.gt)))
            yield pairs.gt * 2 - 1, fake

    def _codes(self, count: int) -> list[Tensor]:
        """One code a picture, or two to be mixed."""
        several = 2 if float(torch.rand(())) < self.config.mixing else 1
        codes = torch.randn(several, count, self.code_length, device=self.fabric.device)
        return list(codes.unbind(0))

    def _path_length(self, term: PathLengthTerm, count: int) -> PathLength:
        images, latents = self.generator.bare(self._codes(max(1, count // term.shrink)), return_latents=True)
        return path_length(images, latents, self.path_mean, torch.randn_like(images), decay=term.decay)

    def validate(self, places: Sequence[str], pictures: Path | None, *, scale: int) -> dict[str, Score]:
        """Pictures of the same codes every time; there is nothing to compare them with."""
        count = self.config.validation.pictures
        if pictures is None or count == 0 or self.fabric.global_rank > 0:
            return {}
        net, device = self.averaged(), self.fabric.device
        drawn = torch.Generator().manual_seed(self.config.seed)
        codes = torch.randn(count, self.code_length, generator=drawn).to(device)
        with torch.inference_mode():
            images, _ = net([codes], randomize_noise=False)
        row = torch.cat(tuple(images), dim=2).clamp(-1, 1)
        levels = ((row + 1) * 127.5).round().byte().movedim(0, -1).cpu().numpy()
        write_png(pictures / "samples.png", levels)
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Everything that a later step depends on, but for the data."""
        return super().state_dict() | {"path_mean": self.path_mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        self.path_mean = state["path_mean"].to(self.fabric.device)
