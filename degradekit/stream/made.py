"""Pairs that are made on the way: images and a recipe in, the same pairs out that a build would have stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from degradekit.build import SKIP, Spent, make_records, trusted_recipe
from degradekit.canonical import canonical_json
from degradekit.errors import DegradekitError, StreamError
from degradekit.job import BuildPlan, plan_build
from degradekit.plan import Plan
from degradekit.recipe import Recipe, load_recipe
from degradekit.rng import hash64
from degradekit.source.extract import split_key
from degradekit.stream.fetch import Fetched, Lost, Outcome
from degradekit.stream.order import Ints
from degradekit.stream.pairs import Reader
from degradekit.stream.select import Selection, Variants
from degradekit.types import Array, Geometry, Tombstone

__all__ = ["MadePairs", "open_source_pairs"]

ENDLESS = 1 << 20
"""Variants of a GT where they take turns: there is always another."""


@dataclass(frozen=True, eq=False)
class MadePairs:
    """Pairs of source images.

    Args:
        plan: What a build of them would do, one GT in a shard.
        group: Variants of each GT.
    """

    plan: BuildPlan
    group: int

    @property
    def id(self) -> str:
        """Identity of recipe, seed and listing."""
        facts = {name: self.plan.identity()[name] for name in ("recipe", "seed", "source")}
        return f"{hash64(canonical_json(facts)):016x}"

    @property
    def uri(self) -> str:
        """What is made of what."""
        return f"{self.plan.recipe.name} from {len(self.plan.images)} images"

    @property
    def scale(self) -> int:
        """GT side / LQ side."""
        return self.plan.recipe.scale

    @property
    def bounds(self) -> Ints:
        """There are no shards."""
        return np.array([0, self.plan.gts * self.group], np.int64)

    @property
    def columns(self) -> dict[str, str]:
        """Typed columns."""
        return dict(self.plan.recipe.columns())

    @property
    def window(self) -> int | None:
        """None: any pair is as far as any other."""
        return None

    def select(self, where: str | None, variants: Variants) -> Selection:
        """All pairs.

        Raises:
            StreamError: There is a filter.
        """
        if where:
            raise StreamError(f"where={where!r} needs stored parameters: build the dataset, or narrow the recipe.")
        return Selection(self.plan.gts * self.group, self.group, None)

    def find(self, key: str) -> list[int]:
        """Indices of a sample's variants; of endless ones, the whole turn."""
        path, crop = split_key(key)
        crops = self.plan.recipe.extract.crops or ()
        image = next((i for i, image in enumerate(self.plan.images) if image.key == path), None)
        if image is None or crop not in crops:
            return []
        first = int(self.plan.ends[image - 1]) if image else 0
        gt = first + crops.index(crop)
        return list(range(gt * self.group, (gt + 1) * self.group))

    def reader(self, parts: Sequence[str], *, validate: bool) -> Reader:
        """Makes pairs in this process, once it has proved that it computes what the planning one does."""
        return MadeReader(self.plan, trusted_recipe(self.plan.spec), self.group, whole="lq" in parts)

    def ahead(self, indices: Sequence[int]) -> None:
        """Nothing."""


class _Variant(Recipe):
    """A recipe that draws a later variant: what a build of one variant makes is then that one."""

    shift: int
    whole: bool

    def draw(self, *, key: str, geometry: Geometry, variant: int = 0, cuts: tuple[int, ...] = ()) -> Plan:
        """See ``Recipe.draw``."""
        plan = super().draw(key=key, geometry=geometry, variant=variant + self.shift, cuts=cuts)
        return plan if self.whole else _Undone(**{field.name: getattr(plan, field.name) for field in fields(plan)})


class _Undone(Plan):
    """A plan whose LQ nobody asked for: one pixel stands for it, which the reader drops."""

    def make_lq(self, gt: Array, seconds: dict[str, float] | None = None) -> Array:
        """The first pixel."""
        return gt[:, :1, :1]


class MadeReader:
    """Makes pairs.

    Args:
        plan: One GT in a shard, one variant, stored raw.
        recipe: The recipe.
        group: Variants of each GT.
        whole: Make LQs, or GTs and plans alone.
    """

    def __init__(self, plan: BuildPlan, recipe: Recipe, group: int, *, whole: bool = True) -> None:
        self._plan, self._recipe, self._group, self._whole = plan, recipe, group, whole
        self._shifted: tuple[int, Recipe] = (0 if whole else -1, recipe)

    def fetch(self, index: int) -> Outcome:
        """Make one pair; what the recipe leaves out (a flat patch, a small image) is ``Lost`` without complaint."""
        gt, variant = divmod(index, self._group)
        task = self._plan.task(gt)
        try:
            record = next(make_records(self._plan.spec, self._at(variant), task, Spent()))
        except DegradekitError as error:
            return Lost(task.units[0].key, str(error))
        if isinstance(record, Tombstone):
            return Lost(record.key, f"{record.step}: {record.reason}", asked=record.step == SKIP)
        lq = record.lq if self._whole else None
        return Fetched(record.key, variant, record.gt, lq, record.columns, record.plan, record.meta)

    def _at(self, variant: int) -> Recipe:
        if self._shifted[0] != variant:
            recipe = object.__new__(_Variant)
            recipe.__dict__.update(
                self._recipe.__dict__, digest=self._recipe.digest, shift=variant, whole=self._whole
            )  # with the digest, which takes a millisecond
            self._shifted = (variant, recipe)
        return self._shifted[1]

    def forget(self) -> None:
        """Nothing is open."""


def open_source_pairs(source: str | Path, recipe: Recipe | str | Path, *, variants: Variants) -> MadePairs:
    """Pairs to be made of a source.

    Args:
        source: See ``source.list_images``.
        recipe: The recipe, its name or its file.
        variants: ``all`` gives variant 0 of each GT in every epoch, ``rotate`` variant e in epoch e.
    """
    known = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    plan = plan_build(known, source=str(source), out="", codec="raw", shard_size=1)
    return MadePairs(plan, ENDLESS if variants == "rotate" else 1)
