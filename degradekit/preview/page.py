"""Putting the preview together."""

from __future__ import annotations

from collections.abc import Iterator

import cv2

from degradekit.page import Page, Section
from degradekit.preview.draws import draws_section
from degradekit.preview.gallery import kernels_section, noise_section
from degradekit.preview.ladder import ladder_section, quality_section
from degradekit.preview.pairs import branches_section, walks_section
from degradekit.preview.source import SAMPLE, Example, examples
from degradekit.recipe import Recipe
from degradekit.survey import survey
from degradekit.types import Geometry

__all__ = ["preview"]


def preview(recipe: Recipe, *, source: str = SAMPLE, plans: int = 2000) -> Page:
    """Show what a recipe does: pictures step by step, other draws, every op from end to end, kernels, noise, numbers.

    Args:
        recipe: The recipe; its seed decides what is drawn.
        source: Where the pictures come from; see :func:`degradekit.source.list_images`.
        plans: How many plans the histograms count.

    Returns:
        A page for :func:`degradekit.page.render_html` or :func:`degradekit.page.render_png`.

    Raises:
        SourceError: The source has no picture for this recipe.
    """
    cv2.setNumThreads(1)
    moving = recipe.extract.frames > 1
    shown = examples(recipe, source, 2 if moving else 3)
    return Page(
        kind="degradekit preview",
        title=recipe.name,
        lead=_lead(recipe, source),
        facts=_facts(recipe, source),
        sections=list(_sections(recipe, shown, plans)),
        foot=f"degradekit preview {recipe.name} --source {source} --seed {recipe.seed}, recipe {recipe.digest}",
    )


def _sections(recipe: Recipe, shown: list[Example], plans: int) -> Iterator[Section]:
    first = shown[0]
    gt = recipe.draw(key=first.key, geometry=Geometry(*first.hr.shape)).make_gt(first.hr)
    yield walks_section(recipe, shown)
    yield branches_section(recipe, first)
    yield from filter(None, (kernels_section(recipe), noise_section(recipe), quality_section(recipe, gt)))
    yield draws_section(survey(recipe, plans))
    yield ladder_section(recipe, gt)


def _lead(recipe: Recipe, source: str) -> str:
    """What the file's own comment begins with, and where the pictures come from."""
    heading = next((line.lstrip("# ").strip() for line in recipe.text.splitlines() if line.startswith("#")), "")
    opening = f"{heading[:1].upper()}{heading[1:].rstrip('.')}. " if heading else ""
    if recipe.extract.frames > 1 and source == SAMPLE:
        return f"{opening}The clips are slow pans over the bundled photographs."
    return f"{opening}The pictures come from {'the bundled photographs' if source == SAMPLE else source}."


def _facts(recipe: Recipe, source: str) -> list[tuple[str, str]]:
    size = recipe.extract.window_size
    gt = f"{size[0]}x{size[1]} px" if size else "whole images"
    frames = [("frames", str(recipe.extract.frames))] if recipe.extract.frames > 1 else []
    options = ", ".join(f"{name} {'on' if value else 'off'}" for name, value in recipe.options.items())
    return [
        ("scale", f"x{recipe.scale}"),
        ("HR crop", gt),
        *frames,
        ("columns", str(len(recipe.columns()))),
        *([("options", options)] if options else []),
        ("seed", str(recipe.seed)),
        ("digest", recipe.digest[:12]),
    ]
