"""What training configs are made of: networks, data, optimisers, schedules and the terms of losses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from degradekit_models.train.schedules import CosineRestarts, MultiStep

__all__ = [
    "AdversarialTerm",
    "ComponentsTerm",
    "Data",
    "Freeze",
    "GanTerm",
    "IdentityTerm",
    "LazyTerm",
    "Network",
    "Optimizer",
    "Part",
    "PathLengthTerm",
    "PerceptualTerm",
    "PixelTerm",
    "PyramidTerm",
    "Schedule",
    "Sharpen",
    "Validation",
]

Positive = Field(gt=0)


class Part(BaseModel):
    """A mapping in a config whose names are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(Part):
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


class Data(Part):
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


class Optimizer(Part):
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


class Schedule(Part):
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


class PixelTerm(Part):
    """Distance of pixels; see `losses.pixel`.

    Args:
        kind: Of distance.
        weight: Of the term.
        reduction: ``mean`` over all samples, or their ``sum`` over a pair, which is averaged over the pairs, so that
            ranks and micro-batches change nothing.
    """

    kind: Literal["l1", "mse", "charbonnier"] = "l1"
    weight: float = Positive
    reduction: Literal["mean", "sum"] = "mean"


class PerceptualTerm(Part):
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


class GanTerm(Part):
    """The generator's part of the game; see `losses.adversarial`.

    Args:
        kind: Of loss.
        weight: On the generator's term; the discriminator's has none.
    """

    kind: Literal["vanilla", "lsgan", "wgan", "wgan_softplus", "hinge"] = "vanilla"
    weight: float = Positive


class AdversarialTerm(GanTerm):
    """The game with what super-resolution adds to it.

    Args:
        relativistic: Compare real and fake with each other's mean, as ESRGAN does.
        start: Step from which the generator is trained; before it only the discriminator is.
    """

    relativistic: bool = False
    start: int = Field(0, ge=0)


class LazyTerm(Part):
    """A regulariser that is taken once in so many steps, and then as many times as strong.

    Args:
        weight: Counts times `every`.
        every: Steps from one to the next.
    """

    weight: float = Positive
    every: int = Field(16, gt=0)

    def strength(self, number: int) -> float:
        """What it counts at a step, from 0: all at the last of every so many, else nothing."""
        return self.weight * self.every if (number + 1) % self.every == 0 else 0.0


class PathLengthTerm(LazyTerm):
    """Keeps the generator smooth; see `losses.regularisers.path_length`.

    Args:
        shrink: Its batch is so many times smaller than that of the step.
        decay: Share of a batch in the running mean.
    """

    every: int = Field(4, gt=0)
    shrink: int = Field(2, gt=0)
    decay: float = Field(0.01, gt=0, le=1)


class PyramidTerm(Part):
    """L1 on the images that GFPGAN's U-Net makes on its way up.

    Args:
        weight: Of each size.
        until: First step at which it counts no longer; None counts it always.
    """

    weight: float = Positive
    until: int | None = Field(None, gt=0)


class ComponentsTerm(Part):
    """A game for each eye and for the mouth; see `losses.faces`.

    Args:
        weight: On the generator's term of each, binary cross entropy.
        style_weight: On the distance of the Gram matrices of the discriminators' features; 0 leaves it out.
        eye_enlarge: Factor on the half side of the eyes' boxes.
        optimizer: Of the three discriminators.
    """

    weight: float = Positive
    style_weight: float = Field(200.0, ge=0)
    eye_enlarge: float = Field(1.4, gt=0)
    optimizer: Optimizer


class IdentityTerm(Part):
    """L1 on the identity vectors of the grey faces.

    Args:
        weight: Of the term.
        arcface: File of the trained ArcFace.
    """

    weight: float = Positive
    arcface: str | None = None


class Sharpen(Part):
    """Which terms compare with the GT after unsharp masking, as Real-ESRGAN trains."""

    pixel: bool = False
    perceptual: bool = False
    adversarial: bool = False


class Freeze(Part):
    """Parameters of the generator that stand still at first.

    Args:
        names: Texts of which a parameter's name contains one.
        until: First step at which they are trained.
        others: Freeze all parameters but these, as EDVR's fusion warm-up does.
    """

    names: tuple[str, ...]
    until: int = Field(gt=0)
    others: bool = False


class Validation(Part):
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
