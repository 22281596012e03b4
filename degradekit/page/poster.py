"""A page as one picture, drawn with Pillow: the same panels as the HTML, light, 1600 px wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from degradekit.page.figures import Figure, Group, Histogram, Page, Picture, Shares, Table, percent
from degradekit.types import Array

__all__ = ["render_png", "wrap"]

WIDTH, MARGIN, PAD, GAP = 1600, 48, 20, 16
INNER = WIDTH - 2 * MARGIN - 2 * PAD
CHART, PLOT, LINE = 236, 60, 17
ROWS = 40
"""Rows of a table that are drawn; HTML has all of them."""
GROUND, CARD, RULE, INK, SOFT, MARK, MEDIAN, RAIL = (
    "#f5f5f1",
    "#ffffff",
    "#dfdfd8",
    "#1a1c20",
    "#565b64",
    "#1763b6",
    "#a8480f",
    "#e6e6df",
)

Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
Ink: TypeAlias = Callable[[Image.Image, ImageDraw.ImageDraw], None]


@dataclass(slots=True)
class Canvas:
    """What will be drawn, in order, before the height of the page is known."""

    inks: list[Ink] = field(default_factory=list)

    def text(self, at: tuple[float, float], text: str, *, size: int = 13, fill: str = INK, anchor: str = "la") -> None:
        """Write one line."""
        self.inks.append(lambda _, pen: pen.text(at, text, fill, font=_font(size), anchor=anchor))

    def box(self, corners: tuple[float, float, float, float], fill: str) -> None:
        """Fill a rectangle; one without area is left out."""
        if corners[2] > corners[0] and corners[3] > corners[1]:
            x0, y0, x1, y1 = corners
            self.inks.append(lambda _, pen: pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=fill))

    def image(self, at: tuple[int, int], pixels: Array, size: tuple[int, int]) -> None:
        """Paste a picture: enlarged in whole pixels' blocks, reduced by averaging."""
        larger = size[0] >= pixels.shape[1]
        how = Image.Resampling.NEAREST if larger else Image.Resampling.BOX
        self.inks.append(lambda page, _: page.paste(Image.fromarray(pixels).resize(size, how), at))

    def paint(self, height: int) -> Image.Image:
        """The page."""
        page = Image.new("RGB", (WIDTH, height), GROUND)
        pen = ImageDraw.Draw(page)
        for ink in self.inks:
            ink(page, pen)
        return page


def render_png(page: Page) -> Image.Image:
    """Draw a page as one picture; of a clip its middle frame, of a long table its first rows.

    Args:
        page: What to show.
    """
    canvas = Canvas()
    y = _head(canvas, page)
    for section in page.sections:
        y += 36
        canvas.text((MARGIN, y), section.title, size=26)
        y += 38
        y = _lines(canvas, wrap(section.note, _font(15), WIDTH - 2 * MARGIN), MARGIN, y, size=15) + 8
        for group in section.groups:
            y = _group(canvas, group, y) + GAP
    canvas.text((MARGIN, y + 20), page.foot, fill=SOFT)
    return canvas.paint(y + 20 + MARGIN)


def wrap(text: str, font: Font, width: float) -> list[str]:
    """Break a text into lines no wider than ``width`` px; a longer word is broken.

    Example:
        >>> wrap("to be or not", ImageFont.load_default(size=13), 40)
        ['to be', 'or not']
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        rest = word
        while font.getlength(rest) > width and len(rest) > 1:
            cut = next(n for n in range(len(rest) - 1, 0, -1) if n == 1 or font.getlength(rest[:n]) <= width)
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    return lines


@cache  # a font of one size is loaded once
def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)


def _head(canvas: Canvas, page: Page) -> int:
    y = MARGIN
    canvas.text((MARGIN, y), page.kind.upper(), fill=SOFT)
    canvas.text((MARGIN, y + 16), page.title, size=46)
    y = _lines(canvas, wrap(page.lead, _font(17), 1100), MARGIN, y + 80, size=17, fill=INK, line=24) + 12
    x = float(MARGIN)
    for name, value in page.facts:
        width = max(_font(12).getlength(name), _font(16).getlength(value))
        if x + width > WIDTH - MARGIN:
            x, y = float(MARGIN), y + 52
        canvas.text((x, y), name, size=12, fill=SOFT)
        canvas.text((x, y + 16), value, size=16)
        x += width + 36
    return y + 44


def _group(canvas: Canvas, group: Group, y: int) -> int:
    """Draw a card at ``y`` and return where it ends."""
    place = len(canvas.inks)
    top, y, left = y, y + PAD, MARGIN + PAD
    if group.title:
        canvas.text((left, y - 4), group.title, size=16)
        y += 26
    if group.note:
        y = _lines(canvas, wrap(group.note, _font(13), INNER), left, y, size=13) + 6
    for row in _rows(group.figures):
        x, bottom = left, y
        for figure in row:
            bottom = max(bottom, _figure(canvas, figure, x, y))
            x += _width(figure) + GAP
        y = bottom + GAP
    if group.table is not None:
        y = _table(canvas, group.table, left, y)
    end = y + PAD - GAP // 2
    card = (MARGIN, top, WIDTH - MARGIN, end)
    canvas.inks.insert(place, lambda _, pen: pen.rounded_rectangle(card, radius=12, fill=CARD, outline=RULE))
    return end


def _rows(figures: Sequence[Figure]) -> list[list[Figure]]:
    rows: list[list[Figure]] = []
    room = 0
    for figure in figures:
        room -= _width(figure) + GAP
        if room < -GAP or not rows:
            rows.append([])
            room = INNER - _width(figure)
        rows[-1].append(figure)
    return rows


def _width(figure: Figure) -> int:
    return figure.width if isinstance(figure, Picture) else CHART


def _figure(canvas: Canvas, figure: Figure, x: int, y: int) -> int:
    match figure:
        case Picture(pixels=pixels, width=width):
            frame = pixels[len(pixels) // 2]
            height = max(1, round(frame.shape[0] * width / frame.shape[1]))
            canvas.image((x, y), frame, (width, height))
            return _caption(canvas, figure, x, y + height + 6)
        case Histogram():
            return _histogram(canvas, figure, x, _caption(canvas, figure, x, y) + 4)
        case Shares(shares=shares):
            y = _caption(canvas, figure, x, y) + 4
            for word, share in shares.items():
                canvas.text((x, y), (wrap(word, _font(11), CHART - 50) or [""])[0], size=11, fill=SOFT)
                canvas.text((x + CHART, y), percent(share), size=11, anchor="ra")
                canvas.box((x, y + 15, x + CHART, y + 19), RAIL)
                canvas.box((x, y + 15, x + CHART * share, y + 19), MARK)
                y += 25
            return y


def _caption(canvas: Canvas, figure: Figure, x: int, y: int) -> int:
    width = _width(figure)
    y = _lines(canvas, wrap(figure.title, _font(13), width), x, y, size=13, fill=INK)
    for line in figure.lines:
        y = _lines(canvas, wrap(line, _font(12), width), x, y, size=12, line=15)
    return y


def _histogram(canvas: Canvas, figure: Histogram, x: int, y: int) -> int:
    top = max(*figure.counts, 1)
    step = CHART / len(figure.counts)
    for i, count in enumerate(figure.counts):
        left, right = round(x + i * step), round(x + (i + 1) * step)
        canvas.box((left, round(y + PLOT * (1 - count / top)), right, y + PLOT), MARK)
    canvas.box((x, y + PLOT, x + CHART, y + PLOT + 1), SOFT)
    span = (figure.high - figure.low) or 1.0
    for mark, height in zip(figure.marks, (8, PLOT, 8), strict=True):
        at = round(x + (mark - figure.low) / span * CHART)
        canvas.box((at - 1, y + PLOT - height, at + 1, y + PLOT + 3), MEDIAN)
    canvas.text((x, y + PLOT + 5), f"{figure.ends[0]:.3g}", size=11, fill=SOFT)
    canvas.text((x + CHART / 2, y + PLOT + 5), f"median {figure.marks[1]:.3g}", size=11, anchor="ma")
    canvas.text((x + CHART, y + PLOT + 5), f"{figure.ends[1]:.3g}", size=11, fill=SOFT, anchor="ra")
    return y + PLOT + 20


def _table(canvas: Canvas, table: Table, x: int, y: int) -> int:
    if table.title:
        canvas.text((x, y), table.title, fill=SOFT)
        y += LINE + 4
    shown = [table.head, *table.rows[:ROWS]]
    need = [max(_font(12).getlength(cell) for cell in column) + 22 for column in zip(*shown, strict=True)]
    squeeze = min(1.0, INNER / sum(need))
    for i, row in enumerate(shown):
        at = float(x)
        for cell, width in zip(row, need, strict=True):
            text = (wrap(cell, _font(12), width * squeeze - 8) or [""])[0]
            canvas.text((at, y), text, size=12, fill=INK if i else SOFT)
            at += width * squeeze
        y += LINE + 1
    if len(table.rows) > ROWS:
        canvas.text((x, y), f"and {len(table.rows) - ROWS} more, which the HTML page has", size=12, fill=SOFT)
        y += LINE
    return y + 8


def _lines(canvas: Canvas, lines: Sequence[str], x: int, y: int, *, size: int, fill: str = SOFT, line: int = 0) -> int:
    step = line or size + 4
    for i, text in enumerate(lines):
        canvas.text((x, y + i * step), text, size=size, fill=fill)
    return y + step * len(lines)
