"""degradekit: photographs and a recipe in, replayable (LQ, GT, parameters) pairs out.

Example:
    >>> import degradekit as dk
    >>> import numpy as np
    >>> recipe = dk.load_recipe("real_esrgan")
    >>> gt, lq, plan = recipe.degrade(np.full((64, 64, 3), 128, np.uint8), key="grey.png")
    >>> gt.shape, lq.shape, plan.degrade[0].at
    ((64, 64, 3), (16, 16, 3), 'sharpen')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from degradekit.errors import BuildError, DegradekitError, OpError, RecipeError, ShardError, SourceError, StreamError

if TYPE_CHECKING:
    __version__: str
    from degradekit.plan import Plan
    from degradekit.recipe import Pair, Recipe, load_recipe, parse_recipe, recipe_names
    from degradekit.shards.dataset import Dataset, open_dataset
    from degradekit.shards.verify import verify_dataset
    from degradekit.stream import PairStream
    from degradekit.types import Geometry

__all__ = [
    "BuildError",
    "Dataset",
    "DegradekitError",
    "Geometry",
    "OpError",
    "Pair",
    "PairStream",
    "Plan",
    "Recipe",
    "RecipeError",
    "ShardError",
    "SourceError",
    "StreamError",
    "__version__",
    "load_recipe",
    "open_dataset",
    "parse_recipe",
    "recipe_names",
    "verify_dataset",
]

# Loaded on first use, so that `import degradekit` and `degradekit --help` cost milliseconds.
_HOMES = {
    "Dataset": "degradekit.shards.dataset",
    "Geometry": "degradekit.types",
    "Pair": "degradekit.recipe",
    "PairStream": "degradekit.stream",
    "Plan": "degradekit.plan",
    "Recipe": "degradekit.recipe",
    "load_recipe": "degradekit.recipe",
    "open_dataset": "degradekit.shards.dataset",
    "parse_recipe": "degradekit.recipe",
    "recipe_names": "degradekit.recipe",
    "verify_dataset": "degradekit.shards.verify",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("degradekit")
    raise AttributeError(f"module 'degradekit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
