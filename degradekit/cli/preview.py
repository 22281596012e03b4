"""Draw one page that shows what a recipe does, before hours are spent on it."""

from __future__ import annotations

import argparse

from degradekit.cli.options import add_out, at_least

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    parser.add_argument("recipe", help="a shipped recipe's name or a YAML file")
    parser.add_argument(
        "--source", default="sample", metavar="IMAGES", help="folder, glob, list, image or URI (default sample)"
    )
    add_out(parser)
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=BOOL", help="set an option")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="keys every draw (default 0)")
    parser.add_argument(
        "--plans", type=at_least(10), default=2000, metavar="N", help="plans that the histograms count (default 2000)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    from degradekit.cli.options import recipe_options, write_page
    from degradekit.preview import preview
    from degradekit.recipe import load_recipe

    recipe = load_recipe(args.recipe, seed=args.seed, **recipe_options(args.set))
    write_page(preview(recipe, source=args.source, plans=args.plans), args.out, default=f"preview-{recipe.name}")
    return 0
