"""Pages that people look at: pictures, histograms and tables in one self-contained HTML file, or as one PNG.

A page is plain data (:mod:`degradekit.page.figures`); :func:`render_html` and :func:`render_png` draw the same panels.
Nothing is fetched from anywhere, and nothing needs JavaScript.
"""

from degradekit.page.figures import Figure, Group, Histogram, Page, Picture, Section, Shares, Table, percent
from degradekit.page.html import environment, render_html
from degradekit.page.poster import render_png

__all__ = [
    "Figure",
    "Group",
    "Histogram",
    "Page",
    "Picture",
    "Section",
    "Shares",
    "Table",
    "environment",
    "percent",
    "render_html",
    "render_png",
]
