"""Learning rates as pure functions of the step: nothing to save, nothing to restore.

A step is counted from 0; step s is the s-th call to the scheduler of the published code, whose first training iteration
has s = 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from degradekit_models.errors import ModelError

__all__ = ["CosineRestarts", "MultiStep"]


@dataclass(frozen=True, slots=True)
class CosineRestarts:
    """Falls along half a cosine in each period, then restarts at a share of the base rate.

    At exactly the end of a period the old one's end still holds; the restart comes one step later. After the last
    period the rate stays at its end.

    Args:
        periods: lengths in steps.
        weights: share of the base rate at which each period starts.
        eta_min: rate at the end of each period.

    Raises:
        ModelError: There are no periods, one is not positive, or the weights are not as many.

    Source:
        Loshchilov & Hutter, "SGDR", ICLR 2017, equation 5.

    Example:
        >>> schedule = CosineRestarts((100, 100), (1.0, 0.5))
        >>> [round(schedule.rate(1e-3, step), 6) for step in (0, 50, 100, 101, 200)]
        [0.001, 0.0005, 0.0, 0.0005, 0.0]
    """

    periods: Sequence[int]
    weights: Sequence[float] = (1.0,)
    eta_min: float = 0.0

    def __post_init__(self) -> None:
        if not self.periods or min(self.periods) < 1 or len(self.weights) != len(self.periods):
            raise ModelError(
                f"cosine restarts: periods {list(self.periods)} must be positive and have one of the weights "
                f"{list(self.weights)} each."
            )

    def rate(self, base: float, step: int) -> float:
        """The learning rate at a step, from the base rate of its parameter group."""
        ends = tuple(accumulate(self.periods))
        step = min(step, ends[-1])
        index = next(i for i, end in enumerate(ends) if step <= end)
        part = (step - ends[index] + self.periods[index]) / self.periods[index]
        return self.eta_min + self.weights[index] * 0.5 * (base - self.eta_min) * (1 + math.cos(math.pi * part))


@dataclass(frozen=True, slots=True)
class MultiStep:
    """Multiplies the rate by gamma at each milestone; without milestones the rate is constant.

    Args:
        milestones: steps, in order.
        gamma: factor.

    Example:
        >>> [MultiStep((50, 100)).rate(1e-4, step) for step in (49, 50, 100)]
        [0.0001, 5e-05, 2.5e-05]
    """

    milestones: Sequence[int] = ()
    gamma: float = 0.5

    def rate(self, base: float, step: int) -> float:
        """The learning rate at a step, from the base rate of its parameter group."""
        return base * float(self.gamma ** sum(step >= milestone for milestone in self.milestones))
