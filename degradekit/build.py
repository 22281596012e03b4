"""Building one shard: the pure, idempotent function that every executor runs.

A build is N = images x crops x variants pairs in a fixed order. Shards are cut by count, so which pairs a shard holds
is arithmetic; a task carries just the images that it needs. The same task gives the same bytes wherever it runs.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

import numpy as np

from degradekit import codecs
from degradekit.apply import run
from degradekit.errors import DegradekitError, ShardError, SourceError
from degradekit.graph import Step
from degradekit.plan import Plan
from degradekit.recipe import Recipe, parse_recipe
from degradekit.rng import Draws, sample_key
from degradekit.types import Array, Geometry, Record, Tombstone, Window

__all__ = ["BuildSpec", "Receipt", "ShardTask", "Unit", "build_shard", "rehearse"]


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """What all tasks of a build share; a few KB, picklable.

    Args:
        recipe_text: The recipe file.
        recipe_name: What to call it.
        options: Its switches.
        per_image: Crops per image when it is not the recipe's own number.
        seed: Keys every draw.
        out: Dataset folder or URI.
        variants: LQs for each GT.
        format: Name in ``shards.FORMATS``.
        codec: Name in ``codecs.CODECS``.
        canary: What :func:`canary` gives in the process that planned the build.
    """

    recipe_text: str
    recipe_name: str
    options: tuple[tuple[str, bool], ...]
    per_image: int | None
    seed: int
    out: str
    variants: int
    format: str
    codec: str
    canary: str


@dataclass(frozen=True, slots=True)
class Unit:
    """Crops of one source image.

    Args:
        key: Path relative to the source root.
        uri: Where the bytes are.
        first: Number of the first crop.
        count: How many crops.
    """

    key: str
    uri: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to make.

    Args:
        number: Number of the shard.
        first: Dataset index of its first pair.
        units: The crops that its GTs are.
        poisoned: Keys of images that kill a worker; their pairs become tombstones untried.
    """

    number: int
    first: int
    units: tuple[Unit, ...]
    poisoned: frozenset[str] = frozenset()
