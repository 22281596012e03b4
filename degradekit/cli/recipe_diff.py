"""``degradekit recipe diff``: what two recipes say and draw differently."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from degradekit.cli.options import at_least

if TYPE_CHECKING:
    from degradekit.recipe_diff import Effect, RecipeDiff

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this action."""
    parser.add_argument("first", help="a shipped recipe's name or a YAML file")
    parser.add_argument("second", help="what it is compared to")
    parser.add_argument(
        "--plans", type=at_least(10), default=2000, metavar="N", help="plans to draw of each (default 2000)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="keys the draws of both (default 0)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="OPTION=BOOL", help="set an option of the second recipe"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print what differs; 0 when nothing does, 1 otherwise."""
    import json

    from degradekit.cli.options import recipe_options
    from degradekit.recipe import load_recipe
    from degradekit.recipe_diff import compare_recipes

    first = load_recipe(args.first, seed=args.seed)
    second = load_recipe(args.second, seed=args.seed, **recipe_options(args.set))
    found = compare_recipes(first, second, args.plans)
    print(json.dumps(found.to_json(), indent=1) if args.json else "\n".join(_lines(found, args.first, args.second)))
    return 1 if found.changes else 0


def _lines(found: RecipeDiff, first: str, second: str) -> Iterator[str]:
    from degradekit.table import align

    if not found.changes:
        yield f"{first} and {second} say the same"
        return
    yield f"{first} -> {second}: {len(found.changes)} difference{'s' * (len(found.changes) > 1)}"
    yield from align([(c.path, f"{c.was or 'not there'} -> {c.now or 'not there'}") for c in found.changes])
    if found.rates:
        yield f"how often nodes run, {found.plans} plans of each:"
        yield from align([(e.name, f"{e.shares[0]:6.1%} -> {e.shares[1]:6.1%}") for e in found.rates])
    both = [effect for effect in found.effects if effect.was and effect.now]
    if both:
        yield "what is drawn, largest effect first (5 % .. median .. 95 %, or shares of words):"
        head = ("column", "effect", "in pairs", "drawn")
        yield from align([head, *(_row(effect) for effect in both)])
    for words, only in (
        ("is gone", [e for e in found.effects if e.was]),
        ("is new", [e for e in found.effects if e.now]),
    ):
        names = [effect.name for effect in only if effect not in both]
        if names:
            yield f"what {words}: {', '.join(names)}"
    if not found.rates and not found.effects:
        yield "no draw is touched by that"


def _row(effect: Effect) -> tuple[str, str, str, str]:
    was, now = effect.shares
    pairs = f"{was:.1%}" if was == now else f"{was:.1%} -> {now:.1%}"
    return effect.name, f"{effect.size:.3f}", pairs, f"{_summary(effect.was)} -> {_summary(effect.now)}"


def _summary(values: dict[str, float]) -> str:
    if set(values) == {"5 %", "median", "95 %"}:
        return " .. ".join(f"{value:.4g}" for value in values.values())
    return ", ".join(f"{word} {share:.1%}" for word, share in values.items())
