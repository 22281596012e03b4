"""A Recipe says what may happen: a file that is read, checked and turned into trees of ops.

::

    name: real_esrgan
    scale: 4
    options: {gt_usm: false}                       # switches that `when:` refers to
    extract: {mode: random, size: 400}             # what a GT is cut from
    target:                                        # HR crop -> GT
      flip: {op: flip, horizontal: 0.5}
    degrade:                                       # stored GT -> LQ, in the order written
      blur1: {op: gaussian_blur, size_range: {integer: [7, 21], step: 2}, sigma_x_range: [0.2, 3]}
      noise1:
        one_of:
          gaussian: {p: 0.5, op: gaussian_noise, sigma_range: [1/255, 30/255]}
          poisson: {p: 0.5, op: poisson_noise, scale_range: [0.05, 3]}
      blur2: {p: 0.8, op: gaussian_blur, size_range: 21, sigma_x_range: [0.2, 1.5]}

A node is ``op: name`` with its ranges, or one of ``chain:``, ``one_of:``, ``shuffle:``, ``blend:`` with named children;
it may carry ``p`` (the probability that it happens; inside ``one_of``, that it is chosen), ``repeat`` (how many times)
and ``when`` (an option's name, or ``not`` and its name). ``before: [[a, b]]`` beside ``shuffle:`` keeps a ahead of b.
``blend: {mask: {shape: ellipse}, blur: {op: ...}}`` lets its children act on a part of the picture. A recipe can also
say how it differs from another one, see :mod:`degradekit.extends`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from degradekit.canonical import canonical_json
from degradekit.errors import OpError, RecipeError
from degradekit.extends import EXTENSION_FIELDS, Found, resolve_extends, to_yaml
from degradekit.graph import Blend, Chain, Maybe, Node, OneOf, Repeat, Shuffle, resolve
from degradekit.nodes import Problems, nearest, parse_chain, read_yaml
from degradekit.ops.base import Op
from degradekit.plan import Plan, column_types
from degradekit.rng import Draws, sample_key
from degradekit.source.extract import Extract
from degradekit.types import Array, Geometry

__all__ = ["Pair", "Recipe", "load_recipe", "recipe_names"]

_FIELDS = ("name", "scale", "options", "extract", "target", "degrade")
PROBES = 64
"""Plans drawn when a recipe is loaded, to prove that the LQ ends at GT / scale."""


class Pair(NamedTuple):
    """What one image became."""

    gt: Array
    lq: Array
    plan: Plan


@dataclass(frozen=True)
class Recipe:
    """A checked recipe.

    Args:
        name: Its name.
        scale: GT side / LQ side.
        extract: How GT windows are cut from source images.
        to_gt: Steps from HR crop to GT (``target:`` in the file).
        to_lq: Steps from GT to LQ (``degrade:`` in the file).
        options: The switches, as they were set.
        seed: Keys every draw.
        per_image: Random crops for each image where that is not the file's own number.
        text: The file's text, stored in datasets; what it comes to where the file extends another one.
        folder: Where the file is; paths in it are relative to this.
    """

    name: str
    scale: int
    extract: Extract
    to_gt: Chain
    to_lq: Chain
    options: Mapping[str, bool] = field(default_factory=dict)
    seed: int = 0
    per_image: int | None = None
    text: str = ""
    folder: str = ""

    @cached_property
    def digest(self) -> str:
        """Fingerprint of everything that decides what is drawn, the seed aside: 32 hex digits.

        Names of the recipe, comments and formatting do not count; every range, probability, node name, order and the
        versions of the ops do.
        """
        return hashlib.blake2b(canonical_json(self.to_json()).encode(), digest_size=16).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The recipe with options resolved, order kept as lists of pairs."""
        return {
            "scale": self.scale,
            "extract": self.extract.model_dump(mode="json"),
            "target": _to_json(self.to_gt),
            "degrade": _to_json(self.to_lq),
        }

    def columns(self) -> dict[str, str]:
        """Every ``gt.*`` and ``deg.*`` column that a plan of this recipe can fill, with its type."""
        return column_types("gt", self.to_gt) | column_types("deg", self.to_lq)

    def draw(self, *, key: str, geometry: Geometry, variant: int = 0, cuts: tuple[int, ...] = ()) -> Plan:
        """Choose every number for one pair.

        Args:
            key: Sample key; the same key always draws the same plan.
            geometry: Size of the HR crop.
            variant: Which LQ of this GT. The GT's own steps do not depend on it.
            cuts: Frames of a clip with which a new scene begins, rising: numbers are drawn anew there.

        Raises:
            RecipeError: The steps do not end at GT / scale.

        Example:
            >>> recipe = load_recipe("real_esrgan")
            >>> plan = recipe.draw(key="cat.png", geometry=Geometry(1, 400, 400))
            >>> plan.lq_geometry.size
            (100, 100)
            >>> Plan.from_json(plan.to_json()) == plan
            True
        """
        made, g = resolve(self.to_gt, Draws(sample_key(self.seed, key, None), cuts=cuts), "", geometry)
        if g.h % self.scale or g.w % self.scale:
            raise RecipeError(
                f"recipe {self.name}: the GT of {key} is {g.h}x{g.w} px, no multiple of the scale {self.scale}; "
                "choose a size that is"
            )
        want = (g.h // self.scale, g.w // self.scale)
        start = Geometry(g.t, g.h, g.w, g.c, target=want)
        steps, end = resolve(self.to_lq, Draws(sample_key(self.seed, key, variant), cuts=cuts), "", start)
        if end.size != want:
            raise RecipeError(
                f"recipe {self.name}: degrade ends at {end.h}x{end.w} px for a GT of {g.h}x{g.w}, which at scale "
                f"{self.scale} needs {want[0]}x{want[1]} (steps {' -> '.join(step.at for step in steps)}); "
                "end with a resize that is relative_to: target"
            )
        return Plan(self.digest, self.seed, key, variant, geometry.shape, tuple(made), tuple(steps), cuts)

    def degrade(self, image: Array, *, key: str, variant: int = 0) -> Pair:
        """Draw and apply in one call, for an array in a notebook.

        Args:
            image: See :func:`as_hr`: uint8, uint16 or float; grey, RGB or RGBA; an image or a clip. It is taken whole:
                ``extract`` is for builds from files.
            key: Sample key.
            variant: Which LQ of this GT.

        Returns:
            GT ``[H, W, 3]``, LQ ``[H / scale, W / scale, 3]`` and the plan; of a clip, with frames as the first axis.

        Example:
            >>> image = np.full((64, 64, 3), 128, np.uint8)
            >>> pair = load_recipe("real_esrgan").degrade(image, key="grey.png")
            >>> pair.gt.shape, pair.lq.shape
            ((64, 64, 3), (16, 16, 3))
            >>> bool((pair.plan.make_lq(pair.gt[None])[0] == pair.lq).all())
            True
        """
        clip = as_hr(image, self.scale)
        plan = self.draw(key=key, geometry=Geometry(*clip.shape), variant=variant)
        gt = plan.make_gt(clip)
        lq = plan.make_lq(gt)
        return Pair(gt, lq, plan) if image.ndim == 4 else Pair(gt[0], lq[0], plan)


def as_hr(image: Array, scale: int) -> Array:
    """Turn an array from a notebook into an HR clip.

    Args:
        image: ``[H, W]``, ``[H, W, 1]`` (replicated to RGB), ``[H, W, 3]`` RGB or ``[H, W, 4]`` RGBA (composited over
            white); or a clip ``[T, H, W, C]`` with C = 1, 3 or 4; uint8, uint16, or float in [0, 1] (rounded to 8 bit).
        scale: The size is cut at the right and bottom to a multiple of it.

    Returns:
        uint8 or uint16 ``[T, H', W', 3]``, T = 1 for an image.

    Raises:
        RecipeError: Another shape or type, values outside [0, 1] or not finite, or fewer than ``scale`` px.
    """
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        kind = getattr(image, "dtype", type(image).__name__)
        raise RecipeError(f"degrade takes a numpy array of uint8, uint16, float32 or float64, not {kind}")
    clip = image[..., None] if image.ndim == 2 else image
    clip = clip if clip.ndim == 4 else clip[None]
    if clip.ndim != 4 or not len(clip) or clip.shape[3] not in (1, 3, 4):
        raise RecipeError(
            "degrade takes one image [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], or one clip [T, H, W, C], "
            f"not {image.shape}"
        )
    if min(clip.shape[1:3]) < scale:
        raise RecipeError(f"an image of {clip.shape[1]}x{clip.shape[2]} px has no LQ at scale {scale}")
    if clip.dtype.kind == "f":
        if not (np.isfinite(clip).all() and clip.min() >= 0 and clip.max() <= 1):
            raise RecipeError("a float image must lie in [0, 1] and hold no NaN; divide 0..255 values by 255")
        clip = np.floor(clip * 255 + 0.5).astype(np.uint8)
    if clip.shape[3] == 4:
        top = int(np.iinfo(clip.dtype).max)
        rgb, alpha = clip[..., :3].astype(np.uint64), clip[..., 3:].astype(np.uint64)
        clip = ((rgb * alpha + top * (top - alpha) + top // 2) // top).astype(clip.dtype)
    if clip.shape[3] == 1:
        clip = np.repeat(clip, 3, axis=3)
    h, w = (side - side % scale for side in clip.shape[1:3])
    return np.ascontiguousarray(clip[:, :h, :w])


def recipe_names() -> dict[str, Path]:
    """Recipes that are shipped: name -> file."""
    package = Path(__file__).parent
    folder = next(f for f in (package / "recipes", package.parent / "recipes") if f.is_dir())
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_recipe(source: str | Path, *, seed: int = 0, per_image: int | None = None, **options: bool) -> Recipe:
    """Read and check a recipe.

    Args:
        source: The name of a shipped recipe (``"real_esrgan"``) or the path of a YAML file.
        seed: Keys every draw.
        per_image: Random crops for each image, instead of the recipe's own number.
        options: Switches of the recipe's ``options:``, such as ``gt_usm=True``.

    Raises:
        RecipeError: The file cannot be read, or one line for everything that is wrong in it.

    Example:
        >>> load_recipe("real_esrgan").scale
        4
        >>> load_recipe("real_esrgan", gt_usm=True).digest == load_recipe("real_esrgan").digest
        False
    """
    shipped = recipe_names()
    path = shipped.get(str(source), Path(source))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise RecipeError(
            f"cannot read the recipe {source}: {reason}; shipped recipes are {', '.join(shipped)}"
        ) from error
    folder = str(path.absolute().parent)
    return parse_recipe(text, where=str(path), seed=seed, options=options, per_image=per_image, folder=folder)


def parse_recipe(
    text: str,
    *,
    where: str = "recipe",
    seed: int = 0,
    options: Mapping[str, bool] | None = None,
    per_image: int | None = None,
    folder: str = "",
) -> Recipe:
    """Check the text of a recipe; see :func:`load_recipe`.

    Args:
        text: YAML.
        where: What to call it in errors.
        seed: Keys every draw.
        options: Switches to set.
        per_image: Random crops for each image.
        folder: What paths in the text are relative to; empty for the working directory.
    """
    raw = read_yaml(text, where)
    problems = Problems(where, folder)
    problems.unknown("", raw, _FIELDS if "extends" not in raw else (*_FIELDS, *EXTENSION_FIELDS))
    if "extends" in raw:
        problems.raise_any()
        comment = f"what comes out of {Path(where).name}, which extends {raw['extends']}"
        raw = resolve_extends(raw, where=where, folder=Path(folder), find=_find, seen=(Path(where).resolve(),))
        text = to_yaml(raw, comment)
    scale = raw.get("scale")
    if not isinstance(scale, int) or isinstance(scale, bool) or not 1 <= scale <= 16:
        problems.add("scale", f"{scale!r} is no scale; write a whole number from 1 to 16")
        scale = 1
    switches = _options(raw.get("options") or {}, options or {}, problems)
    extract = problems.model("extract", Extract, _extract(raw.get("extract") or {}, per_image))
    target = parse_chain(raw.get("target") or {}, "target", switches, problems)
    degrade = parse_chain(raw.get("degrade") or {}, "degrade", switches, problems)
    if not degrade.children and not problems.found:
        problems.add("degrade", "no steps are left; name at least one op")
    problems.raise_any()
    assert extract is not None
    name = str(raw.get("name") or Path(where).stem)
    recipe = Recipe(name, scale, extract, target, degrade, switches, seed, per_image, text, folder)
    probe(recipe, PROBES)
    return recipe


def _find(name: str, folder: Path) -> Found:
    """The recipe that ``extends`` means."""
    shipped = recipe_names()
    path = shipped.get(name, folder / name)
    try:
        return Found(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise RecipeError(
            f"extends: cannot read {path}: {reason}; {name!r} is neither a path from there nor a shipped recipe"
            f"{nearest(name, tuple(shipped))}"
        ) from error


def probe(recipe: Recipe, count: int) -> list[Plan]:
    """Draw plans for keys that stand for nothing, on the recipe's own GT size.

    Raises:
        RecipeError: One of them does not end at GT / scale, or an op refuses the size that it gets.
    """
    g = probe_geometry(recipe)
    try:
        return [recipe.draw(key=f"probe#{i}", geometry=g) for i in range(count)]
    except OpError as error:
        whole = "" if recipe.extract.window_size else f" (whole images are tried at {g.h}x{g.w} px)"
        raise RecipeError(f"recipe {recipe.name}: {error}{whole}") from error


def probe_geometry(recipe: Recipe) -> Geometry:
    """The HR size that the recipe asks for; for whole images, a landscape one."""
    h, w = recipe.extract.window_size or (60 * recipe.scale, 80 * recipe.scale)
    return Geometry(recipe.extract.frames, h, w)


def _options(declared: Any, given: Mapping[str, bool], problems: Problems) -> dict[str, bool]:
    if not isinstance(declared, Mapping) or not all(isinstance(value, bool) for value in declared.values()):
        problems.add("options", f"{declared!r} must map names to true or false")
        return {}
    problems.unknown("options", given, tuple(declared), what="option")
    return {name: bool(given.get(name, default)) for name, default in declared.items()}


def _extract(raw: Any, per_image: int | None) -> Any:
    return {**raw, "per_image": per_image} if per_image is not None and isinstance(raw, Mapping) else raw


def _to_json(node: Node) -> Any:
    match node:
        case Op():
            ranges = node.model_dump(mode="json", context={"digest": True})
            return {"op": node.name, "version": node.draws.version, "ranges": ranges}
        case Blend(mask=mask, child=child):
            return {"blend": _to_json(mask), "node": _to_json(child)}
        case Chain(children=children):
            return {"chain": [[name, _to_json(child)] for name, child in children]}
        case Shuffle(children=children, before=before):
            made: dict[str, Any] = {"shuffle": [[name, _to_json(child)] for name, child in children]}
            return made | ({"before": [list(pair) for pair in before]} if before else {})
        case OneOf(children=children, p=p):
            return {"one_of": [[name, _to_json(child)] for name, child in children], "p": list(p)}
        case Maybe(p=p, child=child):
            return {"p": p, "node": _to_json(child)}
        case Repeat(n=n, child=child):
            return {"repeat": n.to_json(), "node": _to_json(child)}
