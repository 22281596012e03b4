"""Two small figures as SVG: dots by group, and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#999933", "#777777")
LEFT, ROW, TOP, WIDTH = 300, 20, 60, 860


def dots(panels: Mapping[str, Mapping[str, Sequence[float]]], *, title: str) -> str:
    """A panel for each name, a row for each group, a dot for each value and a bar at their mean; one axis for all."""
    values = [value for groups in panels.values() for found in groups.values() for value in found]
    low, high, step = ticks(min(0.0, *values), max(0.0, *values))
    scale = (WIDTH - LEFT - 30) / (high - low)
    parts, y = [_text(10, 22, title, size=15)], TOP
    for panel, groups in panels.items():
        parts.append(_text(10, y, panel, size=13, weight="bold"))
        first = y
        for number, (group, found) in enumerate(groups.items()):
            y += ROW
            colour = COLOURS[number % len(COLOURS)]
            mean = LEFT + (sum(found) / len(found) - low) * scale
            parts.append(_text(20, y + 4, group))
            parts.append(f'<path d="M{mean:.1f} {y - 7}v14" stroke="{colour}" stroke-width="3"/>')
            parts += [
                f'<circle cx="{LEFT + (value - low) * scale:.1f}" cy="{y}" r="4" fill="{colour}" fill-opacity=".6"/>'
                for value in found
            ]
        y += ROW
        parts += _axis(low, high, step, scale, first + 6, y - 6)
        y += ROW * 2
    return _svg(parts, WIDTH, y - ROW)


def lines(series: Mapping[str, Sequence[tuple[float, float]]], *, title: str, height: int = 320) -> str:
    """Curves of (x, y) from the smallest to the largest; the vertical axis is logarithmic."""
    points = [point for curve in series.values() for point in curve]
    right = max(x for x, _ in points) or 1
    low, high, step = ticks(log10(min(y for _, y in points)), log10(max(y for _, y in points)))
    left, bottom = 70, height - 40
    across, up = (WIDTH - left - 20) / right, (bottom - TOP) / (high - low)
    parts = [_text(10, 22, title, size=15)]
    for i in range(round((high - low) / step) + 1):
        y = bottom - i * step * up
        parts.append(f'<path d="M{left} {y:.1f}H{WIDTH - 20}" stroke="#ddd"/>')
        parts.append(_text(left - 6, y + 4, f"{10 ** (low + i * step):.3g}", anchor="end"))
    for x in (i * right / 4 for i in range(5)):
        parts += [_text(left + x * across, bottom + 18, f"{x:.0f}", anchor="middle")]
    for number, (name, curve) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "L".join(f"{left + x * across:.1f} {bottom - (log10(y) - low) * up:.1f}" for x, y in curve)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(_text(WIDTH - 24, TOP + 14 * number, name, anchor="end", fill=colour))
    return _svg(parts, WIDTH, height)


def ticks(low: float, high: float) -> tuple[float, float, float]:
    """Round ends and a round step (1, 2 or 5 times a power of ten) with four to ten intervals."""
    rough = max(high - low, 1e-9) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return floor(low / step) * step, ceil(high / step) * step, step


def _axis(low: float, high: float, step: float, scale: float, top: float, bottom: float) -> list[str]:
    parts = []
    for i in range(round((high - low) / step) + 1):
        value = low + i * step
        x = LEFT + (value - low) * scale
        colour = "#999" if abs(value) < step / 2 else "#e4e4e4"
        parts.insert(0, f'<path d="M{x:.1f} {top}V{bottom}" stroke="{colour}"/>')
        parts.append(_text(x, bottom + 13, f"{value:.10g}", anchor="middle", fill="#555"))
    return parts


def _text(
    x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", fill: str = "#222", weight: str = "normal"
) -> str:
    look = f'font-size="{size}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'


def _svg(parts: Sequence[str], width: float, height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#fff"/>', *parts, "</svg>\n"])
