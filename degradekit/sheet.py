"""Contact sheets: some pairs of a dataset side by side, GT and enlarged LQ, with what was drawn under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from degradekit import codecs
from degradekit.describe import caption
from degradekit.errors import ShardError
from degradekit.nodes import read_yaml
from degradekit.pick import spread
from degradekit.plan import Plan
from degradekit.shards.dataset import Dataset
from degradekit.steps import unfold
from degradekit.types import Array, Record

__all__ = ["Cell", "cell_of", "contact_sheet", "render"]

TILE = 320
"""Largest side of a shown image in px; a larger GT shows its middle, pixel by pixel."""
MARGIN, GUTTER, PAD, GAP = 40, 24, 20, 12
COLUMNS = 2
LINE = 18
CARD = 2 * TILE + GAP + 2 * PAD
GROUND, PAPER, RULE, INK, SOFT = "#f4f4f1", "#ffffff", "#deded8", "#1c1c1e", "#5c5f66"

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
Lines: TypeAlias = list[tuple[str, str]]
"""Lines of a caption: the place (empty in a continued line), and the words after it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair, ready to be drawn.

    Args:
        title: Key and variant.
        gt: uint8 ``[h, w, 3]``, at most ``TILE`` px.
        lq: uint8 of the same size, enlarged without smoothing.
        labels: What stands under GT and under LQ.
        steps: Place of every step, and what it did as phrases that are not broken over lines.
    """

    title: str
    gt: Array
    lq: Array
    labels: tuple[str, str]
    steps: tuple[tuple[str, list[str]], ...]


def contact_sheet(dataset: Dataset, count: int = 12) -> Image.Image:
    """Draw pairs spread evenly over the sources, the variants in turn; always the same ones.

    Args:
        dataset: From :func:`degradekit.shards.dataset.open_dataset`.
        count: How many pairs; fewer where there are fewer, or where some could not be made.

    Raises:
        ShardError: There is no pair to show, or a record cannot be read.
    """
    info = dataset.info
    rows = (dataset.read(index) for index in spread(len(dataset), info["variants"], count))
    cells = [cell_of(row, dataset.scale) for row in rows if isinstance(row, Record)]
    if not cells:
        raise ShardError(f"{dataset.store.uri} has no pair to show; see quarantine.jsonl for the reasons")
    counts = info["counts"]
    recipe = read_yaml(info["recipe"], "the stored recipe") if info["recipe"] else {"name": "imported pairs"}
    variants = f", {info['variants']} LQs for each GT" if info["variants"] > 1 else ""
    failed = f", {counts['tombstones']} pairs not made" if counts["tombstones"] else ""
    facts = (
        f"{PurePosixPath(dataset.store.uri).name}: {counts['ok']} pairs{variants}{failed}, scale {dataset.scale}, "
        f"seed {info['seed']}, recipe {info['recipe_digest'][:12]}, dataset {dataset.id}"
    )
    return render(str(recipe.get("name", "recipe")), facts, cells)


def cell_of(record: Record, scale: int) -> Cell:
    """Decode a pair and cut the middle of it: GT pixel by pixel, LQ enlarged by whole pixels to the same size."""
    plan = Plan.from_json(record.plan) if record.plan else None
    gt, lq = _frame(codecs.decode(record.gt)), _frame(codecs.decode(record.lq))
    h, w = lq.shape[:2]
    side = max(1, TILE // scale)
    y, x = max(0, h - side) // 2, max(0, w - side) // 2
    lq = lq[y : y + side, x : x + side]
    gt = gt[y * scale : (y + side) * scale, x * scale : (x + side) * scale]
    zoom = max(1, TILE // max(gt.shape[:2]))
    cut = "" if (h, w) == lq.shape[:2] else f", middle {gt.shape[0]}x{gt.shape[1]}"
    larger = f", enlarged x{zoom}" if zoom > 1 else ""
    return Cell(
        title=f"{record.key}, variant {record.variant}",
        gt=_enlarge(gt, zoom),
        lq=_enlarge(lq, zoom * scale),
        labels=(f"GT {h * scale}x{w * scale}{cut}{larger}", f"LQ {h}x{w}, enlarged x{zoom * scale}"),
        steps=tuple(caption(step) for step in unfold(plan.target + plan.degrade)) if plan else (("", ["no plan"]),),
    )


def render(title: str, facts: str, cells: Sequence[Cell]) -> Image.Image:
    """Lay cells out in two columns of cards under a title; a row of cards is as high as its longest caption."""
    small, medium, large = (ImageFont.load_default(size=size) for size in (13, 15, 28))
    columns = min(COLUMNS, len(cells))
    width = 2 * MARGIN + columns * CARD + (columns - 1) * GUTTER
    head = _wrap(facts.split(), medium, width - 2 * MARGIN)
    texts = [_columns(cell.steps, small) for cell in cells]
    heights = [_height(cell, text) for cell, text in zip(cells, texts, strict=True)]
    rows = [max(heights[i : i + columns]) for i in range(0, len(cells), columns)]
    top = MARGIN + 40 + 22 * len(head) + GUTTER
    page = Image.new("RGB", (width, top + sum(rows) + GUTTER * (len(rows) - 1) + MARGIN), GROUND)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN - 6), title, INK, font=large)
    for i, line in enumerate(head):
        pen.text((MARGIN, MARGIN + 36 + 22 * i), line, SOFT, font=medium)
    for i, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        x = MARGIN + i % columns * (CARD + GUTTER)
        y = top + sum(rows[: i // columns]) + GUTTER * (i // columns)
        pen.rounded_rectangle((x, y, x + CARD, y + rows[i // columns]), radius=8, fill=PAPER, outline=RULE)
        _card(page, cell, text, at=(x + PAD, y + PAD), fonts=(small, medium))
    return page


def _card(
    page: Image.Image, cell: Cell, text: Sequence[Lines], *, at: tuple[int, int], fonts: tuple[Font, Font]
) -> None:
    small, medium = fonts
    pen = ImageDraw.Draw(page)
    x, y = at
    pen.text((x, y), _shorten(cell.title, medium, CARD - 2 * PAD), INK, font=medium)
    y += 28
    for side, (image, label, lines) in enumerate(zip((cell.gt, cell.lq), cell.labels, text, strict=True)):
        left = x + side * (TILE + GAP)
        page.paste(Image.fromarray(image), (left, y))
        below = y + max(cell.gt.shape[0], cell.lq.shape[0]) + 8
        pen.text((left, below), label, SOFT, font=small)
        for i, (place, words) in enumerate(lines):
            line = below + 28 + i * LINE
            pen.text((left, line), place, INK, font=small)
            pen.text((left + (_length(place + " ", small) if place else GAP), line), words, SOFT, font=small)


def _height(cell: Cell, text: Sequence[Lines]) -> int:
    lines = max(map(len, text))
    return 2 * PAD + 28 + int(cell.gt.shape[0]) + 36 + LINE * lines


def _columns(steps: Sequence[tuple[str, list[str]]], font: Font) -> tuple[Lines, Lines]:
    """Steps as lines of (place, words), wrapped to the width of a tile and divided into two columns of like height."""
    blocks: list[Lines] = []
    for place, phrases in steps:
        first, *more = _wrap([place, *phrases], font, TILE, hanging=GAP)
        blocks.append([(place, first.removeprefix(place).strip()), *(("", line) for line in more)])
    total, left = sum(map(len, blocks)), 0
    split = 0
    while split < len(blocks) and 2 * left < total:
        left += len(blocks[split])
        split += 1
    return [*chain.from_iterable(blocks[:split])], [*chain.from_iterable(blocks[split:])]


def _wrap(phrases: Sequence[str], font: Font, width: int, *, hanging: int = 0) -> list[str]:
    """Lines of whole phrases no wider than ``width`` px; all but the first are ``hanging`` px narrower."""
    lines = [""]
    for phrase in phrases:
        longer = f"{lines[-1]} {phrase}".strip()
        if lines[-1] and _length(longer, font) > width - (hanging if len(lines) > 1 else 0):
            lines.append(phrase)
        else:
            lines[-1] = longer
    return lines


def _shorten(text: str, font: Font, width: int) -> str:
    """The text, with its middle left out where it is too wide."""
    if _length(text, font) <= width:
        return text
    keep = len(text)
    while keep > 2 and _length(f"{text[: keep // 2]}...{text[-(keep // 2) :]}", font) > width:
        keep -= 2
    return f"{text[: keep // 2]}...{text[-(keep // 2) :]}"


def _length(text: str, font: Font) -> int:
    return round(font.getlength(text))


def _frame(clip: Array) -> Array:
    """The middle frame of a clip in 8 bit RGB."""
    frame = clip[clip.shape[0] // 2]
    if frame.dtype == np.uint16:
        frame = (frame >> 8).astype(np.uint8)
    return np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame


def _enlarge(image: Array, times: int) -> Array:
    """Every pixel as a square of ``times`` px."""
    return np.ascontiguousarray(image.repeat(times, axis=0).repeat(times, axis=1))
