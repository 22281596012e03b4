"""Training configs: one YAML file, every field checked, every problem named with its place and a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from degradekit_models.errors import ModelError
from degradekit_models.train.parts import (
    AdversarialTerm,
    ComponentsTerm,
    Data,
    Freeze,
    GanTerm,
    IdentityTerm,
    LazyTerm,
    Network,
    Optimizer,
    Part,
    PathLengthTerm,
    PerceptualTerm,
    PixelTerm,
    Positive,
    PyramidTerm,
    Schedule,
    Sharpen,
    Validation,
)

__all__ = [
    "SCHEMES",
    "CascadeConfig",
    "Config",
    "GFPGANConfig",
    "RealBasicVSRConfig",
    "RestorationConfig",
    "StyleGAN2Config",
    "load_config",
    "parse_config",
]


class Config(Part):
    """What every training run says but for its data.

    Args:
        scheme: What is trained how; a name of `SCHEMES`.
        name: Of the run.
        generator: The network that restores or makes pictures.
        data: How pairs become batches.
        iterations: Optimiser steps.
        optimizer: Of the generator.
        discriminator_optimizer: Of the discriminator; as the generator's by default.
        schedule: Of all rates.
        ema: Share of the average that is kept at each step; 0 keeps no average.
        clip_gradients: Largest norm of all gradients of the generator; None does not clip.
        seed: Of order, augmentation, initialisation and everything else that is random.
        save_every: Steps between two checkpoints.
        validation: What is measured.
    """

    scheme: str = "restoration"
    name: str
    generator: Network
    data: Data
    iterations: int = Positive
    optimizer: Optimizer
    discriminator_optimizer: Optimizer | None = None
    schedule: Schedule = Schedule()
    ema: float = Field(0.999, ge=0, lt=1)
    clip_gradients: float | None = Field(None, gt=0)
    seed: int = 0
    save_every: int = Field(5000, gt=0)
    validation: Validation = Validation()

    @property
    def roles(self) -> tuple[str, ...]:
        """Which images of a pair are trained on."""
        return ("lq", "gt")

    @property
    def landmarks(self) -> bool:
        """Whether the landmarks of faces are needed."""
        return False

    @property
    def idle(self) -> bool:
        """Whether parameters may have no part in a step, which ranks must then look for."""
        return False

    @model_validator(mode="after")
    def _clips(self) -> Config:
        if self.data.mirror and self.data.clip is None:
            raise ValueError("data.mirror appends a clip backwards: give data.clip")
        return self


class RestorationConfig(Config):
    """Restoring images or clips from pairs, with or without an adversary.

    Args:
        discriminator: The adversary, for an adversarial term.
        pixel: Pixel term, or None.
        perceptual: Feature term, or None.
        adversarial: Adversarial term, or None.
        sharpen: Which terms see a sharpened GT.
        freeze: What stands still at first.
    """

    scheme: Literal["restoration", "real_basicvsr", "edvr_cascade"] = "restoration"
    discriminator: Network | None = None
    pixel: PixelTerm | None = None
    perceptual: PerceptualTerm | None = None
    adversarial: AdversarialTerm | None = None
    sharpen: Sharpen = Sharpen()
    freeze: tuple[Freeze, ...] = ()

    @property
    def idle(self) -> bool:
        """Frozen ones."""
        return bool(self.freeze)

    @model_validator(mode="after")
    def _whole(self) -> RestorationConfig:
        if not (self.pixel or self.perceptual or self.adversarial):
            raise ValueError("there is no loss: give pixel, perceptual or adversarial")
        if (self.adversarial is None) != (self.discriminator is None):
            raise ValueError("an adversarial term needs a discriminator, and a discriminator that term")
        return self


class RealBasicVSRConfig(RestorationConfig):
    """Restoring clips after cleaning their frames.

    Args:
        cleaning: Term between the cleaned LQ and the GT of the pixel term, averaged down to the LQ's size.
    """

    scheme: Literal["real_basicvsr"] = "real_basicvsr"
    cleaning: PixelTerm


class CascadeConfig(RestorationConfig):
    """Refining the frames that another network restored.

    Args:
        first: That network, which stands still: it restores the middle of a window of frames.
    """

    scheme: Literal["edvr_cascade"] = "edvr_cascade"
    first: Network

    @model_validator(mode="after")
    def _takes_clips(self) -> CascadeConfig:
        if self.data.clip is None:
            raise ValueError("a cascade restores windows of a clip: give data.clip")
        return self


class GFPGANConfig(Config):
    """Restoring aligned faces from pairs of equal size, as GFPGAN is trained; images are taken to [-1, 1].

    Args:
        discriminator: The adversary of whole faces.
        pixel: Pixel term, or None.
        pyramid: Term of the U-Net's images, or None.
        perceptual: Feature and style terms, or None.
        adversarial: Game with whole faces.
        r1: Regulariser of its discriminator, or None; half the weight counts, as published.
        components: Games with eyes and mouth, or None; needs pairs with landmarks.
        identity: Identity term, or None.
    """

    scheme: Literal["gfpgan"]
    discriminator: Network
    pixel: PixelTerm | None = None
    pyramid: PyramidTerm | None = None
    perceptual: PerceptualTerm | None = None
    adversarial: GanTerm
    r1: LazyTerm | None = None
    components: ComponentsTerm | None = None
    identity: IdentityTerm | None = None

    @property
    def landmarks(self) -> bool:
        """Eyes and mouth are found by them."""
        return self.components is not None

    @property
    def idle(self) -> bool:
        """The mapping network of a decoder that is trained as well."""
        return True

    @model_validator(mode="after")
    def _whole_faces(self) -> GFPGANConfig:
        if self.data.crop is not None or self.data.clip is not None or self.data.rotate:
            raise ValueError("faces are trained on whole and upright: give data no crop and no clip, and rotate: false")
        return self


class StyleGAN2Config(Config):
    """Making pictures from random codes, as StyleGAN2 is trained, on GTs alone; they are taken to [-1, 1].

    Args:
        discriminator: The adversary.
        adversarial: The game.
        r1: Regulariser of the discriminator, or None; half the weight counts, as published.
        path_length: Regulariser of the generator, or None.
        mixing: Probability that a picture is made from two codes.
    """

    scheme: Literal["stylegan2"]
    discriminator: Network
    adversarial: GanTerm
    r1: LazyTerm | None = None
    path_length: PathLengthTerm | None = None
    mixing: float = Field(0.9, ge=0, le=1)

    @property
    def roles(self) -> tuple[str, ...]:
        """There is nothing to restore."""
        return ("gt",)


SCHEMES: Mapping[str, type[Config]] = {
    "restoration": RestorationConfig,
    "real_basicvsr": RealBasicVSRConfig,
    "edvr_cascade": CascadeConfig,
    "gfpgan": GFPGANConfig,
    "stylegan2": StyleGAN2Config,
}
"""What a config may name as its scheme."""


def load_config(path: str | Path) -> Config:
    """Read a config.

    Args:
        path: A YAML file.

    Raises:
        ModelError: It cannot be read, or something in it is wrong; one line a problem.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the config {path} cannot be read: {error}") from error
    return parse_config(text, where=str(path))


def parse_config(text: str, *, where: str = "the config") -> Config:
    """Check a config.

    Args:
        text: YAML.
        where: What to call it in errors.

    Raises:
        ModelError: Something is wrong; one line a problem.

    Example:
        >>> print(parse_config("name: a").name)
        Traceback (most recent call last):
        ...
        degradekit_models.errors.ModelError: the config: generator: this is required
        the config: data: this is required
        the config: iterations: this is required
        the config: optimizer: this is required
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ModelError(f"{where}: this is no YAML: {error}") from error
    if not isinstance(raw, Mapping):
        raise ModelError(f"{where}: a config maps names to values, this is {type(raw).__name__}.")
    scheme = raw.get("scheme", "restoration")
    if scheme not in SCHEMES:
        raise ModelError(f"{where}: scheme: {scheme!r} is unknown{_meant(str(scheme), list(SCHEMES))}")
    model = SCHEMES[scheme]
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ModelError("\n".join(_sentence(where, item, model) for item in error.errors())) from None


def _sentence(where: str, item: Mapping[str, Any], model: type[Config]) -> str:
    at = ".".join(str(part) for part in item["loc"])
    place = f"{where}: {at}" if at else where
    match item["type"]:
        case "missing":
            return f"{place}: this is required"
        case "extra_forbidden":
            return f"{place}: unknown name{_meant(str(item['loc'][-1]), _fields(model, item['loc'][:-1]))}"
    value = f" (the value is {item['input']!r})" if at else ""
    return f"{place}: {str(item['msg']).removeprefix('Value error, ')}{value}"


def _meant(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}" if len(known) < 5 else ""


def _fields(model: Any, path: Sequence[int | str]) -> list[str]:
    """Names that are known at a place of a config."""
    for part in path:
        found = model.model_fields.get(part) if isinstance(part, str) else None
        kinds = _kinds(found.annotation) if found else []
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def _kinds(annotation: Any) -> list[Any]:
    inner = getattr(annotation, "__args__", ())
    return [annotation, *(kind for part in inner for kind in _kinds(part))]
