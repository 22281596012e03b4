"""Training configs: one YAML file, every field checked, every problem named with its place and a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from degradekit_models.errors import ModelError
from degradekit_models.train.schedules import CosineRestarts, MultiStep

__all__ = [
    "AdversarialTerm",
    "Config",
    "Data",
    "Freeze",
    "Network",
    "Optimizer",
    "PerceptualTerm",
    "PixelTerm",
    "Schedule",
    "Sharpen",
    "Validation",
    "load_config",
    "parse_config",
]

Share: TypeAlias = float
Positive = Field(gt=0)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Part):
    """A network and where its weights come from.

    Args:
        arch: Name that `degradekit_models.build` knows.
        arguments: Constructor arguments that replace the recorded ones.
        weights: Weight file to begin from; None begins from the network's own initialisation.
        strict: Whether the file must fit tensor by tensor; False keeps what does not fit as initialised.
    """

    arch: str
    arguments: dict[str, Any] = {}
    weights: str | None = None
    strict: bool = True


class Data(_Part):
    """How pairs become batches; which pairs is said on the command line.

    Args:
        crop: Side of a random GT crop in px; None takes pairs whole.
        batch_size: Pairs of an optimiser step, all ranks and micro-batches together.
        accumulate: Micro-batches that a step's pairs are split into on each rank.
        flip: Mirror half of the pairs.
        rotate: Turn pairs by quarters.
        clip: Frames of a clip; None for images.
        mirror: Append each clip backwards, as BasicVSR trains on short clips.
    """

    crop: int | None = None
    batch_size: int = Field(16, gt=0)
    accumulate: int = Field(1, gt=0)
    flip: bool = True
    rotate: bool = True
    clip: int | None = None
    mirror: bool = False


class Optimizer(_Part):
    """Adam.

    Args:
        lr: Base learning rate.
        betas: Decay of the two moments.
        weight_decay: L2 on the weights.
        lr_factors: Factor on the rate of parameters whose name contains a text: ``{spynet: 0.125}``.
    """

    lr: float = Positive
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = Field(0.0, ge=0)
    lr_factors: dict[str, float] = {}


class Schedule(_Part):
    """Learning rate over the steps: cosine restarts where there are periods, else milestones, else constant.

    Args:
        periods: Lengths of cosine periods in steps.
        weights: Share of the base rate at which each begins; one for all by default.
        eta_min: Rate at the end of a period.
        milestones: Steps at which the rate is multiplied.
        gamma: By how much.
    """

    periods: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    eta_min: float = 1e-7
    milestones: tuple[int, ...] = ()
    gamma: float = 0.5

    @model_validator(mode="after")
    def _one_kind(self) -> Schedule:
        if self.periods and self.milestones:
            raise ValueError("give periods or milestones, not both")
        if self.weights and len(self.weights) != len(self.periods):
            raise ValueError(f"{len(self.weights)} weights for {len(self.periods)} periods")
        return self

    def rate(self, base: float, step: int) -> float:
        """The rate at a step, counted from 0."""
        if self.periods:
            weights = self.weights or (1.0,) * len(self.periods)
            return CosineRestarts(self.periods, weights, self.eta_min).rate(base, step)
        return MultiStep(self.milestones, self.gamma).rate(base, step)


class PixelTerm(_Part):
    """Distance of pixels; see `losses.pixel`."""

    kind: Literal["l1", "mse", "charbonnier"] = "l1"
    weight: float = Positive
    reduction: Literal["mean", "sum"] = "mean"


class PerceptualTerm(_Part):
    """Distance of VGG19 features; see `losses.perceptual`.

    Args:
        layers: Weight of each layer.
        weight: Of the feature term.
        style_weight: Of the Gram term.
        criterion: Distance between features.
        vgg19: File of torchvision's trained VGG19.
    """

    layers: dict[str, float]
    weight: float = 1.0
    style_weight: float = 0.0
    criterion: Literal["l1", "l2", "fro"] = "l1"
    vgg19: str | None = None


class AdversarialTerm(_Part):
    """The generator's part of the game; see `losses.adversarial`.

    Args:
        kind: Of loss.
        weight: On the generator's term; the discriminator's has none.
        relativistic: Compare real and fake with each other's mean, as ESRGAN does.
        start: Step from which the generator is trained; before it only the discriminator is.
    """

    kind: Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"] = "vanilla"
    weight: float = Positive
    relativistic: bool = False
    start: int = Field(0, ge=0)


class Sharpen(_Part):
    """Which terms compare with the GT after unsharp masking, as Real-ESRGAN trains."""

    pixel: bool = False
    perceptual: bool = False
    adversarial: bool = False


class Freeze(_Part):
    """Parameters of the generator that stand still at first.

    Args:
        names: Texts of which a parameter's name contains one.
        until: First step at which they are trained.
        others: Freeze all parameters but these, as EDVR's fusion warm-up does.
    """

    names: tuple[str, ...]
    until: int = Field(gt=0)
    others: bool = False


class Validation(_Part):
    """What is measured while training.

    Args:
        every: Steps between two validations.
        pairs: Pairs of each dataset at most.
        luma: Compare the luma alone.
        crop_border: Pixels cut off all four borders; None is the scale.
        pictures: Pairs whose picture is written.
    """

    every: int = Field(5000, gt=0)
    pairs: int = Field(100, gt=0)
    luma: bool = False
    crop_border: int | None = Field(None, ge=0)
    pictures: int = Field(4, ge=0)


class Config(_Part):
    """A training run but for its data.

    Args:
        name: Of the run.
        generator: The network that restores.
        discriminator: Its adversary, for an adversarial term.
        data: How pairs become batches.
        iterations: Optimiser steps.
        optimizer: Of the generator.
        discriminator_optimizer: Of the discriminator; as the generator's by default.
        schedule: Of both rates.
        pixel: Pixel term, or None.
        perceptual: Feature term, or None.
        adversarial: Adversarial term, or None.
        sharpen: Which terms see a sharpened GT.
        freeze: What stands still at first.
        ema: Share of the average that is kept at each step; 0 keeps no average.
        clip_gradients: Largest norm of all gradients of the generator; None does not clip.
        seed: Of order, augmentation, initialisation and everything else that is random.
        save_every: Steps between two checkpoints.
        validation: What is measured.
    """

    name: str
    generator: Network
    discriminator: Network | None = None
    data: Data
    iterations: int = Positive
    optimizer: Optimizer
    discriminator_optimizer: Optimizer | None = None
    schedule: Schedule = Schedule()
    pixel: PixelTerm | None = None
    perceptual: PerceptualTerm | None = None
    adversarial: AdversarialTerm | None = None
    sharpen: Sharpen = Sharpen()
    freeze: tuple[Freeze, ...] = ()
    ema: float = Field(0.999, ge=0, lt=1)
    clip_gradients: float | None = Field(None, gt=0)
    seed: int = 0
    save_every: int = Field(5000, gt=0)
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _whole(self) -> Config:
        if not (self.pixel or self.perceptual or self.adversarial):
            raise ValueError("there is no loss: give pixel, perceptual or adversarial")
        if (self.adversarial is None) != (self.discriminator is None):
            raise ValueError("an adversarial term needs a discriminator, and a discriminator that term")
        if self.data.mirror and self.data.clip is None:
            raise ValueError("data.mirror appends a clip backwards: give data.clip")
        return self


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
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ModelError("\n".join(_sentence(where, item) for item in error.errors())) from None


def _sentence(where: str, item: Mapping[str, Any]) -> str:
    at = ".".join(str(part) for part in item["loc"])
    place = f"{where}: {at}" if at else where
    match item["type"]:
        case "missing":
            return f"{place}: this is required"
        case "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _fields(item["loc"][:-1]), n=1)
            return f"{place}: unknown name" + (f"; did you mean {near[0]!r}?" if near else "")
    value = f" (the value is {item['input']!r})" if at else ""
    return f"{place}: {str(item['msg']).removeprefix('Value error, ')}{value}"


def _fields(path: Sequence[int | str]) -> list[str]:
    """Names that are known at a place of the config."""
    model: Any = Config
    for part in path:
        found = model.model_fields.get(part) if isinstance(part, str) else None
        kinds = _kinds(found.annotation) if found else []
        model = next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), model)
    return list(model.model_fields)


def _kinds(annotation: Any) -> list[Any]:
    inner = getattr(annotation, "__args__", ())
    return [annotation, *(kind for part in inner for kind in _kinds(part))]
