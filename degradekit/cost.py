"""What a recipe costs on this machine, op by op."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from degradekit.build import Spent
from degradekit.fields import uniform_field
from degradekit.recipe import Recipe, probe_geometry
from degradekit.rng import Draws
from degradekit.types import Array, Geometry

__all__ = ["Cost", "measure_cost", "synthetic_picture"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Time of one op.

    Args:
        stage: ``draw``, or ``apply.`` and the op's name.
        milliseconds: For one pair, on average over pairs; an op that ran in half of them counts half.
    """

    stage: str
    milliseconds: float


def measure_cost(recipe: Recipe, pairs: int = 20) -> tuple[Cost, ...]:
    """Time of every op for one pair of the recipe's own GT size on one core of this machine, dearest first.

    Every plan runs three times and the fastest time of each op counts: the first also loads or compiles loops, and
    other programs can only add time.

    Args:
        recipe: The recipe.
        pairs: Plans to average over.
    """
    cv2.setNumThreads(1)
    g = probe_geometry(recipe)
    picture = np.repeat(synthetic_picture(g.h, g.w)[None], g.t, axis=0)
    total: Counter[str] = Counter()
    for i in range(pairs):
        rounds = [_spent_on(recipe, f"cost#{i}", picture) for _ in range(3)]
        total.update({stage: min(spent[stage] for spent in rounds) for stage in rounds[0]})
    return tuple(Cost(stage, 1000 * seconds / pairs) for stage, seconds in total.most_common())


def _spent_on(recipe: Recipe, key: str, picture: Array) -> dict[str, float]:
    spent = Spent()
    with spent.on("draw"):
        plan = recipe.draw(key=key, geometry=Geometry(*picture.shape))
    plan.make_lq(plan.make_gt(picture, spent.seconds), spent.seconds)
    return spent.seconds


def synthetic_picture(h: int, w: int) -> Array:
    """A picture with detail at every size, as photographs have (amplitudes fall with the frequency).

    Args:
        h: Height in px.
        w: Width in px.

    Returns:
        uint8 ``[h, w, 3]``, always the same for one size.
    """
    u = Draws(0, "picture")
    picture = np.full((h, w, 3), 0.5, np.float32)
    side = 2
    while side < 2 * max(h, w):
        coarse = uniform_field(u.field(f"octave{side}"), side * side * 3).reshape(side, side, 3) - np.float32(0.5)
        picture += cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC) * np.float32(0.9 / side**0.5)
        side *= 2
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)
