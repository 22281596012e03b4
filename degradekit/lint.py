"""What a valid recipe still gets wrong: parts that do nothing, sizes that do not come out, and what it costs.

``load_recipe`` refuses what cannot mean anything. The linter draws some thousand plans, applies every op to a small
picture, and says what those draws show.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from degradekit.apply import to_float
from degradekit.cost import Cost, measure_cost, synthetic_picture
from degradekit.dist import Const, Dist
from degradekit.errors import DegradekitError
from degradekit.graph import Blend, Chain, Maybe, Node, OneOf, Repeat, Shuffle, leaves
from degradekit.nodes import read_yaml
from degradekit.ops.base import Draw, Op, at_frame
from degradekit.ops.gaussian_blur import GaussianBlur, GaussianBlurDraw
from degradekit.ops.kernels import gaussian
from degradekit.plan import Plan
from degradekit.recipe import Recipe, load_recipe, probe_geometry
from degradekit.rng import Draws, sample_key
from degradekit.steps import Mask, unfold
from degradekit.types import FloatImage, Geometry

__all__ = ["Finding", "Lint", "Severity", "lint"]

Severity: TypeAlias = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")

DRAWS = 2000
"""Plans drawn to prove sizes: what goes wrong once in 400 draws is seen with a probability of 99 %."""
TRIALS = 200
"""Draws of each op that are applied to a small picture; a share of a half is known to 7 % (two sigma)."""
HALF_LEVEL = 0.5 / 255
CUT = 0.1
MANY, SOME = 0.5, 0.05
"""Shares of draws without effect from which on a step gets a warning, and a note."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at.

    Args:
        severity: ``error``: builds will fail. ``warning``: probably not what is meant. ``info``: worth knowing.
        path: Where in the recipe: ``degrade.noise1.gaussian``.
        message: What, with its figures, and the remedy.
    """

    severity: Severity
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Lint:
    """What came of linting a recipe.

    Args:
        recipe: Its name.
        digest: Fingerprint of its meaning.
        gt: (height, width) of the GT that costs are for.
        findings: Errors first.
        costs: Dearest first; empty when not measured.
    """

    recipe: str
    digest: str
    gt: tuple[int, int]
    findings: tuple[Finding, ...]
    costs: tuple[Cost, ...]

    @property
    def clean(self) -> bool:
        """Whether there is nothing worse than a note."""
        return all(finding.severity == "info" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """JSON value."""
        return {**asdict(self), "milliseconds": sum(cost.milliseconds for cost in self.costs), "clean": self.clean}


def lint(source: str | Path, *, draws: int = DRAWS, pairs: int = 20, **options: bool) -> Lint:
    """Look for what a valid recipe still gets wrong.

    Args:
        source: The name of a shipped recipe or the path of a YAML file.
        draws: Plans to draw.
        pairs: Pairs to make for the cost; 0 measures none.
        options: Switches of the recipe.

    Raises:
        RecipeError: The recipe is not valid.

    Example:
        >>> lint("bicubic", draws=50, pairs=0).clean
        True
    """
    recipe = load_recipe(source, **options)
    findings = [
        *_dead_options(recipe),
        *_never(recipe.to_gt, "target"),
        *_never(recipe.to_lq, "degrade"),
        *_pointless_series(recipe),
        *_faults(recipe),
        *_drawn(recipe, draws),
        *_without_effect(recipe),
        *_cut_off(recipe),
    ]
    order = list(_ops(recipe))
    findings.sort(key=lambda f: (SEVERITIES.index(f.severity), order.index(f.path) if f.path in order else -1))
    g = probe_geometry(recipe)
    costs = measure_cost(recipe, pairs) if pairs else ()
    return Lint(recipe.name, recipe.digest, g.size, tuple(findings), costs)


def _dead_options(recipe: Recipe) -> Iterator[Finding]:
    raw = read_yaml(recipe.text, recipe.name)
    used = {str(when).split()[-1] for when in _values(raw, "when")}
    for name in recipe.options:
        if name not in used:
            yield Finding("warning", f"options.{name}", "no node refers to it with when; remove it or use it")


def _values(raw: Any, key: str) -> Iterator[Any]:
    """Every value that stands under a key, at any depth."""
    if isinstance(raw, Mapping):
        for name, value in raw.items():
            if name == key:
                yield value
            yield from _values(value, key)


def _never(node: Node, path: str) -> Iterator[Finding]:
    """Parts that cannot run."""
    match node:
        case Chain(children=children) | Shuffle(children=children):
            for name, child in children:
                yield from _never(child, f"{path}.{name}")
        case OneOf(children=children, p=p):
            for i, (name, child) in enumerate(children):
                if p and p[i] == 0:
                    yield Finding("warning", f"{path}.{name}.p", "it is 0: this branch is never chosen; remove it")
                else:
                    yield from _never(child, f"{path}.{name}")
        case Maybe(p=p, child=child):
            if p == 0:
                yield Finding("warning", f"{path}.p", "it is 0: this never happens; remove the node")
            else:
                yield from _never(child, path)
        case Repeat(n=n, child=child):
            if n.support()[1] == 0:
                yield Finding("warning", f"{path}.repeat", "it is 0: this never happens; remove the node")
            yield from _never(child, path)
        case Blend(child=child):
            yield from _never(child, path)
        case Op():
            return


def _pointless_series(recipe: Recipe) -> Iterator[Finding]:
    for path, op in _ops(recipe).items():
        for name in type(op).model_fields:
            dist = getattr(op, name)
            if not isinstance(dist, Dist) or dist.over_time == "hold":
                continue
            where = f"{path}.{name}.over_time"
            if isinstance(dist, Const) or dist.support()[0] == dist.support()[1]:
                yield Finding("warning", where, "a constant does not change over time; remove over_time")
            elif recipe.extract.clip is None:
                yield Finding("info", where, "it acts on clips only: an image gets one number")


def _faults(recipe: Recipe) -> Iterator[Finding]:
    for path, op in _ops(recipe).items():
        faults = [name for name, wanted in getattr(op, "compat", {}).items() if wanted]
        if faults or op.name == "diffjpeg":
            what = ", ".join(faults) or "diffjpeg"
            yield Finding(
                "info", path, f"it reproduces a fault of other software ({what}), for comparisons with its data"
            )


def _ops(recipe: Recipe) -> dict[str, Op]:
    """Every op by its place in the file; repetitions of one node are one."""
    return {
        _path(prefix, at): op
        for prefix, tree in (("target", recipe.to_gt), ("degrade", recipe.to_lq))
        for at, op in leaves(tree)
    }


def _path(prefix: str, at: str) -> str:
    """``stage[1]/noise:gaussian`` -> ``degrade.stage.noise.gaussian``: where a step stands in the file."""
    nodes = re.sub(r"\[\d+\]", "", at)
    return f"{prefix}.{re.sub('[/:]', '.', nodes)}"


def _drawn(recipe: Recipe, draws: int) -> Iterator[Finding]:
    """What the plans show: sizes that do not come out, idle resizes, odd sizes at a JPEG, branches not reached."""
    seen: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    odd: Counter[str] = Counter()
    for i in range(draws):
        try:
            plan = recipe.draw(key=f"lint#{i}", geometry=_geometry(recipe, i))
        except DegradekitError as error:
            yield Finding("error", "degrade", f"draw {i + 1} of {draws} fails: {error}")
            return
        for path, draw, g in _steps(plan):
            seen[path] += 1
            idle[path] += draw.name == "resize" and draw.out_geometry(g).size == g.size
            odd[path] += _splits_chroma(draw, g)
    for path, count in seen.items():
        yield from _share(path, idle[path] / count, "the image has the size already that it is resized to")
        if odd[path]:
            share = odd[path] / count
            yield Finding("info", path, f"in {share:.0%} of draws the size is odd where JPEG halves the chroma")
    for path in _ops(recipe):
        if path not in seen and draws >= DRAWS:
            yield Finding("info", path, f"it ran in none of {draws} draws")


def _geometry(recipe: Recipe, i: int) -> Geometry:
    """Size of the HR crop of the i-th draw: the recipe's own, or, for whole images, several shapes in turn."""
    own = probe_geometry(recipe)
    if recipe.extract.window_size is not None:
        return own
    sides = (own.h, own.w, own.h + recipe.scale, 15 * recipe.scale)
    return Geometry(own.t, sides[i % 4], sides[i // 4 % 4])


def _steps(plan: Plan) -> Iterator[tuple[str, Draw, Geometry]]:
    """Place, draw and arriving geometry of every step."""
    g = Geometry(*plan.hr)
    for step in unfold(plan.target):
        yield _path("target", step.at), step.draw, g
        g = step.draw.out_geometry(g)
    g = Geometry(g.t, g.h, g.w, g.c, target=plan.lq_geometry.size)
    for step in unfold(plan.degrade):
        yield _path("degrade", step.at), step.draw, g
        g = step.draw.out_geometry(g)


def _splits_chroma(draw: Draw, g: Geometry) -> bool:
    """Whether a JPEG has to invent the other half of a chroma sample at the border."""
    subsampling = getattr(draw, "subsampling", "")
    return (subsampling in ("4:2:0", "4:2:2") and g.w % 2 == 1) or (subsampling == "4:2:0" and g.h % 2 == 1)


def _without_effect(recipe: Recipe) -> Iterator[Finding]:
    """Ops that leave a small, detailed picture as it is, by half an 8-bit level everywhere."""
    side = recipe.scale * max(1, 48 // recipe.scale)
    x = to_float(synthetic_picture(side, side)[None])
    g = Geometry(1, side, side, target=(side // recipe.scale,) * 2)
    for path, op in _ops(recipe).items():
        if op.draws.moves_only or op.name == "resize" or isinstance(op, Mask):
            continue
        try:
            draws = [op.draw(Draws(sample_key(recipe.seed, f"trial#{i}", 0), path), g) for i in range(TRIALS)]
            idle = sum(_unchanged(draw, x) for draw in draws)
        except DegradekitError:
            continue  # an op with sizes of its own that a small picture does not have; the plans above have shown it
        yield from _share(path, idle / TRIALS, "it changes no pixel by half a level")


def _unchanged(draw: Draw, x: FloatImage) -> bool:
    out = draw.apply(x)
    return out is x or (out.shape == x.shape and float(np.abs(out - x).max()) < HALF_LEVEL)


def _cut_off(recipe: Recipe) -> Iterator[Finding]:
    """Gaussian blurs whose kernels are too small for their sigma, so that they blur less than the sigma says."""
    g = probe_geometry(recipe)
    for path, op in _ops(recipe).items():
        if not isinstance(op, GaussianBlur):
            continue
        draws = [op.draw(Draws(sample_key(recipe.seed, f"trial#{i}", 0), path), g) for i in range(TRIALS)]
        lost = [_lost_weight(draw) for draw in draws]
        worst = max(range(TRIALS), key=lost.__getitem__)
        sigma = at_frame(draws[worst].sigma_x, 0)
        example = f"size {draws[worst].size} keeps {1 - lost[worst]:.0%} at sigma {sigma:.3g}"
        what = f"the kernel cuts off more than {CUT:.0%} of its Gaussian's weight ({example})"
        yield from _share(path, sum(loss > CUT for loss in lost) / TRIALS, what, remedy="draw larger sizes")


def _lost_weight(draw: GaussianBlurDraw) -> float:
    """Share of a Gaussian's weight that falls outside its kernel."""
    sigma_x, sigma_y, rotation = (at_frame(value, 0) for value in (draw.sigma_x, draw.sigma_y, draw.rotation))
    margin = min(4 * math.ceil(max(sigma_x, sigma_y)), 100)
    whole = gaussian(draw.size + 2 * margin, sigma_x, sigma_y, rotation)
    return 1 - float(whole[margin : margin + draw.size, margin : margin + draw.size].sum())


def _share(path: str, share: float, what: str, *, remedy: str = "") -> Iterator[Finding]:
    """A finding whose weight depends on how often something happens; a rare one needs no remedy."""
    if share == 1:
        yield Finding("warning", path, f"in every draw {what}; {remedy or 'remove the node'}")
    elif share >= MANY:
        yield Finding(
            "warning", path, f"in {share:.0%} of draws {what}; {remedy or 'give the node another range or a p'}"
        )
    elif share >= SOME:
        yield Finding("info", path, f"in {share:.0%} of draws {what}")
