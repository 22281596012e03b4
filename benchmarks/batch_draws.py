"""Real-ESRGAN's pairs as its published trainer makes them on the way: draws shared by a batch, and a pool of pairs.

Ops, ranges and chances are this engine's and the recipe's; only who shares a draw differs. In the published code a
batch has one factor and one mode for each resize, one kind of noise, one answer to whether it is blurred again, and one
order of the last steps; kernels, strengths and JPEG qualities are each pair's own. Because that makes the pairs of a
batch alike, they go through a pool: once it is full, a batch leaves at random places and the new one takes them.

Source: Wang et al., "Real-ESRGAN", ICCVW 2021, section 3.3 and its published training code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from degradekit.graph import resolve
from degradekit.loader import to_tensors
from degradekit.plan import Plan
from degradekit.recipe import Recipe
from degradekit.rng import Draws, sample_key
from degradekit.stream import PairStream
from degradekit.types import Array, Geometry
from degradekit_models.data import Batch

NODES = ("resize1", "resize2", "final", "final/shape/resize3")
"""Paths all of whose draws a batch shares."""
CHOICES = (("noise1", "branch"), ("noise2", "branch"), ("blur2", "happens"))
"""Single decisions that a batch shares."""


@dataclass(frozen=True, slots=True)
class BatchDraws(Draws):
    """Draws of a pair, some of which are its batch's.

    Args:
        batch: Key of the shared draws.
    """

    batch: int = 0

    def at(self, path: str) -> BatchDraws:
        """The same pair at another node."""
        return BatchDraws(self.key, path, self.cuts, self.batch)

    def _word64(self, name: str, index: int) -> int:
        shared = self.path in NODES or (self.path, name) in CHOICES
        key = self.batch if shared else self.key
        return Draws(key, self.path)._word64(name, index)


def draw_batch(recipe: Recipe, geometry: Geometry, *, count: int, number: int) -> list[Plan]:
    """Plans of a batch of GTs of one size; the next number gives the next batch."""
    target = (geometry.h // recipe.scale, geometry.w // recipe.scale)
    start = Geometry(geometry.t, geometry.h, geometry.w, geometry.c, target=target)
    shared = sample_key(recipe.seed, f"batch {number}", None)
    plans = []
    for i in range(count):
        name = f"batch {number}, pair {i}"
        steps, _ = resolve(recipe.to_lq, BatchDraws(sample_key(recipe.seed, name, 0), batch=shared), "", start)
        plans.append(Plan(recipe.digest, recipe.seed, name, 0, geometry.shape, (), tuple(steps)))
    return plans


@dataclass
class Pool:
    """Pairs wait here so that those of one batch are torn apart.

    Args:
        size: Pairs; batches pass unchanged until it is full.
        rng: Chooses who leaves.
    """

    size: int
    rng: np.random.Generator
    held: list[tuple[Array, Array]] = field(default_factory=list)

    def exchange(self, batch: list[tuple[Array, Array]]) -> list[tuple[Array, Array]]:
        """Put a batch in and take one out."""
        if len(self.held) < self.size:
            self.held += batch
            return batch
        places = self.rng.permutation(self.size)[: len(batch)]
        out = [self.held[place] for place in places]
        for place, pair in zip(places, batch, strict=True):
            self.held[place] = pair
        return out


class PooledData:
    """In the place of `degradekit_models.data.TrainingData`: GTs of a dataset, degraded on the way, pooled, cropped.

    Args:
        shards: Whose GTs.
        recipe: Degrades them.
        batch: Pairs of a step.
        crop: Side of a GT crop in px.
        pool: Pairs that wait.
        seed: Keys order, draws, crops and pool.
    """

    def __init__(self, shards: Path, recipe: Recipe, *, batch: int, crop: int, pool: int, seed: int) -> None:
        if pool % batch:
            raise ValueError(f"a pool of {pool} cannot be filled by batches of {batch}: choose a multiple.")
        self.scale = recipe.scale
        self._recipe, self._batch, self._crop = recipe, batch, crop
        self._gts = PairStream(
            shards, batch_size=batch, flip=True, rotate=True, shuffle_seed=seed, drop_last=True, variants="rotate"
        )
        self._rng = np.random.default_rng(seed)
        self._pool = Pool(pool, self._rng)

    def __iter__(self) -> Iterator[Batch]:
        number = 0
        while True:
            for gts in self._gts:
                pairs = self._pool.exchange(self._degraded(gts["gt"], number))
                number += 1
                arrays = {
                    role: np.stack(images) for role, images in zip(("lq", "gt"), zip(*pairs, strict=True), strict=True)
                }
                tensors = to_tensors(arrays)
                lq, gt = (tensors[role].to(torch.float32) / 255 for role in ("lq", "gt"))
                yield Batch(lq, gt, tuple(gts["key"]))

    def _degraded(self, gts: Array, number: int) -> list[tuple[Array, Array]]:
        plans = draw_batch(self._recipe, Geometry(1, *gts.shape[1:]), count=len(gts), number=number)
        return [self._cut(plan.make_lq(gt[None])[0], gt) for plan, gt in zip(plans, gts, strict=True)]

    def _cut(self, lq: Array, gt: Array) -> tuple[Array, Array]:
        """The same random window of both."""
        side = self._crop // self.scale
        y, x = (int(self._rng.integers(length - side + 1)) for length in lq.shape[:2])
        large = (slice(y * self.scale, y * self.scale + self._crop), slice(x * self.scale, x * self.scale + self._crop))
        return lq[y : y + side, x : x + side], gt[large]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: like the original, a run of it cannot be resumed exactly."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `state_dict`."""
        raise ValueError("pairs made on the way with a pool cannot be resumed")
