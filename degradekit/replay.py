"""Makes LQs again from what a dataset stores, GT and plan, and compares them bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any

import cv2
import numpy as np

from degradekit import codecs
from degradekit.errors import DegradekitError, RecipeError
from degradekit.pick import find, keyed_order
from degradekit.plan import Plan
from degradekit.recipe import Recipe, parse_recipe
from degradekit.shards.dataset import Dataset
from degradekit.shards.manifest import environment
from degradekit.types import Array, Geometry, Record

__all__ = ["Difference", "Replay", "changed_facts", "compare", "replay", "stored_recipe"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A pair that does not come out as it was stored.

    Args:
        key: Sample key.
        variant: Which LQ of the GT.
        pixels: Pixels of the LQ that differ; 0 when it could not be made, or when only the plan differs.
        of: Pixels of the LQ.
        levels: Largest difference in levels of the stored depth.
        first: (frame, row, column, channel) of the first value that differs, or None.
        was: The stored value there.
        now: The value there now.
        reason: What else is wrong: the step that failed, or the first step that is drawn differently now.
    """

    key: str
    variant: int
    pixels: int = 0
    of: int = 0
    levels: int = 0
    first: tuple[int, ...] | None = None
    was: int = 0
    now: int = 0
    reason: str = ""

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.key}, variant {self.variant}: {self.reason}"
        t, y, x, c = self.first
        frame = f"frame {t}, " if t else ""
        pixels = f"{self.pixels} of {self.of} pixels differ by up to {self.levels} levels"
        where = f"the first at {frame}row {y}, column {x}, channel {c}: stored {self.was}, now {self.now}"
        return f"{self.key}, variant {self.variant}: {pixels}, {where}"


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay.

    Args:
        equal: Pairs that came out bit for bit as stored.
        differences: The others.
        redrawn: Whether the plans were drawn anew from the stored recipe and compared as well.
        environment: Facts of this machine that are not those of ``dataset.json``; they can change pixels.
    """

    equal: int
    differences: tuple[Difference, ...]
    redrawn: bool
    environment: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON value."""
        return asdict(self)


def replay(
    dataset: Dataset, *, sample: int = 32, key: str | None = None, variant: int | None = None, seed: int = 0
) -> Replay:
    """Make LQs again and compare them.

    Where the stored recipe still means what it meant (same digest), the plans are drawn again too, so that what is
    compared is the whole way from the sample's name to its pixels.

    Args:
        dataset: From :func:`degradekit.shards.dataset.open_dataset`.
        sample: Pairs to try, chosen by ``seed``; fewer where the dataset has fewer. Tombstones are not counted.
        key: Try the pairs of this sample instead.
        variant: Only this variant of ``key``.
        seed: Which pairs are chosen.

    Raises:
        ShardError: A shard cannot be read.
        DegradekitError: There is no such key or variant, or the dataset was imported and has no plans.
    """
    if not dataset.info["recipe"]:
        raise DegradekitError(f"{dataset.store.uri} was imported, so it has no plans to replay")
    cv2.setNumThreads(1)
    recipe = stored_recipe(dataset)
    differences: list[Difference] = []
    equal = 0
    for record in _records(dataset, sample=sample, key=key, variant=variant, seed=seed):
        difference = compare(record, recipe)
        if difference is None:
            equal += 1
        else:
            differences.append(difference)
    changed = changed_facts(dataset.info.get("environment", {}))
    return Replay(equal, tuple(differences), recipe is not None, tuple(changed))


def compare(record: Record, recipe: Recipe | None = None) -> Difference | None:
    """Make the LQ of one record again.

    Args:
        record: With its pixels and plan.
        recipe: Draws the plan again for comparison, where it is given.

    Returns:
        None when LQ and plan come out as stored.
    """
    name = partial(Difference, record.key, record.variant)
    try:
        plan = Plan.from_json(record.plan)
        reason = "" if recipe is None else redrawn(plan, recipe)
        if reason:
            return name(reason=reason)
        return _first_difference(name, codecs.decode(record.lq), plan.make_lq(codecs.decode(record.gt)))
    except DegradekitError as error:
        return name(reason=str(error))


def changed_facts(there: Mapping[str, Any]) -> list[str]:
    """What of this machine differs from the environment that a dataset records, one short sentence each."""
    before, now = _flat(there), _flat(environment())
    return [
        f"{name} was {before.get(name, 'not there')}, here it is {now.get(name, 'not there')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def _records(dataset: Dataset, *, sample: int, key: str | None, variant: int | None, seed: int) -> Iterator[Record]:
    indices = keyed_order(len(dataset), seed) if key is None else iter(find(dataset, key, variant))
    rows = (dataset.read(index, ("gt", "lq", "plan")) for index in indices)
    records = (row for row in rows if isinstance(row, Record))
    return islice(records, sample) if key is None else records


def stored_recipe(dataset: Dataset) -> Recipe | None:
    """The recipe that the dataset was built from, or None where it cannot be had as it was."""
    info = dataset.info
    try:
        recipe = parse_recipe(
            info["recipe"],
            where=f"the recipe in {dataset.store.uri}",
            seed=info["seed"],
            options=info.get("options"),
            per_image=info.get("per_image"),
        )
    except RecipeError:
        return None
    return recipe if recipe.digest == info["recipe_digest"] else None


def redrawn(plan: Plan, recipe: Recipe) -> str:
    """The first thing that a plan drawn anew has otherwise, or an empty text."""
    again = recipe.draw(key=plan.key, geometry=Geometry(*plan.hr), variant=plan.variant, cuts=plan.cuts)
    if again == plan:
        return ""
    for before, now in zip(plan.target + plan.degrade, again.target + again.degrade, strict=False):
        if before != now:
            return f"the plan is drawn differently now, first at step {before.at}: stored {before.draw}, now {now.draw}"
    return "the plan is drawn differently now: another number of steps, or another digest"


def _first_difference(name: Callable[..., Difference], was: Array, now: Array) -> Difference | None:
    if was.shape != now.shape or was.dtype != now.dtype:
        return name(reason=f"stored {was.shape} {was.dtype}, now {now.shape} {now.dtype}")
    unequal = was != now
    if not unequal.any():
        return None
    first = tuple(int(i) for i in np.argwhere(unequal)[0])
    return name(
        pixels=int(unequal.any(axis=-1).sum()),
        of=was[..., 0].size,
        levels=int(np.abs(was.astype(np.int64) - now.astype(np.int64)).max()),
        first=first,
        was=int(was[first]),
        now=int(now[first]),
    )


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in facts.items():
        out |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: str(value)}
    return out
