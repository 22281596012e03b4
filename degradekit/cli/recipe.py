"""Look at recipes: lint finds mistakes and measures, show prints one, diff compares two, schema is for editors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from degradekit.cli import recipe_diff
from degradekit.cli.options import at_least

if TYPE_CHECKING:
    from degradekit.lint import Lint
    from degradekit.recipe import Recipe

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of this verb."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    lint = actions.add_parser("lint", help="find what a valid recipe still gets wrong, and measure what it costs")
    show = actions.add_parser("show", help="print the recipe with its options resolved")
    actions.add_parser("schema", help="print the JSON Schema of recipes, for editors")
    recipe_diff.add_arguments(actions.add_parser("diff", help="compare what two recipes say and what they draw"))
    for action in (lint, show):
        action.add_argument("recipe", help="a shipped recipe's name or a YAML file")
        action.add_argument("--set", action="append", default=[], metavar="OPTION=BOOL", help="set an option")
        action.add_argument("--json", action="store_true", help="print JSON")
    lint.add_argument(
        "--pairs", type=at_least(0), default=20, metavar="N", help="pairs to measure, 0 for none (default 20)"
    )
    show.add_argument("--yaml", action="store_true", help="print it as a recipe file that extends no other")
    show.add_argument("--plan", metavar="KEY", help="also draw the plan of this sample key")
    show.add_argument("--seed", type=int, default=0, metavar="N", help="keys the draws of --plan (default 0)")


def run(args: argparse.Namespace) -> int:
    """Run lint (1 when there is a warning or an error), show, schema, or diff (1 when there is a difference)."""
    return {"lint": _lint, "show": _show, "schema": _schema, "diff": recipe_diff.run}[args.action](args)


def _schema(args: argparse.Namespace) -> int:
    import json

    from degradekit.schema import recipe_schema

    print(json.dumps(recipe_schema(), indent=1))
    return 0


def _lint(args: argparse.Namespace) -> int:
    import json

    from degradekit.cli.options import recipe_options
    from degradekit.lint import lint

    found = lint(args.recipe, pairs=args.pairs, **recipe_options(args.set))
    print(json.dumps(found.to_json(), indent=1) if args.json else "\n".join(_lint_lines(found)))
    return 0 if found.clean else 1


def _lint_lines(found: Lint) -> Iterator[str]:
    from degradekit.table import align

    yield f"{found.recipe}, digest {found.digest}"
    yield from align([(finding.severity, finding.path, finding.message) for finding in found.findings])
    if not found.findings:
        yield "  nothing to remark"
    if found.costs:
        total = sum(cost.milliseconds for cost in found.costs)
        rows = [
            (cost.stage, f"{cost.milliseconds:7.2f} ms", f"{cost.milliseconds / total:6.1%}") for cost in found.costs
        ]
        yield f"cost of a pair of {found.gt[0]}x{found.gt[1]} px on one core of this machine:"
        yield from align([*rows, ("together", f"{total:7.2f} ms", "")])


def _show(args: argparse.Namespace) -> int:
    import json

    from degradekit.cli.options import recipe_options
    from degradekit.describe import describe_plan
    from degradekit.recipe import load_recipe, probe_geometry

    recipe = load_recipe(args.recipe, seed=args.seed, **recipe_options(args.set))
    if args.yaml:
        print(recipe.text, end="")
        return 0
    plan = recipe.draw(key=args.plan, geometry=probe_geometry(recipe)) if args.plan else None
    if args.json:
        value = {"name": recipe.name, "digest": recipe.digest, "options": dict(recipe.options), **recipe.to_json()}
        drawn = {"plan": json.loads(plan.to_json())} if plan is not None else {}
        print(json.dumps({**value, "columns": recipe.columns(), **drawn}, indent=1))
        return 0
    print("\n".join(_show_lines(recipe)))
    if plan is not None:
        print(
            "\n".join([f"plan of {args.plan} under seed {args.seed}", *(f"  {line}" for line in describe_plan(plan))])
        )
    return 0


def _show_lines(recipe: Recipe) -> Iterator[str]:
    from degradekit.table import align

    raw = recipe.to_json()
    options = ", ".join(f"{name} {'on' if value else 'off'}" for name, value in recipe.options.items())
    yield from align(
        [
            ("recipe", recipe.name),
            ("scale", str(recipe.scale)),
            ("digest", recipe.digest),
            ("options", options or "none"),
            ("extract", ", ".join(f"{name} {value}" for name, value in raw["extract"].items() if value is not None)),
        ],
        indent="",
    )
    for title, tree in (("target: HR -> GT", raw["target"]), ("degrade: GT -> LQ", raw["degrade"])):
        yield title
        yield from _tree_lines(tree, "  ")
    columns = recipe.columns()
    yield f"{len(columns)} columns"
    yield from align(list(columns.items()))


def _tree_lines(tree: dict[str, Any], indent: str, name: str = "", p: str = "") -> Iterator[str]:
    """A node of ``Recipe.to_json`` and what is in it, one line for each node."""
    head = f"{indent}{name}: {p}" if name else f"{indent}{p}"
    match tree:
        case {"op": op, "ranges": ranges}:
            words = ", ".join(f"{key} {_range(value)}" for key, value in ranges.items() if value not in (None, {}))
            yield f"{head}{op}({words})"
        case {"blend": mask, "node": node}:
            yield from _tree_lines(mask, indent, name, p)
            yield from _tree_lines(node, indent + "  ")
        case {"node": node, "p": chance}:
            yield from _tree_lines(node, indent, name, f"{p}p {chance:g} ")
        case {"node": node, "repeat": count}:
            yield from _tree_lines(node, indent, name, f"{p}{_range(count)} times ")
        case _:
            kind = next(kind for kind in ("chain", "one_of", "shuffle") if kind in tree)
            if name:
                yield f"{head}{kind}"
            chances = tree.get("p") or [None] * len(tree[kind])
            for (child, node), chance in zip(tree[kind], chances, strict=True):
                inner = indent + "  " * bool(name)
                yield from _tree_lines(node, inner, child, "" if chance is None else f"p {chance:g} ")


def _range(value: Any) -> str:
    """A range as a recipe writes it, numbers in four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_range, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_range(item)}' for key, item in value.items())}}}"
    return str(value)
