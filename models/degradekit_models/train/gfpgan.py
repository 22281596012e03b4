"""GFPGAN: a U-Net learns to steer a frozen StyleGAN2, judged as a whole, by eyes and mouth, and by identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from degradekit_models.archs.facial_component_discriminator import FacialComponentDiscriminator
from degradekit_models.errors import ModelError
from degradekit_models.losses.adversarial import DiscriminatorLoss, adversarial, plain_discriminator
from degradekit_models.losses.faces import (
    Components,
    component_boxes,
    component_style,
    crop_components,
    identity_input,
    locate_components,
    pyramid,
)
from degradekit_models.restore.faces import face_network
from degradekit_models.restore.pictures import Array
from degradekit_models.restore.traits import FACE_NETWORKS
from degradekit_models.train.config import GFPGANConfig
from degradekit_models.train.networks import Trained, identity_network, make_network, perceptual_loss
from degradekit_models.train.parts import ComponentsTerm
from degradekit_models.train.scheme import Pairs, Scheme, pixel_loss
from degradekit_models.train.validate import Restore

__all__ = ["GFPGAN", "ComponentDiscriminators"]

FADED = 1e-12
"""Weight of the pyramid once it no longer counts: its layers keep a gradient, as data-parallel training wants."""
Judged = tuple[Tensor, list[Tensor]]
"""Scores of a component, and features where they were asked for."""


class Faces(NamedTuple):
    """A micro-batch in [-1, 1], the boxes of eyes and mouth, and what is in them in the GT."""

    lq: Tensor
    gt: Tensor
    boxes: Components | None
    parts: Components | None


class ComponentDiscriminators(nn.Module):
    """One discriminator for each eye and one for the mouth.

    Shape:
        `Components` of crops -> their scores and, on request, features.

    Source:
        Wang et al., "GFPGAN", CVPR 2021, section 3.4.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_eye = FacialComponentDiscriminator()
        self.right_eye = FacialComponentDiscriminator()
        self.mouth = FacialComponentDiscriminator()

    def forward(self, crops: Components, *, features: bool = False) -> dict[str, Judged]:
        """Scores eyes and mouths."""
        return {name: self.get_submodule(name)(crop, return_feats=features) for name, crop in crops._asdict().items()}


class GFPGAN(Scheme):
    """GFPGAN with the discriminators of faces and of their parts; see `config.GFPGANConfig` for the terms.

    Args: as `schemes.make_scheme`.

    Source:
        Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021, section 3;
        weights, order of the terms and what is drawn when as in the published training options.
    """

    config: GFPGANConfig

    def __init__(self, config: GFPGANConfig, fabric: Fabric, *, allow_random_init: bool = False) -> None:
        with fabric.init_module():
            generator = make_network(config.generator, allow_random_init=allow_random_init)
            adversary = make_network(config.discriminator)
        if not isinstance(generator, FACE_NETWORKS):
            raise ModelError(f"generator.arch {config.generator.arch} is no GFPGAN: give gfpganv1_original or another.")
        trained = {
            "generator": Trained(fabric, generator, config.optimizer),
            "discriminator": Trained(fabric, adversary, config.discriminator_optimizer or config.optimizer),
        }
        if config.components is not None:
            with fabric.init_module():
                parts = ComponentDiscriminators()
            trained["components"] = Trained(fabric, parts, config.components.optimizer)
        self.size: int = generator.out_size
        self.perceptual = self.identity = None
        if config.perceptual is not None:
            self.perceptual = perceptual_loss(
                config.perceptual, fabric, range_norm=True, allow_random_init=allow_random_init
            )
        if config.identity is not None:
            self.identity = identity_network(config.identity, fabric, allow_random_init=allow_random_init)
        super().__init__(config, fabric, trained)

    def _move(self, batches: Sequence[Pairs], number: int, totals: dict[str, float]) -> None:
        generator, adversary, parts = self.generator, self.trained["discriminator"], self.trained.get("components")
        adversary.bare.requires_grad_(False)
        if parts is not None:
            parts.bare.requires_grad_(False)
        count, faces, fakes = len(batches), [self._faces(pairs) for pairs in batches], list[Tensor]()
        generator.optimizer.zero_grad()
        for i, face in enumerate(faces):
            with generator.gathering(last=i == count - 1):
                fake, images = generator(face.lq, return_rgb=self.config.pyramid is not None)
                fakes.append(fake.detach())
                self._backward(self._losses(fake, images, face, number), count, totals)
        generator.move(clip=self.config.clip_gradients)

        kind, r1 = self.config.adversarial.kind, self.config.r1
        self._teach(
            adversary,
            zip((face.gt for face in faces), fakes, strict=True),
            count,
            totals,
            loss=partial(plain_discriminator, kind=kind),
            r1_weight=r1.strength(number) / 2 if r1 is not None else 0.0,
        )
        if parts is not None:
            self._teach(parts, _crops(faces, fakes), count, totals, loss=_components_loss, name="d_components")

    def _faces(self, pairs: Pairs) -> Faces:
        lq, gt = pairs.lq * 2 - 1, pairs.gt * 2 - 1
        if self.config.components is None:
            return Faces(lq, gt, None, None)
        boxes = boxes_of(pairs.landmarks, gt.shape[-1], self.config.components).to(gt.device)
        stacked = Components(*boxes.unbind(1))
        return Faces(lq, gt, stacked, crop_components(gt, stacked))

    def _losses(self, fake: Tensor, images: Sequence[Tensor], face: Faces, number: int) -> dict[str, Tensor]:
        config, gt = self.config, face.gt
        losses: dict[str, Tensor] = {}
        if config.pixel is not None:
            losses["pixel"] = pixel_loss(config.pixel, fake, gt)
        if config.pyramid is not None:
            counts = config.pyramid.until is None or number < config.pyramid.until
            levels = [F.l1_loss(image, level) for image, level in zip(images, pyramid(gt), strict=True)]
            losses["pyramid"] = (config.pyramid.weight if counts else FADED) * torch.stack(levels).sum()
        if self.perceptual is not None:
            found = self.perceptual(fake, gt)
            losses |= {name: value for name, value in found._asdict().items() if value is not None}
        scores = self.trained["discriminator"](fake)
        losses["gan"] = config.adversarial.weight * adversarial(scores, want_real=True, kind=config.adversarial.kind)
        if config.components is not None:
            losses |= self._component_losses(fake, face, config.components)
        if config.identity is not None and self.identity is not None:
            with torch.no_grad():
                known = self.identity(identity_input(gt))
            losses["identity"] = config.identity.weight * F.l1_loss(self.identity(identity_input(fake)), known)
        return losses

    def _component_losses(self, fake: Tensor, face: Faces, term: ComponentsTerm) -> dict[str, Tensor]:
        assert face.boxes is not None
        net, styled = self.trained["components"], term.style_weight > 0
        judged: Mapping[str, Judged] = net(crop_components(fake, face.boxes), features=styled)
        games = {name: adversarial(scores, want_real=True) for name, (scores, _) in judged.items()}
        losses = {f"gan_{name}": term.weight * game for name, game in games.items()}
        if styled:
            real: Mapping[str, Judged] = net(face.parts, features=True)
            distances = [component_style(feats, real[name][1]) for name, (_, feats) in judged.items()]
            losses["component_style"] = term.style_weight * torch.stack(distances).sum()
        return losses

    def restore(self) -> Restore:
        """How `averaged` restores faces."""
        restore = face_network(self.averaged(), self.fabric.device, side=self.size)

        def frames(clip: Array) -> Array:
            faces = [restore(frame.astype(np.float32) / np.iinfo(clip.dtype).max) for frame in clip]
            levels: Array = np.rint(np.stack(faces) * 255).astype(np.uint8)
            return levels

        return frames


def boxes_of(landmarks: Sequence[Tensor], size: int, term: ComponentsTerm) -> Tensor:
    """Boxes of left eye, right eye and mouth ``[N,3,4]`` in px of faces of a size."""
    found = [locate_components(points, size=size) for points in landmarks]
    boxes = [component_boxes(*parts, size=size, eye_enlarge=term.eye_enlarge) for parts in found]
    return torch.stack([torch.stack(each) for each in boxes])


def _crops(faces: Sequence[Faces], fakes: Sequence[Tensor]) -> Iterator[tuple[Components, Components]]:
    for face, fake in zip(faces, fakes, strict=True):
        assert face.boxes is not None
        assert face.parts is not None
        yield face.parts, crop_components(fake, face.boxes)


def _components_loss(real: Mapping[str, Judged], fake: Mapping[str, Judged]) -> DiscriminatorLoss:
    """Each part's discriminator has its own loss; their sum moves each by its own."""
    halves = [plain_discriminator(real[name][0], fake[name][0]) for name in real]
    return DiscriminatorLoss(torch.stack([h.real for h in halves]).sum(), torch.stack([h.fake for h in halves]).sum())
