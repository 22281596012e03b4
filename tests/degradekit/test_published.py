"""20,000 plans of each canonical recipe against the numbers of its publication, which stand in ``published.py``.

Every parameter's distribution (Kolmogorov-Smirnov or chi-square), every branch's rate (binomial) and the
independence of the parameters of a step are tested at a family-wise level of 1 % (Bonferroni), and what is in no table
must not vary. Draws are keyed, so a result does not change from run to run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import combinations, pairwise, permutations
from typing import Any

import numpy as np
import pytest
from published import CODEFORMER, TABLES, Law, Table, uniform
from scipy import stats

from degradekit.ops import Draw
from degradekit.recipe import Recipe, load_recipe, parse_recipe
from degradekit.types import Geometry

N = 20_000
LEVEL = 0.01
SIDE = 40_000
"""GT side in px of the plans: large, so that sizes in whole px show the factors that were drawn."""


@dataclass(frozen=True)
class Seen:
    """What the plans of a recipe show.

    Args:
        paths: For each plan, where its steps on the way to the LQ come from.
        evidence: What was tested, and the probability of so large a deviation if the table is right.
    """

    paths: list[tuple[str, ...]]
    evidence: list[tuple[str, float]]


@cache  # orders and distributions look at the same plans, of which nothing else is kept
def seen(name: str) -> Seen:
    return look(load_recipe(name), TABLES[name])


def look(recipe: Recipe, table: Table) -> Seen:
    drawn: dict[str, list[tuple[Draw, float, float]]] = defaultdict(list)
    paths = []
    for i in range(N):
        plan = recipe.draw(key=f"{i}.png", geometry=Geometry(1, SIDE, SIDE))
        for step in plan.target:
            drawn["gt/" + step.at].append((step.draw, 1, 1))
        g = Geometry(1, SIDE, SIDE)
        for step in plan.degrade:
            h = getattr(step.draw, "h", 0)
            drawn[step.at].append((step.draw, h / g.h, h * recipe.scale / SIDE))
            g = step.draw.out_geometry(g)
        paths.append(tuple(step.at for step in plan.degrade))
    return Seen(paths, sorted(evidence(drawn, table), key=lambda item: item[1]))


NOT_LAWS = {"field", "mix", "h", "w", "of_current", "of_target", "b_frames"}
"""Names, matrices, and what other numbers say already."""


def evidence(drawn: dict[str, list[tuple[Draw, float, float]]], table: Table) -> Iterator[tuple[str, float]]:
    assert set(drawn) == set(table)
    yield from rates(drawn, table)
    for at, (_, laws) in table.items():
        draws, of_current, of_target = zip(*drawn[at], strict=True)
        values: dict[str, Any] = {field.name: [getattr(d, field.name) for d in draws] for field in fields(draws[0])}
        values |= {"of_current": of_current, "of_target": of_target}
        for parameter, law in laws.items():
            if isinstance(law, str):
                assert values[parameter] == values[law], f"{at}.{parameter}"
            else:
                yield from fits(f"{at}.{parameter}", values[parameter], law)
        for parameter in set(values) - set(laws) - NOT_LAWS:
            assert len(set(values[parameter])) == 1, f"{at}.{parameter} varies and is in no table"
        yield from independence(at, {p: values[p] for p, law in laws.items() if isinstance(law, Law) and law.cdf})


def rates(drawn: Mapping[str, list[Any]], table: Table) -> Iterator[tuple[str, float]]:
    """How often each step is drawn, and how often any branch of each choice is."""
    chances, counts = defaultdict(float, {at: rate for at, (rate, _) in table.items()}), Counter[str]()
    for at, (rate, _) in table.items():
        counts[at] += len(drawn[at])
        choice, _, branch = at.rpartition(":")
        if choice and "/" not in branch:
            chances[f"any {choice}"] += rate
            counts[f"any {choice}"] += len(drawn[at])
    for at, rate in chances.items():
        if rate > 1 - 1e-9:
            assert counts[at] == N, at
        else:
            yield f"{at} happens", float(stats.binomtest(counts[at], N, rate).pvalue)


def fits(what: str, values: Sequence[Any], law: Law) -> Iterator[tuple[str, float]]:
    counts = Counter(values) if law.atoms else Counter()
    atoms = {value: counts[value] for value in law.atoms}
    rest = np.array([value for value in values if value not in law.atoms] if law.atoms else values)
    if law.cdf is None:
        assert not len(rest), f"{what}: {set(rest.tolist())} cannot be drawn"
    else:
        yield f"{what} rest", float(stats.kstest(rest, law.cdf, method="asymp").pvalue)
    expected = np.array([*law.atoms.values(), *([1 - sum(law.atoms.values())] if law.cdf else [])]) * len(values)
    if len(expected) > 1:
        found = np.array([*atoms.values(), *([len(rest)] if law.cdf else [])])
        yield f"{what} atoms", float(stats.chisquare(found, expected).pvalue)


def independence(at: str, numbers: dict[str, list[float]]) -> Iterator[tuple[str, float]]:
    for (a, x), (b, y) in combinations(numbers.items(), 2):
        yield f"{at}: {a} and {b}", float(stats.spearmanr(x, y).pvalue)


@pytest.mark.parametrize("name", TABLES)
def test_plans_follow_the_published_distributions(name: str) -> None:
    found = seen(name).evidence
    worst = [f"{what}: p = {p:.2g}" for what, p in found[:3]]
    assert found[0][1] * len(found) > LEVEL, (len(found), worst)


def orders(name: str, prefix: str) -> list[tuple[str, ...]]:
    """For each plan, the children of a shuffle in the order in which they ran."""
    made = []
    for steps in seen(name).paths:
        names = [at.removeprefix(prefix).split("/")[0].split(":")[0] for at in steps if at.startswith(prefix)]
        made.append(tuple(dict.fromkeys(names)))
    return [order for order in made if order]


def test_the_chains_have_the_published_order() -> None:
    second = ["sharpen", "blur1", "resize1", "noise1", "jpeg1", "blur2", "resize2", "noise2"]
    sequences: dict[str, list[str]] = {
        "real_esrgan": second,
        "mmagic_real_esrgan": second,
        "stablesr": second[1:],
        "gfpgan": ["blur", "down", "noise", "jpeg", "up", "cast", "grey", "jitter"],
        "codeformer": ["blur", "down", "noise", "jpeg", "up"],
        "bsrgan": ["stage", "jpeg"],
        "bsrgan_plus": ["stage", "down", "jpeg"],
        "realbasicvsr": [*second[:5], "video1", *second[5:], "jpeg2"],
        "animesr": ["blur", "noise", "down", "video"],
        "apisr": ["stage1", "codec1", "stage2", "down", "codec2"],
    }
    for name, sequence in sequences.items():
        for steps in seen(name).paths[:2000]:
            heads = list(dict.fromkeys(at.split("/")[0].split(":")[0] for at in steps))
            rest = (
                heads if name not in ("real_esrgan", "mmagic_real_esrgan", "stablesr", "realbasicvsr") else heads[:-1]
            )
            assert rest == [head for head in sequence if head in heads], name


@pytest.mark.parametrize("name", ["real_esrgan", "mmagic_real_esrgan", "stablesr", "realbasicvsr"])
def test_the_last_two_change_places_in_half_of_the_pairs(name: str) -> None:
    """The resize and the sinc stay together: JPEG (or the video) before or after both."""
    other = "video2" if name == "realbasicvsr" else "jpeg2"
    counts = Counter(orders(name, "final/"))
    assert set(counts) == {("shape", other), (other, "shape")}
    assert stats.binomtest(counts[("shape", other)], N, 0.5).pvalue > LEVEL / 4
    for steps in seen(name).paths[:2000]:
        tail = [at for at in steps if at.startswith("final/shape/")]
        assert tail[0].endswith("resize3") and all(at.endswith("sinc") for at in tail[1:])


def even_over(found: Sequence[tuple[str, ...]], allowed: Sequence[tuple[str, ...]]) -> float:
    counts = Counter(found)
    assert set(counts) <= set(allowed)
    return float(stats.chisquare([counts[order] for order in allowed]).pvalue)


@pytest.mark.parametrize("branch", ["stage:direct/mix/", "stage:halved/mix/"])
def test_bsrgan_shuffles_all_and_keeps_its_second_downscale_behind_the_first(branch: str) -> None:
    names = ["blur1", "blur2", "down1", "down2", "noise", "jpeg"]
    found = orders("bsrgan", branch)
    assert all(order.index("down1") < order.index("down2") for order in found)
    allowed = [order for order in permutations(names) if order.index("down1") < order.index("down2")]
    assert len(allowed) == 360
    assert even_over([order for order in found if "jpeg" in order], allowed) > LEVEL
    without = [tuple(name for name in order if name != "jpeg") for order in allowed]
    assert even_over([order for order in found if "jpeg" not in order], sorted(set(without))) > LEVEL


def test_bsrgan_plus_shuffles_noise_always_and_all_in_a_tenth() -> None:
    fixed = [
        ("blur1", "resize1", "mix1", "jpeg", "blur2", "resize2", "mix2"),
    ]
    ordered = orders("bsrgan_plus", "stage:ordered/")
    assert set(ordered) == set(fixed)
    for i in (1, 2):
        found = orders("bsrgan_plus", f"stage:ordered/mix{i}/")
        for kinds in (("gaussian", "poisson"), ("gaussian", "speckle")):
            pairs = [order for order in found if set(order) == set(kinds)]
            assert stats.binomtest(pairs.count(kinds), len(pairs), 0.5).pvalue > LEVEL / 4
    shuffled = orders("bsrgan_plus", "stage:shuffled/")
    for a, b in combinations(("blur1", "resize1", "gaussian1", "jpeg", "blur2", "resize2", "gaussian2"), 2):
        first = sum(order.index(a) < order.index(b) for order in shuffled)
        assert stats.binomtest(first, len(shuffled), 0.5).pvalue > LEVEL / 21


def test_gfpgan_jitters_in_any_order() -> None:
    names = ["brightness", "contrast", "saturation", "hue"]
    assert even_over(orders("gfpgan", "jitter/"), list(permutations(names))) > LEVEL


@pytest.mark.parametrize("stage", ["stage1/", "stage2/"])
def test_apisr_puts_its_resize_in_one_of_three_places(stage: str) -> None:
    allowed = [("resize", "blur", "noise"), ("blur", "resize", "noise"), ("blur", "noise", "resize")]
    found = [order for order in orders("apisr", stage) if len(order) == 3]
    assert even_over(found, allowed) > LEVEL


STEPS = {"sigma_x": 0.02, "sigma_y": 0.02, "rotation": 0.31416, "cutoff": 0.0628, "sigma": 0.1 / 255, "scale": 0.005}


def test_realbasicvsr_walks_by_the_published_steps() -> None:
    """Each frame adds U[-step, step] and is cut to the range; sizes, kinds and greyness are those of the clip."""
    recipe = load_recipe("realbasicvsr")
    moves: dict[str, list[float]] = defaultdict(list)
    for i in range(400):
        plan = recipe.draw(key=f"{i}", geometry=Geometry(15, 256, 256))
        for step in plan.degrade:
            betas = {"generalized_blur": 0.05, "plateau_blur": 0.1}.get(step.draw.name)
            for name, width in {**STEPS, "beta": betas, "quality": 3}.items():
                values = getattr(step.draw, name, None)
                if isinstance(values, tuple) and width is not None:
                    low, high = min(values), max(values)
                    inner = [b - a for a, b in pairwise(values) if low < a < high and low < b < high]
                    moves[name] += [move / width for move in inner]
    for name, steps in moves.items():
        assert len(steps) > 300, name
        assert max(map(abs, steps)) <= (1 + 1e-3 if name != "quality" else 4 / 3), name
        assert abs(np.std(steps) - 3**-0.5) < 0.06, name


def test_animesr_draws_noise_for_every_frame() -> None:
    recipe = load_recipe("animesr")
    drawn = [recipe.draw(key=f"{i}", geometry=Geometry(15, 256, 256)) for i in range(400)]
    sigmas = np.array([next(s.draw.sigma for s in plan.degrade if s.at == "noise") for plan in drawn])  # type: ignore[attr-defined]
    assert sigmas.shape == (400, 15)
    assert stats.kstest(sigmas.ravel(), uniform(0, 10 / 255).cdf).pvalue > LEVEL
    assert abs(np.corrcoef(sigmas[:, :-1].ravel(), sigmas[:, 1:].ravel())[0, 1]) < 4 / sigmas[:, 1:].size ** 0.5
    assert all(isinstance(s.draw.sigma_x, float) for plan in drawn for s in plan.degrade if "blur" in s.at)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        "degrade.blur.iso.p: 0.52, degrade.blur.aniso.p: 0.48",
        "degrade.jpeg.quality_range: [60, 99]",
        "degrade.noise.sigma_range: [0, 15.3/255]",
    ],
)
def test_a_small_departure_is_noticed(change: str) -> None:
    """A rate, a discrete and a continuous range that are off by a fiftieth or so."""
    recipe = parse_recipe(f"extends: codeformer\nchange: {{{change}}}")
    found = look(recipe, CODEFORMER).evidence
    assert found[0][1] * len(found) < LEVEL / 10
