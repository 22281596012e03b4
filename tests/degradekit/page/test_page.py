"""Pages parse, need nothing else, show the pixels that they were given, and speak."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image, ImageFont

from degradekit.page import Group, Histogram, Page, Picture, Section, Shares, Table, render_html, render_png
from degradekit.page.html import bar_path
from degradekit.page.poster import MARGIN, PAD, WIDTH, wrap

VOID = {"meta", "img", "source", "path", "link", "br"}


class Strict(HTMLParser):
    """Collects tags and texts, and refuses an end tag that ends nothing."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def pixels(t: int, h: int, w: int) -> np.ndarray:
    return np.random.default_rng(t).integers(0, 256, (t, h, w, 3), np.uint8)


@pytest.fixture
def page() -> Page:
    figures = [
        Picture(pixels(1, 8, 12), "a <still> & more", "still", ("one", "two")),
        Picture(pixels(3, 8, 12), "a clip", "clip"),
        Histogram((1, 3, 2), 0.0, 3.0, (0.1, 2.9), (0.2, 1.4, 2.8), "sigma", ("in 50 % of the pairs",)),
        Shares({"area": 0.75, "bicubic": 0.25}, "mode"),
    ]
    table = Table(("name", "value"), [(f"row {i}", "1") for i in range(60)], "numbers")
    groups = [Group("all kinds", figures, note="a note"), Group("more", table=table, folded=True)]
    return Page("kind", "title <&>", "lead", [("scale", "x4")], [Section("part", "Part", "note", groups)], "foot")


def decoded(uri: str) -> list[np.ndarray]:
    head, data = uri.split(",")
    assert head == "data:image/webp;base64"
    picture = Image.open(io.BytesIO(b64decode(data)))
    frames = []
    for i in range(getattr(picture, "n_frames", 1)):
        picture.seek(i)
        frames.append(np.asarray(picture.convert("RGB")))
    return frames


def test_html_parses_and_needs_nothing_else(page: Page) -> None:
    text = render_html(page)
    found = Strict(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|javascript", re.sub(r"base64,[\w+/=]+", "", text))
    assert "<!doctype html>" in text and found.all("html") == [{"lang": "en"}]
    assert "title <&>" in found.texts and found.all("h1") == [{}]
    links = [link["href"] for link in found.all("a")]
    ids = {attrs["id"] for _, attrs in found.tags if "id" in attrs}
    assert links == ["#main", "#part"] and {link[1:] for link in links} <= ids


def test_pictures_keep_every_pixel_and_have_words(page: Page) -> None:
    found = Strict(render_html(page))
    still, clip = found.all("img")
    assert still["alt"] == "a <still> & more" and (still["width"], still["height"]) == ("12", "8")
    assert np.array_equal(decoded(still["src"]), pixels(1, 8, 12))
    assert np.array_equal(decoded(clip["src"]), pixels(3, 8, 12))
    (calm,) = found.all("source")
    assert calm["media"] == "(prefers-reduced-motion: reduce)"
    assert np.array_equal(decoded(calm["srcset"]), pixels(3, 8, 12)[:1])


def test_charts_have_words_and_numbers(page: Page) -> None:
    found = Strict(render_html(page))
    labels = [svg["aria-label"] for svg in found.all("svg")]
    assert labels == [
        "sigma: 6 values from 0.1 to 2.9, 5 % below 0.2, median 1.4, 95 % below 2.8",
        "mode: area 75 %, bicubic 25 %",
    ]
    assert {"median 1.4", "0.1", "2.9", "75 %", "25 %"} <= set(found.texts)
    assert all(svg["role"] == "img" for svg in found.all("svg"))
    assert len(found.all("tr")) == 61


def test_bars_have_the_heights_of_their_counts() -> None:
    heights = [72 - float(v) for v in re.findall(r"V([\d.]+)H", bar_path([0, 5, 10]))]
    assert heights == [0, 36, 72]
    assert bar_path([0, 0]).count("V72") >= 2


def test_png_shows_the_pictures_and_keeps_its_margins(page: Page) -> None:
    drawn = np.asarray(render_png(page))
    assert drawn.shape[1] == WIDTH
    ground = drawn[0, 0]
    assert (drawn[:, : MARGIN - 1] == ground).all() and (drawn[:, -MARGIN + 2 :] == ground).all()
    still = np.asarray(Image.fromarray(pixels(1, 8, 12)[0]).resize((176, 117), Image.Resampling.NEAREST))
    left = MARGIN + PAD
    tops = [y for y in range(drawn.shape[0] - 117) if np.array_equal(drawn[y : y + 117, left : left + 176], still)]
    assert len(tops) == 1
    assert render_png(page).tobytes() == drawn.tobytes()


def test_lines_are_no_wider_than_asked() -> None:
    font = ImageFont.load_default(size=13)
    text = "some words and averyveryverylongwordthatisbroken 1 2 3 " * 5
    lines = wrap(text, font, 90)
    assert all(font.getlength(line) <= 90 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrap("", font, 90) == []


def test_long_paths_break_at_their_separators() -> None:
    page = Page("kind", "t", "", [], [Section("s", "S", "", [Group("", [Shares({"a": 1.0}, "1  a:b/<c>")])])])
    assert "<b>1  a:<wbr>b/<wbr>&lt;c&gt;</b>" in render_html(page)
