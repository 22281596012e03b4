"""Contact sheets: the pixels shown are the pixels stored, and no text leaves its column."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from degradekit import codecs
from degradekit.errors import ShardError
from degradekit.shards.dataset import Dataset, open_dataset
from degradekit.sheet import CARD, GUTTER, MARGIN, TILE, Cell, _columns, _shorten, _wrap, cell_of, contact_sheet, render
from degradekit.types import Record

FONT = ImageFont.load_default(size=13)
words = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=30)


@pytest.fixture
def dataset(built: Path) -> Dataset:
    return open_dataset(built)


@pytest.fixture
def record(dataset: Dataset) -> Record:
    return next(r for r in map(dataset.read, range(9)) if isinstance(r, Record))


def clip(h: int, w: int, dtype: type = np.uint8) -> np.ndarray:
    return (np.arange(h * w * 3) * 37 % np.iinfo(dtype).max).astype(dtype).reshape(1, h, w, 3)


def test_small_pairs_are_shown_whole_in_whole_pixels(record: Record) -> None:
    cell = cell_of(record, 4)
    gt, lq = codecs.decode(record.gt)[0], codecs.decode(record.lq)[0]
    assert cell.gt.shape == cell.lq.shape == (320, 320, 3)
    assert np.array_equal(cell.gt[::5, ::5], gt) and np.array_equal(cell.gt[4::5, 4::5], gt)
    assert np.array_equal(cell.lq[::20, ::20], lq) and np.array_equal(cell.lq[19::20, 19::20], lq)
    assert cell.labels == ("GT 64x64, enlarged x5", "LQ 16x16, enlarged x20")


def test_large_pairs_show_the_same_middle_of_both(record: Record) -> None:
    gt, lq = clip(480, 640), clip(120, 160)
    cell = cell_of(replace(record, gt=codecs.encode(gt), lq=codecs.encode(lq)), 4)
    assert np.array_equal(cell.gt, gt[0, 80:400, 160:480])
    assert np.array_equal(cell.lq[::4, ::4], lq[0, 20:100, 40:120])
    assert cell.labels == ("GT 480x640, middle 320x320", "LQ 120x160, enlarged x4")


def test_16_bit_is_shown_by_its_upper_byte(record: Record) -> None:
    gt, lq = clip(64, 64, np.uint16), clip(16, 16, np.uint16)
    cell = cell_of(replace(record, gt=codecs.encode(gt, "png"), lq=codecs.encode(lq, "png")), 4)
    assert cell.gt.dtype == np.uint8
    assert np.array_equal(cell.gt[::5, ::5], gt[0] >> 8)


def test_a_sheet_shows_its_cells_and_is_always_the_same(dataset: Dataset) -> None:
    page = contact_sheet(dataset, 4)
    assert page.width == 2 * MARGIN + 2 * CARD + GUTTER
    assert page.tobytes() == contact_sheet(dataset, 4).tobytes()
    pixels = np.asarray(page)
    cell = cell_of(dataset.read(0), 4)
    found = [
        (y, x)
        for y, x in np.argwhere((pixels == cell.gt[0, 0]).all(axis=-1))
        if np.array_equal(pixels[y : y + 320, x : x + 320], cell.gt)
    ]
    assert len(found) == 1


def test_one_pair_makes_one_column(record: Record) -> None:
    assert render("one", "a set", [cell_of(record, 4)]).width == 2 * MARGIN + CARD


def test_text_of_a_card_stays_on_its_card() -> None:
    steps = tuple((f"stage{i}.noise", ["gaussian_noise", "sigma 0.1234"] * 4) for i in range(12))
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    cell = Cell("key " * 60, tile, tile, ("GT", "LQ"), steps)
    pixels = np.asarray(render("title", "facts", [cell]))
    edge = pixels[:, MARGIN + CARD + 1 :]
    assert (edge == edge[0, 0]).all()
    assert (pixels[-MARGIN + 1 :] == pixels[-1, -1]).all()
    bottom = pixels[-MARGIN - 20 : -MARGIN - 1, MARGIN + 12 : MARGIN + CARD - 12]
    assert (bottom == bottom[0, 0]).all()


def test_a_dataset_without_pairs_is_refused(dataset: Dataset) -> None:
    dead = [i for i in range(len(dataset)) if not isinstance(dataset.read(i), Record)]

    class Dead(Dataset):
        def read(self, index: int, parts: object = ()) -> object:  # type: ignore[override]
            return dataset.read(dead[0])

    with pytest.raises(ShardError, match="no pair to show"):
        contact_sheet(Dead(dataset.store, dataset.info, dataset.shards), 3)


@given(phrases=st.lists(words, max_size=30), width=st.integers(250, 600))
def test_wrapped_lines_keep_the_phrases_and_the_width(phrases: list[str], width: int) -> None:
    lines = _wrap(phrases, FONT, width, hanging=12)
    assert " ".join(lines).strip() == " ".join(phrases)
    for i, line in enumerate(lines):
        assert FONT.getlength(line) <= width - 12 * (i > 0) + 0.5 or line in phrases


@given(steps=st.lists(st.tuples(words, st.lists(words, max_size=8)), max_size=14))
def test_columns_hold_every_step_once_and_the_left_is_not_shorter(steps: list[tuple[str, list[str]]]) -> None:
    left, right = _columns(steps, FONT)
    assert [place for place, _ in left + right if place] == [place for place, _ in steps]
    assert len(left) >= len(right)


def test_a_long_title_loses_its_middle() -> None:
    short = _shorten("a" * 50 + "/" + "b" * 50 + "#r0", FONT, 300)
    assert short.startswith("aaa") and "..." in short and short.endswith("#r0") and FONT.getlength(short) <= 300.5
