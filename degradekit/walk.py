"""Walking through a plan: the picture after every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from degradekit.apply import quantise, take
from degradekit.describe import caption
from degradekit.steps import Step, unfold
from degradekit.types import Array

__all__ = ["Stage", "walk"]


@dataclass(frozen=True, slots=True)
class Stage:
    """What one step left behind.

    Args:
        step: The step.
        pixels: The clip after it, rounded to the depth of the stored one; the steps after it go on unrounded.
    """

    step: Step
    pixels: Array

    @property
    def lines(self) -> tuple[str, ...]:
        """Op and drawn parameters in words, as captions have them; of a blend also those of its steps."""
        own, *inner = unfold((self.step,))
        words = caption(own)[1]
        shown = words if words[0] == own.draw.name else [own.draw.name, *words]
        return (*shown, *(f"{step.at}: {', '.join(caption(step)[1])}" for step in inner))


def walk(steps: Sequence[Step], image: Array) -> Iterator[Stage]:
    """Run steps one by one, as :func:`degradekit.apply.run` does, and show the clip after each.

    Args:
        steps: Determined steps.
        image: uint8 or uint16 ``[T, H, W, C]``.

    Yields:
        A stage for each step; the last one's pixels are those that ``run`` returns.

    Raises:
        OpError: A step failed; the message names it.
    """
    x: Array = image
    for step in steps:
        x = take(step, x)
        yield Stage(step, x if x.dtype.kind == "u" else quantise(x, image.dtype))
